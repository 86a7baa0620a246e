"""Attention in ONNX's elementary operators: masks, and softmax(q k^T + mask) v.

ONNX has an operator for it from opset 23 on; this computes the same at every opset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.ir.dim import Size
from netspec.ir.tensor import DType
from netspec.onnx_backend.reductions import reduced

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter

LARGEST_EXPONENT = {DType.FLOAT16: 15, DType.BFLOAT16: 127, DType.FLOAT32: 127, DType.FLOAT64: 1023}
"""Of the largest finite number of each type, which is just below 2 to the next power."""


def real_mask(graph: Emitter, mask: str, dtype: DType, *, takes_part: bool) -> str:
    """Truth values as numbers to add, 0 or -inf; `takes_part` says what true is."""
    numbers = graph.constant(0.0, dtype), graph.constant(float("-inf"), dtype)
    return graph.node("Where", mask, *(numbers if takes_part else reversed(numbers)))


def causal_mask(graph: Emitter, length: Size, source: Size, dtype: DType) -> str:
    """(L, S) to add: -inf where an element of the source comes after that of the query."""
    rows = graph.node("Unsqueeze", _counted(graph, length), graph.constant([1], DType.INT64))
    later = graph.node("Less", rows, _counted(graph, source))
    return real_mask(graph, later, dtype, takes_part=False)


def _counted(graph: Emitter, size: Size) -> str:
    """The integers from 0 up to a size."""
    zero, one = (graph.constant(number, DType.INT64) for number in (0, 1))
    if isinstance(size, int):
        return graph.node("Range", zero, graph.constant(size, DType.INT64), one)
    limit = graph.node("Squeeze", graph.size(size), graph.constant([0], DType.INT64))
    return graph.node("Range", zero, limit, one)


def over_root(graph: Emitter, x: str, width: int, dtype: DType) -> str:
    """`x` divided by the square root of `width`, which as a constant would be rounded."""
    # A vector of one, since OpenCV takes no root of a scalar.
    return graph.node("Div", x, graph.node("Sqrt", graph.constant([float(width)], dtype)))


def attend(graph: Emitter, query: str, keys: str, values: str, mask: str) -> tuple[str, str]:
    """softmax(q k^T + mask) v, (*, L, E), (*, E, S) and (*, S, V) -> (*, L, V); and the softmax, (*, L, S).

    `mask` is added to the scores; "" is none. A query that it keeps from every key gives NaN.
    """
    scores = graph.node("MatMul", query, keys)
    if mask:
        scores = graph.node("Add", scores, mask)
    weights = graph.node("Softmax", scores, axis=-1)
    return graph.node("MatMul", weights, values), weights


def zero_where_nothing_is_attended(graph: Emitter, y: str, mask: str, dtype: DType) -> str:
    """`y`, (*, L, V), with zeros for the queries that a mask, (*, L, S), keeps from every key."""
    # The largest of nothing but -inf is the lowest finite number to OpenVINO and tract: halved, every other
    # number of a mask lies above that.
    half = graph.node("Mul", mask, graph.constant(0.5, dtype))
    most = reduced(graph, "ReduceMax", half, [-1], keepdims=True)
    nothing = graph.node("Less", most, graph.constant(-(2.0 ** LARGEST_EXPONENT[dtype]), dtype))
    return graph.node("Where", nothing, graph.constant(0.0, dtype), y)
