"""Integers for a network: within their type, and within the tables that they are looked up in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.ir.graph import Graph, GraphInput, Node, Value
from netspec.ops.embedding import Embedding
from netspec.verify.tolerance import Array

MOVING = frozenset(
    {"Cast", "Flatten", "Identity", "Permute", "Reshape", "Squeeze", "Transpose", "Unflatten", "Unsqueeze"}
)
"""Operations whose outputs have the integers of their input, each of them."""


class NotIntegers(Diagnostic):
    """Real numbers for an input of integers."""

    code = "NS465"
    message = "{name} gives {got} numbers for the input {input}, which is {dtype}"

    name: str
    got: str
    input: str
    dtype: str

    @property
    def help(self) -> str:
        return "store them as integers, or write dtype: float32 at the input"


class IntegersOutOfRange(Diagnostic):
    """Integers that the input's type does not hold, or that name no row of a layer's table."""

    code = "NS479"
    message = "{input} of {name} has integers {least} to {greatest}, but {taker} takes {low} to {high}"

    name: str
    input: str
    least: int
    greatest: int
    taker: str
    low: int
    high: int
    table: bool

    @property
    def help(self) -> str:
        if self.table:
            return "number tokens from 0, or give the layer more num_embeddings"
        return "give the input a larger dtype, such as int64"


def fit_integers(array: Array, entry: GraphInput, name: str, graph: Graph) -> Array:
    """Integers (N, ...) in the dtype of their input.

    Errors: NS465, NS479.
    """
    dtype = entry.value.type.dtype
    if array.dtype.kind == "f":
        reals = NotIntegers(name=printable(name), got=str(array.dtype), input=entry.name, dtype=dtype.value)
        raise DiagnosticError(reals.at(entry.span))
    if dtype.value != "bool" and array.dtype.kind in "iu":
        limits = np.iinfo(dtype.value)
        _check(array, entry, name, dtype.value, int(limits.min), int(limits.max))
        for node in _tables(graph, entry.value):
            assert isinstance(node.op, Embedding)
            _check(array, entry, name, f"the layer {node.name}", 0, node.op.num_embeddings - 1, table=True)
    return np.ascontiguousarray(array.astype(dtype.value, copy=False))


def _check(
    array: Array, entry: GraphInput, name: str, taker: str, low: int, high: int, *, table: bool = False
) -> None:
    least, greatest = int(array.min()), int(array.max())
    if least < low or greatest > high:
        fault = IntegersOutOfRange(
            name=printable(name),
            input=entry.name,
            least=least,
            greatest=greatest,
            taker=taker,
            low=low,
            high=high,
            table=table,
        )
        raise DiagnosticError(fault.at(entry.span))


def _tables(graph: Graph, value: Value) -> Iterator[Node]:
    """The layers that look a graph's input up, all of it."""
    reached = [value]
    for node in graph:
        if node.inputs and node.inputs[0] in reached:
            if isinstance(node.op, Embedding):
                yield node
            elif type(node.op).__name__ in MOVING and node.output.type.dtype.value.startswith("int"):
                reached.append(node.output)
