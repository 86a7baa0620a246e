"""Conv, the pools and what undoes them, from their definitions in the standard.

Conv in onnx.reference is slow; here windows are gathered in slices and multiplied as matrices. AveragePool
and MaxPool there are wrong with ceil_mode in some shapes, GlobalMaxPool of other tensors than images;
ScatterElements takes its elements one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Array = NDArray[Any]
Slices = tuple[slice, ...]

GATHERED_LIMIT = 2**22  # elements of a convolution's windows that are gathered at once


class _Windows:
    """The sliding windows of an operator over its spatial axes.

    `pads` are those before every axis, then those behind, as the standard orders them.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        kernel: Sequence[int],
        strides: Sequence[int] | None,
        pads: Sequence[int] | None,
        dilations: Sequence[int] | None,
        auto_pad: str | None,
        ceil_mode: int | None = 0,
    ) -> None:
        if auto_pad not in (None, "", "NOTSET", "VALID"):
            raise NotImplementedError(f"auto_pad {auto_pad} is deprecated in the standard")
        rank = len(sizes)
        self.sizes = tuple(sizes)
        self.kernel = tuple(kernel)
        self.strides = tuple(strides or [1] * rank)
        self.dilations = tuple(dilations or [1] * rank)
        ends = list(pads or [0] * 2 * rank) if auto_pad != "VALID" else [0] * 2 * rank
        self.before, self.after = tuple(ends[:rank]), tuple(ends[rank:])
        self.extents = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))
        self.counts = tuple(self._count(axis, bool(ceil_mode)) for axis in range(rank))

    def _count(self, axis: int, ceil: bool) -> int:
        stride, before = self.strides[axis], self.before[axis]
        padded = before + self.sizes[axis] + self.after[axis]
        steps = padded - self.extents[axis]
        if not ceil:
            return steps // stride + 1
        count = -(-steps // stride) + 1
        # A window that would start in the padding behind is left out.
        return count - 1 if (count - 1) * stride >= self.sizes[axis] + before else count

    def padded(self, x: Array, value: float) -> Array:
        """(N, C, *sizes) with padding of `value`, and as much more behind as the last window needs."""
        ends = [(0, 0), (0, 0)]
        for axis, size in enumerate(self.sizes):
            needed = (self.counts[axis] - 1) * self.strides[axis] + self.extents[axis]
            ends.append((self.before[axis], max(self.after[axis], needed - self.before[axis] - size)))
        return np.pad(x, ends, constant_values=value)

    def taps(self) -> Iterator[Slices]:
        """For every element of the kernel, the padded elements that it meets, in row-major order."""
        for offsets in np.ndindex(self.kernel):
            taps = (
                slice(o * d, o * d + (n - 1) * s + 1, s)
                for o, d, n, s in zip(offsets, self.dilations, self.counts, self.strides, strict=True)
            )
            yield (slice(None), slice(None), *taps)


class Conv(OpRun):
    """Convolution, (N, C, *sizes) and (M, C / group, *kernel) -> (N, M, *counts)."""

    def _run(  # type: ignore[no-untyped-def]
        self,
        x,
        w,
        b=None,
        auto_pad=None,
        dilations=None,
        group=None,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        windows = _Windows(x.shape[2:], w.shape[2:], strides, pads, dilations, auto_pad)
        groups = group or 1
        padded = windows.padded(x, 0)
        y = np.empty((len(x), len(w), *windows.counts), x.dtype)
        weights = np.split(w.reshape(len(w), -1), groups)
        for sample, planes in enumerate(padded):
            outs = np.split(y[sample], groups)
            for weight, inputs, out in zip(weights, np.split(planes, groups), outs, strict=True):
                _convolve(inputs, weight, windows, out)
        if b is not None:
            y += b.reshape(1, -1, *[1] * len(windows.sizes))
        return (y,)


def _convolve(inputs: Array, weight: Array, windows: _Windows, out: Array) -> None:
    """One sample and group, (C, *padded) and (M, C * taps) -> (M, *counts), a few rows at a time."""
    rank = len(windows.sizes)
    views = sliding_window_view(inputs, windows.extents, axis=tuple(range(1, rank + 1)))
    starts = (slice(0, (n - 1) * s + 1, s) for n, s in zip(windows.counts, windows.strides, strict=True))
    steps = (slice(None, None, d) for d in windows.dilations)
    views = views[(slice(None), *starts, *steps)]
    # (C, *counts, *kernel) -> (C, *kernel, *counts)
    views = views.transpose(0, *range(1 + rank, 1 + 2 * rank), *range(1, 1 + rank))
    taps = weight.shape[1]
    rows = max(1, GATHERED_LIMIT // (taps * int(np.prod(windows.counts[1:]))))
    for first in range(0, windows.counts[0], rows):
        part = (slice(None),) * (1 + rank) + (slice(first, first + rows),)
        gathered = views[part].reshape(taps, -1)
        out[:, first : first + rows] = (weight @ gathered).reshape(len(weight), -1, *windows.counts[1:])


class AveragePool(OpRun):
    """Mean over windows; padding counts with count_include_pad, what ceil_mode adds behind never does."""

    def _run(  # type: ignore[no-untyped-def]
        self,
        x,
        auto_pad=None,
        ceil_mode=None,
        count_include_pad=None,
        dilations=None,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        windows = _Windows(x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
        if count_include_pad:
            ends = [(0, 0), (0, 0), *zip(windows.before, windows.after, strict=True)]
            counted = np.pad(np.ones((1, 1, *windows.sizes), x.dtype), ends, constant_values=1)
            missing = [
                (0, max(0, full - have))
                for full, have in zip(windows.padded(x[:1, :1], 0).shape, counted.shape, strict=True)
            ]
            counted = np.pad(counted, missing)
        else:
            counted = windows.padded(np.ones((1, 1, *windows.sizes), x.dtype), 0)
        return (_summed(windows, windows.padded(x, 0)) / _summed(windows, counted),)


def _summed(windows: _Windows, padded: Array) -> Array:
    total = np.zeros((*padded.shape[:2], *windows.counts), padded.dtype)
    for tap in windows.taps():
        total += padded[tap]
    return total


class MaxPool(OpRun):
    """Maximum over windows, and with a second output where it stood: flat over the whole input tensor."""

    def _run(  # type: ignore[no-untyped-def]
        self,
        x,
        auto_pad=None,
        ceil_mode=None,
        dilations=None,
        kernel_shape=None,
        pads=None,
        storage_order=None,
        strides=None,
    ):
        windows = _Windows(x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
        padded = windows.padded(x, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)
        if len(self.onnx_node.output) < 2:
            y = None
            for tap in windows.taps():
                seen = padded[tap]
                y = seen.copy() if y is None else np.maximum(y, seen, out=y)
            return (y,)
        places = windows.padded(_places(x.shape, bool(storage_order)), -1)
        y = np.full((*x.shape[:2], *windows.counts), padded.min(initial=0), x.dtype)
        indices = np.full(y.shape, -1, np.int64)
        for tap in windows.taps():
            seen, place = padded[tap], places[tap]
            # The first of equals wins, a NaN over every number, and padding never.
            better = (place >= 0) & ((indices < 0) | (seen > y) | (np.isnan(seen) & ~np.isnan(y)))
            y = np.where(better, seen, y)
            indices = np.where(better, place, indices)
        return (y, indices)


def _places(shape: tuple[int, ...], column_major: bool) -> NDArray[np.int64]:
    """The flat index of every element; column-major storage turns each sample's planes around."""
    if not column_major:
        return np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    plane = np.arange(np.prod(shape[2:]), dtype=np.int64).reshape(shape[2:][::-1]).T
    first = np.arange(shape[0] * shape[1], dtype=np.int64).reshape(shape[:2]) * plane.size
    return first.reshape(*shape[:2], *[1] * plane.ndim) + plane


class GlobalMaxPool(OpRun):
    """Maximum over all spatial axes, each of which keeps the size 1; onnx.reference keeps always two."""

    def _run(self, x):  # type: ignore[no-untyped-def]
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class ScatterElements(OpRun):
    """Elements written along one axis to where the indices say; of two for one place the last stays."""

    def _run(self, data, indices, updates, axis=None, reduction=None):  # type: ignore[no-untyped-def]
        if reduction not in (None, "", "none"):
            raise NotImplementedError(f"reduction {reduction}")
        y = data.copy()
        np.put_along_axis(y, indices, updates, axis or 0)
        return (y,)


OVERRIDES = (Conv, AveragePool, MaxPool, GlobalMaxPool, ScatterElements)
