"""Raw batches made into a network's inputs on the device where they lie; training images moved at random.

It is `netspec.verify.preprocess` for torch: on the CPU the same bits. Nothing here waits for the device or
depends on the values of the data, so that it compiles and can be captured into a CUDA graph.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from netspec.ir.graph import Graph, GraphInput, Preprocess
from netspec.ir.training import Augment
from netspec.verify.preprocess import BYTE_SCALE


class Table(NamedTuple):
    """Which old pixels each new one (L,) along an axis lies between, and the share of the right one."""

    left: Tensor
    right: Tensor
    share: Tensor


class Prepare:
    """Raw inputs (N, ...) of a data set to inputs of a network, in their dtypes.

    With `augment`, images are mirrored and cut out at random before they are resized, all images of one
    example alike; the draws come from the default generator of the device. Tables for resizing are made when
    they are first needed and kept, so that a first call should come before a capture. With `channels_last`
    images are given in that memory format.
    """

    def __init__(self, graph: Graph, augment: Augment | None = None, *, channels_last: bool = False) -> None:
        self._entries = graph.inputs
        self._augment = augment if augment is not None and (augment.flip or augment.crop) else None
        self._channels_last = channels_last
        self._tables: dict[tuple[int, int, str], Table] = {}
        self._constants: dict[tuple[int, str, str], Tensor] = {}

    def __call__(self, raw: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self._augment is not None:
            raw = _moved(raw, self._augment)
        return tuple(self._prepared(x, number) for number, x in enumerate(raw))

    def _prepared(self, x: Tensor, number: int) -> Tensor:
        entry = self._entries[number]
        if entry.value.type.dtype.is_floating:
            x = self._processed(x, number, entry.preprocess)
        return self._formatted(x, entry)

    def _processed(self, x: Tensor, number: int, rule: Preprocess | None) -> Tensor:
        """The rule of an input, in the order and rounding of `netspec.verify.preprocess`."""
        is_bytes = x.dtype == torch.uint8
        x = x.to(torch.float32)
        if rule is None:
            return x * BYTE_SCALE if is_bytes else x
        if rule.resize is not None:
            for axis, length in ((2, rule.resize[0]), (3, rule.resize[1])):
                x = self._interpolated(x, axis, length)
        if rule.scale is not None:
            x = x * rule.scale
        if rule.mean is not None:
            x = x - self._by_channel(rule.mean, x, number, "mean")
        if rule.std is not None:
            x = x / self._by_channel(rule.std, x, number, "std")
        return x

    def _formatted(self, x: Tensor, entry: GraphInput) -> Tensor:
        dtype = getattr(torch, entry.value.type.dtype)
        if not (self._channels_last and x.ndim == 4):
            return x.to(dtype)
        x = x.to(dtype, memory_format=torch.channels_last)
        # One channel lies as in either format: its stride is what tells the kernels which is meant.
        channels, height, width = x.shape[1:]
        return x.as_strided(x.shape, (channels * height * width, 1, channels * width, channels))

    def _by_channel(self, values: tuple[float, ...], x: Tensor, number: int, what: str) -> Tensor:
        key = (number, what, str(x.device))
        if key in self._constants:
            return self._constants[key]
        made = torch.tensor(values, dtype=torch.float32, device=x.device).reshape(-1, *[1] * (x.ndim - 2))
        if not torch.compiler.is_compiling():
            self._constants[key] = made
        return made

    def _interpolated(self, x: Tensor, axis: int, length: int) -> Tensor:
        have = x.shape[axis]
        if have == length:
            return x
        left, right, share = self._table(have, length, x.device)
        low = x.index_select(axis, left)
        # Each step rounds by itself, as in numpy; in place, since these are the largest tensors of a batch.
        high = x.index_select(axis, right).sub_(low)
        return high.mul_(share[:, None] if axis == 2 else share).add_(low)

    def _table(self, have: int, length: int, device: torch.device) -> Table:
        key = (have, length, str(device))
        if key in self._tables:
            return self._tables[key]
        made = _table(have, length, device)
        if not torch.compiler.is_compiling():
            self._tables[key] = made
        return made


def _table(have: int, length: int, device: torch.device) -> Table:
    at = torch.arange(length, dtype=torch.float64, device=device)
    at = ((at + 0.5) * (have / length) - 0.5).clamp(0, have - 1)
    left = at.floor().to(torch.int64)
    return Table(left, (left + 1).clamp(max=have - 1), (at - left).to(torch.float32))


def _moved(raw: tuple[Tensor, ...], augment: Augment) -> tuple[Tensor, ...]:
    """Images (N, C, H, W) mirrored at random, and cut out at random after zeros were put around them."""
    count, device = len(raw[0]), raw[0].device
    flip = torch.rand(count, device=device) < 0.5 if augment.flip else None
    shift = torch.randint(2 * augment.crop + 1, (2, count), device=device) if augment.crop else None
    return tuple(_moved_image(x, flip, shift, augment.crop) if x.ndim == 4 else x for x in raw)


def _moved_image(x: Tensor, flip: Tensor | None, shift: Tensor | None, crop: int) -> Tensor:
    """One input's images: the rows and then the columns that each one gets are gathered."""
    count, channels, height, width = x.shape
    columns = torch.arange(width, device=x.device).expand(count, width)
    if flip is not None:
        columns = torch.where(flip[:, None], width - 1 - columns, columns)
    if shift is not None:
        x = functional.pad(x, (crop, crop, crop, crop))
        rows = torch.arange(height, device=x.device) + shift[0, :, None]
        x = x.gather(2, rows[:, None, :, None].expand(count, channels, height, x.shape[3]))
        columns = columns + shift[1, :, None]
    return x.gather(3, columns[:, None, None, :].expand(count, channels, height, width))
