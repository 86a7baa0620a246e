"""Recurrences in ONNX: torch's weights and states in the layouts of RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netspec.ir.dim import Size
from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


def joined(graph: Emitter, tensors: Sequence[str], axis: int) -> str:
    """Tensors behind each other along an axis; one alone as it is."""
    return graph.node("Concat", *tensors, axis=axis) if len(tensors) > 1 else tensors[0]


def parted(graph: Emitter, x: str, count: int, size: int, axis: int = 0) -> tuple[str, ...]:
    """`count` parts of `size` along an axis; "" has parts ""."""
    if not x or count == 1:
        return (x,) * count
    return graph.nodes("Split", x, graph.constant([size] * count, DType.INT64), outputs=count, axis=axis)


def gates(graph: Emitter, tensors: Sequence[str], order: Sequence[int], shape: Sequence[int]) -> str:
    """Weights or biases, each of torch's gates one below the other, as one tensor of ONNX's gates in order.

    The weights in the file stay torch's; a runtime does this once, when it loads the file.
    """
    y = joined(graph, tensors, 0)
    if len(order) > 1:
        y = graph.node("Reshape", y, graph.constant([len(tensors), len(order), -1], DType.INT64))
        y = graph.node("Gather", y, graph.constant([list(order)], DType.INT64), axis=1)
    return graph.node("Reshape", y, graph.constant(list(shape), DType.INT64))


def at_rest(graph: Emitter, directions: int, batch: Size, width: int, dtype: DType) -> str:
    """The state (directions, N, H) before the first step where none is given: zeros.

    ONNX has them by itself. OpenCV forgets the batch in doing so, and tract wants it to be a number.
    """
    return graph.node("Expand", graph.constant(0.0, dtype), graph.shape((directions, batch, width)))


def side_by_side(graph: Emitter, y: str, features: int, directions: int, *, batch_first: bool) -> str:
    """What every direction gives, (L, directions, N, H), as (L, N, features), or as (N, L, features)."""
    if directions == 1 and not batch_first:
        return graph.node("Squeeze", y, graph.constant([1], DType.INT64))
    y = graph.node("Transpose", y, perm=(2, 0, 1, 3) if batch_first else (0, 2, 1, 3))
    return graph.node("Reshape", y, graph.constant([0, 0, features], DType.INT64))


def beside_first(graph: Emitter, x: str, state: str, length: Size, *, reverse: bool) -> str:
    """A sequence (L, N, F) with the state (1, N, H) beside its first element, and zeros beside the others.

    With `reverse` the sequence is read from its end.
    """
    before, after = (length - 1, 0) if reverse else (0, length - 1)
    padded = graph.node("Pad", state, graph.shape((before, 0, 0, after, 0, 0)))
    return graph.node("Concat", x, padded, axis=2)
