"""What the layers make of one image: some of their maps, from the first layers to the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netspec.ir.graph import Graph, Node
from netspec.train.evaluating import evaluating
from netspec.train.pictures.figure import bare, caption, drawn, nothing, short, thinned

LAYERS, MAPS = 6, 8  # that are shown
SIDE = 256  # pixels of a map that are shown
TILE, LINE = 0.78, 0.24  # inches of a map, and of the line above it
LEGIBLE = 8  # pixels on a side of maps that are preferred, where enough layers have them
PLAIN = ("BatchNorm2d", "Dropout", "Dropout2d", "Identity")
"""Layers whose maps look like those that they get."""


def features(module: nn.Module, graph: Graph, inputs: Sequence[Tensor], path: Path) -> None:
    """Draw up to eight maps of up to six layers that give images, evenly spread, for the first of `inputs`.

    `inputs` (N, ...) are as the network takes them, one for each of its inputs. Each map is on its own scale.

    Errors: NS495 without matplotlib, NS496 where no layer gives images, NS511 where the system refuses.
    """
    seen = [entry for entry in _seen(module, graph, inputs) if min(entry.size[1:]) > 1]
    if not seen:
        raise nothing(path, "no layer gives images")
    legible = [entry for entry in seen if min(entry.size[1:]) >= LEGIBLE]
    layers = legible if len(legible) >= LAYERS else seen
    rows = [*_images(graph, inputs), *(layers[place] for place in thinned(len(layers), LAYERS))]
    height = TILE + LINE
    with drawn(path, TILE * MAPS, height * len(rows)) as figure:
        figure.set_layout_engine("none")  # it would make room for long names beside the first maps
        top = 1 - LINE / (height * len(rows))
        grid = {
            "left": 0.01,
            "right": 0.99,
            "bottom": 0.01,
            "top": top,
            "wspace": 0.06,
            "hspace": LINE / TILE,
        }
        panels = figure.subplots(len(rows), MAPS, squeeze=False, gridspec_kw=grid)
        for row, places in zip(rows, panels, strict=True):
            for axes in places:
                bare(axes)
            for axes, picture in zip(places, row.pictures, strict=False):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            caption(places[0], f"{short(row.name, 60)}: {' x '.join(map(str, row.size))}")


class _Row(NamedTuple):
    """Maps of a layer or an input, as images from 0 to 1; `size` is (C, H, W) of all of them."""

    name: str
    size: tuple[int, ...]
    pictures: Sequence[NDArray[np.float32]]


def _images(graph: Graph, inputs: Sequence[Tensor]) -> Iterator[_Row]:
    """The inputs that are images, in colour where they have three channels."""
    for entry, tensor in zip(graph.inputs, inputs, strict=True):
        if tensor.ndim == 4 and tensor.is_floating_point():
            maps = _cut(tensor)
            coloured = [_scaled(maps).transpose(1, 2, 0)] if len(maps) == 3 else _pictures(maps)
            yield _Row(entry.name, tuple(tensor.shape[1:]), coloured)


def _gives_images(node: Node) -> bool:
    given = node.output.type
    is_image = given.shape is not None and given.rank == 4 and given.dtype.is_floating
    return is_image and type(node.op).__name__ not in PLAIN


def _seen(module: nn.Module, graph: Graph, inputs: Sequence[Tensor]) -> list[_Row]:
    """What every layer that gives images makes of the first example."""
    # Layers that share a module call it in the order of the graph.
    calls: dict[str, list[Node]] = {}
    for node in graph:
        calls.setdefault(node.owner, []).append(node)
    rows: dict[str, _Row] = {}

    def keep(nodes: Sequence[Node]) -> Any:
        left = iter(nodes)

        def hook(_: nn.Module, __: Any, result: Any) -> None:
            node = next(left)
            if _gives_images(node):
                maps = result[0] if isinstance(result, tuple) else result
                rows[node.name] = _Row(node.name, tuple(maps.shape[1:]), _pictures(_cut(maps)))

        return hook

    device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))
    with ExitStack() as hooks, evaluating(module, device):
        for owner, nodes in calls.items():
            if any(map(_gives_images, nodes)):
                handle = module.get_submodule(owner).register_forward_hook(keep(nodes))
                hooks.callback(handle.remove)
        module(*(tensor.to(device) for tensor in inputs))
    return [rows[node.name] for node in graph if node.name in rows]


def _cut(maps: Tensor) -> NDArray[np.float32]:
    """The first eight maps (C, H, W) of the first example of (N, C, H, W), thinned for a picture."""
    rows, columns = (torch.from_numpy(thinned(length, SIDE)) for length in maps.shape[2:])
    shown = maps[0, :MAPS].detach().float().cpu()
    return shown[:, rows][:, :, columns].numpy()


def _pictures(maps: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [_scaled(channel) for channel in maps]


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """From 0 to 1; all 0 where they are all one number, as behind a ReLU that lets nothing through."""
    finite = np.where(np.isfinite(values), values, np.float32(0))
    low, high = finite.min(), finite.max()
    # Halved, since float32 does not hold every difference of two.
    return (finite / 2 - low / 2) / (high / 2 - low / 2) if high > low else np.zeros_like(finite)
