"""Reductions in ONNX, whose axes are an attribute in old opsets and an input in new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


def reduced(graph: Emitter, operator: str, x: str, axes: Sequence[int] | None, *, keepdims: bool) -> str:
    """The tensor `x` reduced over `axes`, over all of them where they are None."""
    if axes is None:
        return graph.node(operator, x, keepdims=int(keepdims))
    if graph.opset < (13 if operator == "ReduceSum" else 18):
        return graph.node(operator, x, axes=list(axes), keepdims=int(keepdims))
    return graph.node(operator, x, graph.constant(list(axes), DType.INT64), keepdims=int(keepdims))


def vector_norm(
    graph: Emitter, x: str, p: float, dtype: DType, axes: Sequence[int] | None, *, keepdims: bool
) -> str:
    """The p-norm of `x` over `axes`: (sum |x|^p)^(1/p).

    The root's exponent is divided here and not by the caller: 1/p is no number of the element type.
    """
    if p in (1, 2):
        return reduced(graph, f"ReduceL{int(p)}", x, axes, keepdims=keepdims)
    power = graph.constant(float(p), dtype)
    total = reduced(
        graph, "ReduceSum", graph.node("Pow", graph.node("Abs", x), power), axes, keepdims=keepdims
    )
    return graph.node("Pow", total, graph.node("Div", graph.constant(1.0, dtype), power))
