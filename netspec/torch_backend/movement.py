"""Modules for torch's functions that move elements and compute nothing.

Where an argument holds symbolic dimensions, `forward` gets it with their sizes in their places.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

Sizes = tuple[int, ...]


class Movement(nn.Module):
    """A function of torch with its arguments, which are attributes under their names."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self._names = tuple(arguments)
        for name, value in arguments.items():
            setattr(self, name, value)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._names)


class Reshape(Movement):
    """The elements in their order, in another shape."""

    shape: Sizes

    def forward(self, x: Tensor, shape: Sizes | None = None) -> Tensor:
        return x.reshape(shape or self.shape)


class Unflatten(Movement):
    """One dimension as several, some of their sizes symbolic."""

    dim: int

    def forward(self, x: Tensor, unflattened_size: Sizes) -> Tensor:
        return torch.unflatten(x, self.dim, unflattened_size)


class Expand(Movement):
    """Dimensions of size 1 stretched, and new ones in front."""

    size: Sizes

    def forward(self, x: Tensor, size: Sizes | None = None) -> Tensor:
        return x.expand(size or self.size)


class Squeeze(Movement):
    """Dimensions of size 1 left out."""

    dim: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(self.dim)


class Unsqueeze(Movement):
    """A new dimension of size 1."""

    dim: int

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(self.dim)


class Permute(Movement):
    """The dimensions in another order."""

    dims: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)


class Transpose(Movement):
    """Two dimensions exchanged."""

    dim0: int
    dim1: int

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(self.dim0, self.dim1)


class Flip(Movement):
    """The elements in reverse along some dimensions."""

    dims: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(self.dims)


class Roll(Movement):
    """The elements moved along some dimensions; what leaves at the end comes back at the beginning."""

    shifts: tuple[int, ...]
    dims: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        return torch.roll(x, self.shifts, self.dims)


class Slice(Movement):
    """Elements `start` up to `end` of one dimension, in steps."""

    dim: int
    start: int | None
    end: int | None
    step: int

    def forward(self, x: Tensor, ends: tuple[int, int] | None = None) -> Tensor:
        start, end = ends or (self.start, self.end)
        every = (slice(None),) * (self.dim % x.dim())
        return x[(*every, slice(start, end, self.step))]


class Narrow(Movement):
    """`length` elements of one dimension from `start` on."""

    dim: int
    start: int
    length: int

    def forward(self, x: Tensor, elements: tuple[int, int] | None = None) -> Tensor:
        start, length = elements or (self.start, self.length)
        return x.narrow(self.dim, start, length)


class Select(Movement):
    """One element of a dimension, which is left out."""

    dim: int
    index: int

    def forward(self, x: Tensor) -> Tensor:
        return x.select(self.dim, self.index)


class IndexSelect(Movement):
    """The elements of one dimension that the second input names."""

    dim: int

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        return x.index_select(self.dim, index)


class Split(Movement):
    """The tensor in pieces along one dimension; a single piece is no tuple."""

    split_size_or_sections: int | Sizes
    dim: int

    def forward(self, x: Tensor, sections: Sizes | None = None) -> Tensor | tuple[Tensor, ...]:
        asked = sections or self.split_size_or_sections
        return _pieces(torch.split(x, asked if isinstance(asked, int) else list(asked), self.dim))


class Chunk(Movement):
    """The tensor in equal pieces along one dimension, but for a smaller last one."""

    chunks: int
    dim: int

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        return _pieces(torch.chunk(x, self.chunks, self.dim))


def _pieces(pieces: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return pieces[0] if len(pieces) == 1 else pieces


class Stack(Movement):
    """Tensors of one shape along a new dimension."""

    dim: int

    def forward(self, *tensors: Tensor) -> Tensor:
        return torch.stack(tensors, self.dim)


class Concat(Movement):
    """The inputs joined along `dim`."""

    dim: int

    def forward(self, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors, dim=self.dim)


class Cast(Movement):
    """The elements as another type."""

    dtype: torch.dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)
