"""Lengths of axes: numbers for as long as they are known, tensors of shape (1,) where they are symbolic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter

Length = int | str


def length_of(graph: Emitter, x: str, axis: int) -> Length:
    """The length of one axis of a tensor that the layer was given."""
    size = graph.type(x).known[axis]
    if isinstance(size, int):
        return size
    return graph.lengths(x, axis)


def as_tensor(graph: Emitter, length: Length) -> str:
    """An int64 tensor of shape (1,) that holds a length."""
    return graph.constant([length], DType.INT64) if isinstance(length, int) else length


def plus(graph: Emitter, left: Length, right: Length) -> Length:
    """The sum of two lengths."""
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    if left == 0 or right == 0:
        return right if left == 0 else left
    return graph.node("Add", as_tensor(graph, left), as_tensor(graph, right))


def times(graph: Emitter, left: Length, right: Length) -> Length:
    """The product of two lengths."""
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    if left == 1 or right == 1:
        return right if left == 1 else left
    return graph.node("Mul", as_tensor(graph, left), as_tensor(graph, right))
