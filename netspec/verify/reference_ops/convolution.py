"""ConvTranspose and Col2Im, from their definitions in the standard.

onnx.reference fails at a ConvTranspose with groups, and its Col2Im visits element after element.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

Index = tuple[Any, ...]


class ConvTranspose(OpRun):
    """Transposed convolution, (N, C, *sizes) and (C, M / group, *kernel) -> (N, M, *counts).

    Every element of the input adds the kernel, times itself, to the output from `stride` times its position
    on; `pads` then takes elements away, and `output_padding` adds some behind.
    """

    def _run(  # type: ignore[no-untyped-def]
        self,
        x,
        w,
        b=None,
        auto_pad=None,
        dilations=None,
        group=None,
        kernel_shape=None,
        output_padding=None,
        output_shape=None,
        pads=None,
        strides=None,
    ):
        if output_shape or auto_pad not in (None, "", "NOTSET"):
            raise NotImplementedError("ConvTranspose by output_shape or auto_pad")
        spatial = x.ndim - 2
        steps, gaps = strides or [1] * spatial, dilations or [1] * spatial
        extra, ends = output_padding or [0] * spatial, pads or [0] * 2 * spatial
        sizes, kernel = x.shape[2:], w.shape[2:]
        before, after = ends[:spatial], ends[spatial:]
        full = [
            (size - 1) * step + gap * (k - 1) + 1
            for size, step, gap, k in zip(sizes, steps, gaps, kernel, strict=True)
        ]
        groups = group or 1
        canvas = [
            max(length, length + more - end) for length, more, end in zip(full, extra, after, strict=True)
        ]
        y = np.zeros((len(x), w.shape[1] * groups, *canvas), x.dtype)
        for inputs, weight, out in zip(
            np.split(x, groups, axis=1), np.split(w, groups), np.split(y, groups, axis=1), strict=True
        ):
            for tap, places in _places(kernel, sizes, steps, gaps):
                # (N, C, *sizes) times (C, M), over the channels
                out[places] += np.moveaxis(np.tensordot(inputs, weight[tap], axes=(1, 0)), -1, 1)
        kept: Index = (
            ...,
            *(
                slice(first, length + more - last)
                for first, length, more, last in zip(before, full, extra, after, strict=True)
            ),
        )
        y = y[kept]
        return (y if b is None else y + b.reshape(1, -1, *[1] * spatial),)


class Col2Im(OpRun):
    """Blocks added up in an image, (N, C * elements of a block, L) -> (N, C, *image_shape)."""

    def _run(  # type: ignore[no-untyped-def]
        self, x, image_shape, block_shape, dilations=None, pads=None, strides=None
    ):
        spatial = len(image_shape)
        image, block = [int(size) for size in image_shape], [int(size) for size in block_shape]
        steps, gaps = strides or [1] * spatial, dilations or [1] * spatial
        ends = pads or [0] * 2 * spatial
        padded = [
            before + size + after
            for before, size, after in zip(ends[:spatial], image, ends[spatial:], strict=True)
        ]
        counts = [
            (size - gap * (k - 1) - 1) // step + 1
            for size, gap, k, step in zip(padded, gaps, block, steps, strict=True)
        ]
        blocks = x.reshape(len(x), -1, *block, *counts)
        y = np.zeros((*blocks.shape[:2], *padded), x.dtype)
        for (_, *offsets), places in _places(block, counts, steps, gaps):
            y[places] += blocks[(slice(None), slice(None), *offsets)]
        kept: Index = (..., *(slice(first, first + size) for first, size in zip(ends, image, strict=False)))
        return (y[kept],)


def _places(
    kernel: Sequence[int], sizes: Sequence[int], steps: Sequence[int], gaps: Sequence[int]
) -> Iterator[tuple[Index, Index]]:
    """Every element of the kernel, and where in the output the input's elements put it."""
    for offsets in np.ndindex(*kernel):
        places = (
            slice(offset * gap, offset * gap + (size - 1) * step + 1, step)
            for offset, gap, size, step in zip(offsets, gaps, sizes, steps, strict=True)
        )
        yield (..., *offsets), (..., *places)


OVERRIDES = (ConvTranspose, Col2Im)
