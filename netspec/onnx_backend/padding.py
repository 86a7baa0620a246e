"""Padding in ONNX, for what its Pad lacks in older opsets or in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter

Ends = Sequence[tuple[int, int]]
"""Elements to add (before, after) every axis; a negative number takes elements away."""

MODES = {
    "constant": "constant",
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}
"""ONNX's names of torch's padding modes."""

WRAP_OPSET = 19
"""The first whose Pad has the mode wrap."""


def padded(graph: Emitter, x: str, ends: Ends, mode: str = "constant", value: str = "") -> str:
    """The tensor `x` with `ends`, in a padding mode of torch; `value` names the constant, "" is zero."""
    if not any(map(any, ends)):
        return x
    kept = [(min(before, 0), min(after, 0)) for before, after in ends]
    added = [(max(before, 0), max(after, 0)) for before, after in ends]
    if mode == "reflect" and any(map(any, kept)):
        # torch reflects what it then takes away; onnxruntime takes away first, and refuses.
        return _pad(graph, _pad(graph, x, added, mode), kept)
    if mode == "circular" and graph.opset < WRAP_OPSET:
        x = _pad(graph, x, kept)
        for axis, (before, after) in enumerate(added):
            x = _wrapped(graph, x, axis, before, after)
        return x
    return _pad(graph, x, ends, mode, value)


def _pad(graph: Emitter, x: str, ends: Ends, mode: str = "constant", value: str = "") -> str:
    if not any(map(any, ends)):
        return x
    amounts = [before for before, _ in ends] + [after for _, after in ends]
    fill = [value] if value else []
    return graph.node("Pad", x, graph.constant(amounts, DType.INT64), *fill, mode=MODES[mode])


def _wrapped(graph: Emitter, x: str, axis: int, before: int, after: int) -> str:
    """Circular padding of one axis: its far end before the near one, and the other way round."""
    parts = [x]
    if before:
        parts.insert(0, _slice(graph, x, axis, -before, 2**63 - 1))
    if after:
        parts.append(_slice(graph, x, axis, 0, after))
    return graph.node("Concat", *parts, axis=axis) if len(parts) > 1 else x


def _slice(graph: Emitter, x: str, axis: int, start: int, stop: int) -> str:
    """Elements `start` up to `stop` of one axis."""
    bounds = (graph.constant([number], DType.INT64) for number in (start, stop, axis))
    return graph.node("Slice", x, *bounds)
