"""Symbolic sizes at run time: ONNX's integer arithmetic on the shapes of the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netspec.ir.dim import Dim
from netspec.ir.dim.arithmetic import Atom, Symbol
from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


def measured(graph: Emitter, size: Dim, symbols: Mapping[str, tuple[str, int]]) -> str:
    """An int64 tensor of shape (1,) that holds `size`; `symbols` gives each symbol's input and axis."""
    terms = [_term(graph, monomial, factor, symbols) for monomial, factor in size.terms.items()]
    if size.constant:
        terms.append(graph.constant([size.constant], DType.INT64))
    total = terms[0]
    for term in terms[1:]:
        total = graph.node("Add", total, term)
    return total


def _term(
    graph: Emitter, monomial: tuple[Atom, ...], factor: int, symbols: Mapping[str, tuple[str, int]]
) -> str:
    result: str | None = None
    for atom in monomial:
        tensor, factor = _atom(graph, atom, factor, symbols)
        result = tensor if result is None else graph.node("Mul", result, tensor)
    assert result is not None
    return result if factor == 1 else graph.node("Mul", result, graph.constant([factor], DType.INT64))


def _atom(graph: Emitter, atom: Atom, factor: int, symbols: Mapping[str, tuple[str, int]]) -> tuple[str, int]:
    """The tensor of an atom, and what is left of the factor before it."""
    if isinstance(atom, Symbol):
        tensor, axis = symbols[atom.name]
        length = graph.lengths(tensor, axis)
        if atom.multiple == 1:
            return length, factor
        if factor % atom.multiple == 0:
            return length, factor // atom.multiple
        return graph.node("Div", length, graph.constant([atom.multiple], DType.INT64)), factor
    # ONNX rounds the quotient of integers towards zero: sizes in it are not negative, as netspec has them.
    numerator = measured(graph, atom.numerator, symbols)
    return graph.node("Div", numerator, graph.constant([atom.divisor], DType.INT64)), factor
