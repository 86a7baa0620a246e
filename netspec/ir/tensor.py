"""The type of a tensor: a shape of Sizes and a dtype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from netspec.ir.dim import UNKNOWN, Dim, Size, Unknown


class DType(StrEnum):
    """Element types, by torch's names."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT64 = "float64"
    INT64 = "int64"
    INT32 = "int32"
    BOOL = "bool"

    @property
    def is_floating(self) -> bool:
        return self in (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return _ITEMSIZE[self]


_ITEMSIZE = {
    DType.FLOAT32: 4,
    DType.FLOAT16: 2,
    DType.BFLOAT16: 2,
    DType.FLOAT64: 8,
    DType.INT64: 8,
    DType.INT32: 4,
    DType.BOOL: 1,
}

Shape = tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class TensorType:
    """A shape and a dtype; `shape` is None where an earlier error left even the rank unknown.

    Indices of a pool know `within` which sizes they count, (H, W) of the pool's input: an unpool restores
    them. It comes along where a tensor is passed on as it is, and makes no two types different.
    """

    shape: Shape | None
    dtype: DType = DType.FLOAT32
    within: Shape | None = field(default=None, compare=False, repr=False)

    @property
    def known(self) -> Shape:
        """The shape, where the rank is known; operations are never asked to infer from one that is not."""
        if self.shape is None:
            raise AssertionError("the rank of this tensor is unknown")
        return self.shape

    @property
    def rank(self) -> int:
        return len(self.known)

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(shape, self.dtype)

    def bind(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """The concrete shape when every symbolic dimension is given a value."""
        return tuple(evaluate(size, values) for size in self.known)

    def __str__(self) -> str:
        if self.shape is None:
            return "(unknown shape)"
        inside = ", ".join(map(str, self.shape))
        return f"({inside},)" if len(self.shape) == 1 else f"({inside})"


UNKNOWN_TYPE = TensorType(None)


def evaluate(size: Size, values: Mapping[str, int]) -> int:
    """The integer that a size is when every symbolic dimension is given a value."""
    if isinstance(size, int):
        return size
    if isinstance(size, Unknown):
        raise ValueError("an unknown size has no value")
    return size.evaluate(values)


def product(sizes: Shape) -> Size:
    """The number of elements of a shape, symbolic where the shape is."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


__all__ = [
    "UNKNOWN",
    "UNKNOWN_TYPE",
    "DType",
    "Dim",
    "Shape",
    "Size",
    "TensorType",
    "Unknown",
    "evaluate",
    "product",
]
