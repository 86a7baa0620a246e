"""Resizing in torch where torch.nn's own modules do not do: sizes by symbols, antialias, and exact scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

aten = torch.ops.aten


class Resize(nn.Module):
    """torch.nn.functional.interpolate; the forward gets the `size` where the module has none.

    `operation` is the name under which it is printed.
    """

    def __init__(
        self,
        operation: str,
        size: int | tuple[int, ...] | None,
        scale_factor: float | tuple[float, ...] | None,
        mode: str,
        align_corners: bool | None,
        recompute_scale_factor: bool | None,
        antialias: bool,
    ) -> None:
        super().__init__()
        self.operation = operation
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor
        self.antialias = antialias

    def forward(self, x: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        given = self.size if size is None else size
        resized = self._resized(x, given, self.scale_factor)
        if self.antialias and resized.shape[3] == 1:
            # torch 2.13 writes a smoothed column of several rows to the wrong places, and a row to the right.
            resized = self._resized(x.mT, _turned(given), _turned(self.scale_factor)).mT
        return resized

    def _resized(
        self, x: Tensor, size: int | tuple[int, ...] | None, scale_factor: float | tuple[float, ...] | None
    ) -> Tensor:
        return functional.interpolate(
            x,
            size,
            scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
            self.antialias,
        )

    def _get_name(self) -> str:
        return self.operation

    def extra_repr(self) -> str:
        names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names if getattr(self, name) is not None)


T = TypeVar("T")


def _turned(values: T | tuple[T, ...] | None) -> T | tuple[T, ...] | None:
    """What is said of height and width, for an image on its side."""
    return values[::-1] if isinstance(values, tuple) else values


def interpolated(
    x: Tensor,
    sizes: Sequence[int],
    factors: Sequence[float | None],
    mode: str,
    align_corners: bool,
    antialias: bool,
) -> Tensor:
    """(N, C, *) -> (N, C, *sizes), by torch's own kernels, the factors of the coordinates being given apart.

    `functional.interpolate` takes either sizes or factors. Which elements are nearest is found in float32,
    whatever the elements are: in float64 torch itself takes others now and then.
    """
    spatial = len(sizes)
    if mode == "area":
        return getattr(functional, f"adaptive_avg_pool{spatial}d")(x, tuple(sizes))  # type: ignore[no-any-return]
    if mode.startswith("nearest"):
        for axis, (size, factor) in enumerate(zip(sizes, factors, strict=True), start=2):
            numbers = torch.arange(x.shape[axis], dtype=torch.float32)[None, None]
            kernel = aten.upsample_nearest1d if mode == "nearest" else aten._upsample_nearest_exact1d
            x = x.index_select(axis, kernel(numbers, [size], factor)[0, 0].long())
        return x
    if antialias:
        kernel = {"bilinear": aten._upsample_bilinear2d_aa, "bicubic": aten._upsample_bicubic2d_aa}[mode]
        if sizes[1] == 1:  # as in Resize above
            column: Tensor = kernel(x.mT, list(sizes[::-1]), align_corners, *factors[::-1])
            return column.mT
        kernels = {mode: kernel}
    else:
        kernels = {
            "linear": aten.upsample_linear1d,
            "bilinear": aten.upsample_bilinear2d,
            "bicubic": aten.upsample_bicubic2d,
            "trilinear": aten.upsample_trilinear3d,
        }
    resized: Tensor = kernels[mode](x, list(sizes), align_corners, *factors)
    return resized
