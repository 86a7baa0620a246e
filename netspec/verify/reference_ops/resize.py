"""Resize, from its definition in the standard: onnx.reference rounds coordinates to float32 on the way.

Every axis is resized alone, by a matrix of weights. Coordinates are exact: lengths and scales are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Array = NDArray[Any]

HALF = Fraction(1, 2)
NEAREST = {
    "round_prefer_floor": lambda place: math.ceil(place - HALF),
    "round_prefer_ceil": lambda place: math.floor(place + HALF),
    "floor": math.floor,
    "ceil": math.ceil,
}


class Resize(OpRun):
    """Resampling of some axes by nearest elements, or by linear or cubic interpolation."""

    def _run(  # type: ignore[no-untyped-def]
        self,
        x,
        roi=None,
        scales=None,
        sizes=None,
        antialias=None,
        axes=None,
        coordinate_transformation_mode=None,
        cubic_coeff_a=None,
        exclude_outside=None,
        extrapolation_value=None,
        keep_aspect_ratio_policy=None,
        mode=None,
        nearest_mode=None,
    ):
        if antialias or exclude_outside or keep_aspect_ratio_policy not in (None, "", "stretch"):
            raise NotImplementedError("antialias, exclude_outside and kept aspect ratios")
        y = x
        for position, axis in enumerate(range(x.ndim) if axes is None else axes):
            length = x.shape[axis]
            if sizes is not None and len(sizes):
                result = int(sizes[position])
                scale = Fraction(result, length)
            else:
                scale = Fraction(float(scales[position]))
                result = math.floor(length * scale)
            if scale == 1:
                continue
            places = [_place(i, length, result, scale, coordinate_transformation_mode) for i in range(result)]
            if mode in (None, "", "nearest"):
                pick = NEAREST[nearest_mode or "round_prefer_floor"]
                taken = [min(max(pick(place), 0), length - 1) for place in places]
                y = y.take(taken, axis=axis)
                continue
            a = None if mode == "linear" else float(-0.75 if cubic_coeff_a is None else cubic_coeff_a)
            weights = _weights(places, length, a).astype(x.dtype)
            y = np.moveaxis(np.moveaxis(y, axis, -1) @ weights.T, -1, axis)
        return (y,)


def _place(i: int, length: int, result: int, scale: Fraction, transformation: str | None) -> Fraction:
    """Where the result with the number `i` stands among the elements."""
    match transformation or "half_pixel":
        case "half_pixel":
            return (i + HALF) / scale - HALF
        case "pytorch_half_pixel":
            return (i + HALF) / scale - HALF if result > 1 else Fraction(0)
        case "align_corners":
            return Fraction(i * (length - 1), result - 1) if result > 1 else Fraction(0)
        case "asymmetric":
            return i / scale
        case other:
            raise NotImplementedError(f"coordinate_transformation_mode {other}")


def _weights(places: Sequence[Fraction], length: int, a: float | None) -> Array:
    """The weights (results, elements) of two neighbours, or with a coefficient of a cubic's four; elements
    beyond an end are the end itself."""
    weights = np.zeros((len(places), length))
    for row, place in zip(weights, places, strict=True):
        first = math.floor(place)
        t = float(place - first)
        taps = [(0, 1 - t), (1, t)] if a is None else list(zip(range(-1, 3), _cubic(t, a), strict=True))
        for step, weight in taps:
            row[min(max(first + step, 0), length - 1)] += weight
    return weights


def _cubic(t: float, a: float) -> list[float]:
    """The cubic convolution's weights of the elements at -1, 0, 1 and 2, t being how far behind 0 one is."""
    return [
        a * t**3 - 2 * a * t**2 + a * t,
        (a + 2) * t**3 - (a + 3) * t**2 + 1,
        -(a + 2) * t**3 + (2 * a + 3) * t**2 - a * t,
        -a * t**3 + a * t**2,
    ]


OVERRIDES = (Resize,)
