"""How far two results may lie apart, and whether they say anything at all.

No comparison here is true of a NaN: masks of NaN and infinities are compared first, and every error is
taken over elements that are finite on all sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netspec.ir.tensor import DType

Array = NDArray[Any]
Mask = NDArray[np.bool_]

SEMANTIC_BOUND = 1e-9
FAINT = 0.01  # of the typical sample's largest value; fainter ones are judged as if they had it
ROUNDING_FACTOR = 8  # an engine may be this many times worse than PyTorch in float32
VARIATION_BOUND = 1e-5
MEAN_TERMS = 16
"""onnxruntime sums a plane one element after the other: over n equal elements, as planes are behind an input
of zeros or ones, every step rounds alike, and the mean is off by up to n / 16 unit roundoffs (48.8 over
28 x 28, 194 over 56 x 56). torch sums pairwise and is not."""

UNIT_ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}


def is_integer(array: Array) -> bool:
    """Whether an output is compared exactly: indices, counts, truth values."""
    return array.dtype.kind in "iub"


def same_masks(a: Array, b: Array) -> bool:
    """Whether NaN, +inf and -inf stand at the same places."""
    return bool(
        np.array_equal(np.isnan(a), np.isnan(b))
        and np.array_equal(np.isposinf(a), np.isposinf(b))
        and np.array_equal(np.isneginf(a), np.isneginf(b))
    )


def largest(array: Array, where: Mask) -> float:
    """max|array| over the elements of a mask; 0 where it is empty."""
    return float(np.max(np.abs(array), initial=0.0, where=where))


@dataclass(frozen=True, slots=True)
class Rounding:
    """Errors of one output on one case against float64: an engine's, torch's in float32; and max|y|."""

    error: float
    torch_error: float
    scale: float


def rounding(got: Array, torch32: Array, exact: Array) -> Rounding:
    """max|got - exact|, max|torch32 - exact| and max|exact| over (N, ...), where all three are finite."""
    finite = np.isfinite(got) & np.isfinite(torch32) & np.isfinite(exact)
    return Rounding(
        error=largest(_difference(got, exact, finite), finite),
        torch_error=largest(_difference(torch32, exact, finite), finite),
        scale=largest(exact, finite),
    )


def rounding_bound(alike: Sequence[Rounding], allowance: float) -> float:
    """8 max(max|torch32 - y|, allowance max|y|) over cases whose inputs are of one magnitude.

    Over the few elements of one case torch is now and then exact by luck, and a sum that cancels leaves no
    |y| to measure by: on batches of one, 1 in 20 correct networks of small outputs would fail.
    """
    torch_error = max((case.torch_error for case in alike), default=0.0)
    scale = max((case.scale for case in alike), default=0.0)
    return ROUNDING_FACTOR * max(torch_error, allowance * scale)


def allowance(dtype: DType, units: float) -> float:
    """The part of max|y| that an engine may be off by whatever torch's own error is, over the factor of 8."""
    granted = units * UNIT_ROUNDOFF.get(str(dtype), 0)
    # In float64 the oracle is no more exact than the engine.
    return max(granted, SEMANTIC_BOUND / ROUNDING_FACTOR) if dtype is DType.FLOAT64 else granted


def scaled_error(got: Array, exact: Array, typical: float = 0.0) -> float:
    """max|got - exact| / max|exact| over one sample; infinite where only `exact` vanishes.

    `typical` is max|exact| of other samples: one that is faint beside them may be nothing but what rounding
    leaves of terms that cancel, as a normalisation makes it of a constant.
    """
    finite = np.isfinite(got) & np.isfinite(exact)
    error = largest(_difference(got, exact, finite), finite)
    scale = max(largest(exact, finite), FAINT * typical)
    if error == 0:
        return 0.0
    return error / scale if scale > 0 else float("inf")


def scaled_errors(got: Array, exact: Array, *, each: bool, typical: float = 0.0) -> float:
    """The largest `scaled_error`, of the samples along the first axis if `each`, else of the whole."""
    pairs = zip(got, exact, strict=True) if each else [(got, exact)]
    return max((scaled_error(ours, theirs, typical) for ours, theirs in pairs), default=0.0)


def _difference(a: Array, b: Array, where: Mask) -> NDArray[np.float64]:
    out = np.zeros(a.shape, np.float64)
    np.subtract(a, b, out=out, where=where, dtype=np.float64, casting="unsafe")
    return out


def variation(samples: Sequence[Array]) -> float:
    """How much outputs differ between samples: the largest spread of one element over max|y|.

    0 where all vanish; NaN where no element is finite in every sample. Samples of unequal shapes are
    compared within each shape.
    """
    spread = scale = 0.0
    compared = False
    for group in _by_shape(samples):
        stack = np.stack([sample.astype(np.float64) for sample in group])
        finite = np.isfinite(stack).all(axis=0)
        compared = compared or bool(finite.any())
        high = np.max(stack, axis=0)[finite]
        low = np.min(stack, axis=0)[finite]
        spread = max(spread, float(np.max(high - low, initial=0.0)))
        scale = max(scale, float(np.max(np.abs(stack[:, finite]), initial=0.0)))
    if not compared:
        return float("nan")
    return spread / scale if scale > 0 else 0.0


def _by_shape(samples: Sequence[Array]) -> Iterator[list[Array]]:
    groups: dict[tuple[int, ...], list[Array]] = {}
    for sample in samples:
        groups.setdefault(sample.shape, []).append(sample)
    yield from groups.values()
