"""How resizing is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor
from torch.nn import functional

from tests.ops.cases import Case, Sizes, Symbols
from tests.ops.drawing import chosen
from tests.ops.family import Family, Strategy

aten = torch.ops.aten

FACTORS = [0.5, 1, 1.0, 1.1, 1.15, 1.25, 1.5, 2, 2.0, 2.25, 2.3, 3, 0.75, 0.8, 1 / 3, 0.6180339887, 4, 7]
MODES = {
    1: ["nearest", "nearest-exact", "linear", "area"],
    2: ["nearest", "nearest-exact", "bilinear", "bicubic", "bilinear", "bicubic", "area"],
    3: ["nearest", "nearest-exact", "trilinear", "area"],
}
EVERY_MODE = sorted({mode for modes in MODES.values() for mode in modes})
DEFAULTS = {
    "mode": "nearest",
    "align_corners": None,
    "recompute_scale_factor": None,
    "antialias": False,
    "size": None,
    "scale_factor": None,
}


def _lengths(draw: DrawFn, spatial: int) -> Sizes:
    most = (40, 16, 6)[spatial - 1]
    return tuple(draw(st.integers(1, most)) for _ in range(spatial))


def _target(draw: DrawFn, spatial: int, lengths: Sizes, wild: bool) -> dict[str, Any]:
    """A size or a scale factor, for all axes or for each."""
    count = spatial if not wild or draw(st.integers(0, 5)) else spatial + 1
    most = (60, 24, 8)[spatial - 1]
    arguments: dict[str, Any] = {}
    which = draw(st.sampled_from(["size", "factor"]))
    if which == "size" or (wild and draw(st.integers(0, 7)) == 0):
        asked = st.integers(0 if wild else 1, most)
        arguments["size"] = draw(asked | st.lists(asked, min_size=count, max_size=count))
    if which == "factor" or (wild and draw(st.integers(0, 7)) == 0):
        large = [factor for factor in FACTORS if wild or int(min(lengths) * factor) >= 1]
        asked_factor = st.sampled_from(large)
        arguments["scale_factor"] = draw(
            asked_factor | st.lists(asked_factor, min_size=count, max_size=count)
        )
    return arguments


def _interpolation(op: str) -> Strategy:
    @st.composite
    def interpolation(draw: DrawFn, wild: bool) -> Case:
        spatial = draw(st.sampled_from([1, 2, 2, 3]))
        lengths = _lengths(draw, spatial)
        arguments = _target(draw, spatial, lengths, wild)
        mode = arguments["mode"] = draw(st.sampled_from(EVERY_MODE if wild else MODES[spatial]))
        if "linear" in mode or mode == "bicubic" or (wild and draw(st.integers(0, 5)) == 0):
            arguments["align_corners"] = draw(st.sampled_from([None, False, True]))
        if "scale_factor" in arguments or (wild and draw(st.booleans())):
            arguments["recompute_scale_factor"] = draw(st.sampled_from([None, None, False, True]))
        if op == "Resize" and (mode in ("bilinear", "bicubic") or (wild and draw(st.integers(0, 5)) == 0)):
            arguments["antialias"] = draw(st.booleans())
        batch = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        case = Case(op, chosen(draw, arguments, DEFAULTS), ((*batch, *lengths),))
        assume(wild or not _narrower(case))
        return case

    return interpolation


def _of_images(op: str) -> Strategy:
    @st.composite
    def of_images(draw: DrawFn, wild: bool) -> Case:
        lengths = _lengths(draw, 2)
        arguments = _target(draw, 2, lengths, wild)
        batch = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        case = Case(op, chosen(draw, arguments, DEFAULTS), ((*batch, *lengths),))
        assume(wild or not _narrower(case))
        return case

    return of_images


def _resized(
    x: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """As torch resizes; but for images of one column that are smoothed, which torch 2.13 fills wrongly.

    `test_figures_resizing` has these by the definition. Here the image lies on its side.
    """
    y = _by_torch(x, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
    if not (antialias and y.shape[3] == 1):
        return y
    size = size if isinstance(size, int) or size is None else size[::-1]
    factors = scale_factor[::-1] if isinstance(scale_factor, tuple | list) else scale_factor
    return _by_torch(x.mT, size, factors, mode, align_corners, recompute_scale_factor, antialias).mT


def _by_torch(
    x: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """torch.nn.functional.interpolate, and in float64 what a file says, where factors are rounded.

    A factor that comes rounded to float32 gives the size that it gives unrounded, and is not looked at where
    it is the quotient of both sizes. Nearest elements are found in float32, for float64 ones too.
    """
    if x.dtype != torch.float64:
        rest = (mode, align_corners, recompute_scale_factor, antialias)
        return functional.interpolate(x, size, scale_factor, *rest)
    lengths = x.shape[2:]
    factors: list[float | None] = [None] * len(lengths)
    if scale_factor is None:
        results: list[Any] = list(size) if isinstance(size, tuple) else [size] * len(lengths)
    else:
        listed = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * len(lengths)
        results = [int(length * _unrounded(factor)) for length, factor in zip(lengths, listed, strict=True)]
        if not (recompute_scale_factor or align_corners or mode == "area"):
            factors = [
                None if _product(length, _unrounded(factor)) == result else factor
                for length, result, factor in zip(lengths, results, listed, strict=True)
            ]
    if mode.startswith("nearest"):
        kernel = aten.upsample_nearest1d if mode == "nearest" else aten._upsample_nearest_exact1d
        for axis, (result, factor) in enumerate(zip(results, factors, strict=True), start=2):
            numbers = torch.arange(x.shape[axis], dtype=torch.float32)[None, None]
            x = x.index_select(axis, kernel(numbers, [result], factor).flatten().long())
        return x
    if factors == [None] * len(lengths):
        return functional.interpolate(x, results, None, mode, align_corners, None, antialias)
    kernel = {
        "linear": aten.upsample_linear1d,
        "bilinear": aten._upsample_bilinear2d_aa if antialias else aten.upsample_bilinear2d,
        "bicubic": aten._upsample_bicubic2d_aa if antialias else aten.upsample_bicubic2d,
        "trilinear": aten.upsample_trilinear3d,
    }[mode]
    y: Tensor = kernel(x, results, False, *factors)
    return y


def _unrounded(factor: float) -> float:
    return next((nice for nice in map(float, FACTORS) if np.float32(nice) == np.float32(factor)), factor)


def _nearest(x: Tensor, **arguments: Any) -> Tensor:
    return _resized(x, **arguments)


def _bilinear(x: Tensor, **arguments: Any) -> Tensor:
    return _resized(x, **arguments, mode="bilinear", align_corners=True)


def _openable(case: Case) -> tuple[Symbols, ...]:
    """Axes stay numbers where a file could not say what torch makes of all of their sizes."""
    mode = case.arguments.get("mode", "nearest" if case.op != "UpsamplingBilinear2d" else "bilinear")
    aligned = case.op == "UpsamplingBilinear2d" or case.arguments.get("align_corners")
    by_lengths = aligned or mode == "area" or case.arguments.get("recompute_scale_factor")
    factors = case.arguments.get("scale_factor")
    spatial = len(case.shapes[0]) - 2
    factors = factors if isinstance(factors, list) else [factors] * spatial
    names: list[str | None] = ["d0", "d1"]
    for axis, factor in enumerate(factors, start=2):
        if mode.startswith("nearest"):
            opens = factor in ((1, 2, 3, 4) if by_lengths else (0.5, 1, 1.5, 2, 3, 4))
        elif factor is None:
            opens = True
        elif by_lengths:
            opens = factor in (0.5, 0.75, 1, 1.5, 2, 2.25, 3, 1 / 3)
        else:
            opens = factor in (0.5, 0.75, 1, 1.5, 2, 2.25, 3, 4, 7)
        names.append(f"d{axis}" if opens and not case.arguments.get("antialias") else None)
    return (tuple(names),)


def _narrower(case: Case) -> bool:
    """Sizes of 0, which torch takes in the mode area; other inputs than the name says; and what no file says:
    a factor that makes another length when it is rounded, and nearest where torch is not one function."""
    arguments = case.arguments
    lengths = case.shapes[0][2:]
    if 0 in np.ravel(arguments.get("size", 1)) or (case.op.startswith("Upsampling") and len(lengths) != 2):
        return True
    if "scale_factor" not in arguments:
        return False
    factors = np.broadcast_to(arguments["scale_factor"], (len(lengths),))
    mode = arguments.get("mode", "bilinear" if case.op == "UpsamplingBilinear2d" else "nearest")
    if mode == "area":
        return any(int(n * f) == 0 for n, f in zip(lengths, factors, strict=True))
    aligned = arguments.get("align_corners") or case.op == "UpsamplingBilinear2d"
    if aligned or arguments.get("recompute_scale_factor"):
        return False
    pairs = [(n, float(f)) for n, f in zip(lengths, factors, strict=True) if _product(n, f) != int(n * f)]
    if any({int(n * np.float32(f)), int(n * float(np.float32(f)))} != {int(n * f)} for n, f in pairs):
        return True
    return mode == "nearest" and any(int(n * f) in (n, 2 * n) and _differs(n, f) for n, f in pairs)


def _product(length: int, factor: float) -> Fraction:
    return Fraction(factor).limit_denominator(1000) * length


def _differs(length: int, factor: float) -> bool:
    """Whether the factor itself gives other elements than the quotient of the lengths."""
    numbers = torch.arange(length, dtype=torch.float32)[None, None]
    results = int(length * factor)
    by_factor, by_lengths = (
        torch.ops.aten.upsample_nearest1d(numbers, [results], scale) for scale in (factor, None)
    )
    return not torch.equal(by_factor, by_lengths)


FAMILY = Family(
    strategies={
        "Upsample": _interpolation("Upsample"),
        "Resize": _interpolation("Resize"),
        "UpsamplingNearest2d": _of_images("UpsamplingNearest2d"),
        "UpsamplingBilinear2d": _of_images("UpsamplingBilinear2d"),
    },
    functions={
        "Upsample": _resized,
        "Resize": _resized,
        "UpsamplingNearest2d": _nearest,
        "UpsamplingBilinear2d": _bilinear,
    },
    signatures={
        "Resize": (
            functional.interpolate,
            {
                "size": None,
                "scale_factor": None,
                "mode": "nearest",
                "align_corners": None,
                "recompute_scale_factor": None,
                "antialias": False,
            },
        )
    },
    openable=_openable,
    narrower=_narrower,
)
