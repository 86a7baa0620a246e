"""What the first convolution looks for: its kernels as images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from netspec.ir.graph import Graph, Node
from netspec.train.pictures.figure import bare, caption, drawn, mosaic, nothing, short, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
FILTERS, CHANNELS = 64, 16  # that are shown
COLUMNS = range(8, 17)
SIDE = 64  # pixels of a kernel that are shown
ACROSS = 7.0  # inches
TILE = (0.28, 0.8)  # inches of a kernel, at the least and at the most


def kernels(module: nn.Module, graph: Graph, path: Path) -> None:
    """Draw the first 64 filters of the first convolution, in the order of the spec.

    Filters of one channel are grey images, all on one scale around zero; those of three are in colour,
    each on its own scale. Of others each filter is a column with a row for each input channel.

    Errors: NS495 without matplotlib, NS496 without a convolution, NS511 where the system refuses.
    """
    node = next((node for node in graph if type(node.op).__name__ in CONVOLUTIONS), None)
    if node is None:
        raise nothing(path, "the network has no convolution")
    weight = _weight(module, node)
    filters, channels = weight.shape[:2]
    weight = _cut(weight[:FILTERS])
    if not np.isfinite(weight).all():
        raise nothing(path, "the first convolution has weights that are not finite")
    in_colour = channels == 3 and type(node.op).__name__ == "Conv2d"
    if in_colour or channels == 1:
        tiles = _grid(_coloured(weight) if in_colour else weight[:, 0])
        shown = _of(filters, FILTERS, "kernel")
    else:
        tiles = weight[:, :CHANNELS].swapaxes(0, 1)
        shown = f"{_of(filters, FILTERS, 'filter')} across, {_of(channels, CHANNELS, 'input channel')} down"
    rows, columns, height, width = tiles.shape[:4]
    tile = min(TILE[1], max(TILE[0], ACROSS / columns))
    with drawn(
        path, columns * tile + (0.2 if in_colour else 0.8), rows * tile * height / width + 0.4
    ) as figure:
        axes = figure.subplots()
        scale = float(np.abs(weight).max()) or 1.0
        _image(axes, tiles, scale, in_colour=in_colour)
        caption(axes, f"{short(node.name, 40)}: {shown}, {_size(node)}")


def _weight(module: nn.Module, node: Node) -> NDArray[np.float32]:
    found = module.get_submodule(node.owner).weight
    assert isinstance(found, Tensor)
    return found.detach().float().cpu().numpy()


def _size(node: Node) -> str:
    kernel = getattr(node.op, "kernel_size")  # noqa: B009 - every convolution has one, but not every Op
    return " x ".join(map(str, kernel)) if isinstance(kernel, tuple) else str(kernel)


def _cut(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """(O, I, h, w) of kernels of any rank: a length is made a band, a volume its slices side by side."""
    kernel = weight.shape[2:]
    if len(kernel) == 1:
        weight = weight[:, :, None].repeat(max(1, kernel[0] // 4), axis=2)
    elif len(kernel) == 3:
        weight = weight.transpose(0, 1, 3, 2, 4).reshape(*weight.shape[:2], kernel[1], -1)
    rows, columns = (thinned(length, SIDE) for length in weight.shape[2:])
    return weight[:, :, rows][..., columns]


def _coloured(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """(O, 3, h, w) as (O, h, w, 3) from 0 to 1, grey where the weight is 0."""
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    part = np.divide(weight, 2 * largest, out=np.zeros_like(weight), where=largest > 0)
    coloured: NDArray[np.float32] = (0.5 + part).transpose(0, 2, 3, 1)
    return coloured


def _grid(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, ...) as (rows, columns, ...), in full rows where that can be; NaN where the last one ends."""
    count = len(tiles)
    columns = count if count <= 8 else min(COLUMNS, key=lambda columns: (-count % columns, -columns))
    rows = -(-count // columns)
    filled = np.full((rows * columns, *tiles.shape[1:]), np.nan, np.float32)
    filled[:count] = tiles
    return filled.reshape(rows, columns, *tiles.shape[1:])


def _image(axes: Axes, tiles: NDArray[np.float32], scale: float, *, in_colour: bool) -> None:
    side = max(tiles.shape[2:4])
    enlarged = max(1, 24 // side)  # so that the gaps are thin beside a pixel of a kernel
    tiles = tiles.repeat(enlarged, axis=2).repeat(enlarged, axis=3)
    image = mosaic(tiles, max(1, enlarged * side // 12))
    if in_colour:
        axes.imshow(np.nan_to_num(image, nan=1.0), interpolation="nearest")
    else:
        shown = axes.imshow(image, cmap="gray", vmin=-scale, vmax=scale, interpolation="nearest")
        assert axes.figure is not None
        bar = axes.figure.colorbar(
            shown, ax=axes, pad=0.02, fraction=0.02, aspect=25, ticks=[-scale, 0, scale]
        )
        bar.ax.set_yticklabels([f"{-scale:.2g}", "0", f"{scale:.2g}"])
        bar.outline.set_linewidth(0.4)
    bare(axes)


def _of(count: int, limit: int, thing: str) -> str:
    """`6 filters`, `64 of 2,048 filters`."""
    things = thing if count == 1 else f"{thing}s"
    return f"{count} {things}" if count <= limit else f"{limit} of {count:,} {things}"
