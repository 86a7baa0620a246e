"""The arithmetic of resizing one axis: its length, and which of its elements nearest neighbours are.

PyTorch multiplies by the inverse of the scale in float32, the ONNX standard divides by the scale; where they
round to different elements, no file can be written that an engine must read as PyTorch does.
"""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import NamedTuple

from netspec.ir.dim import Dim, DimError, Size

_FLOAT32 = struct.Struct("<f")
LONGEST = 2**14  # elements up to which the two are compared where a length is symbolic


class Span(NamedTuple):
    """How one axis is resized, from `length` to `result` elements.

    Coordinates are computed with `factor`, as it was written, or where it is None with both lengths.
    """

    axis: int
    length: Size
    result: Size
    factor: float | None

    @property
    def scale(self) -> float | None:
        """The factor, or the quotient of the lengths where it is one and the same number for all of them."""
        if self.factor is not None:
            return self.factor
        if isinstance(self.length, int) and isinstance(self.result, int):
            return self.result / self.length
        for larger, smaller, power in ((self.result, self.length, 1), (self.length, self.result, -1)):
            if isinstance(larger, Dim) and isinstance(smaller, Dim):
                try:
                    quotient = larger // smaller
                except DimError:
                    continue
                if isinstance(quotient, int) and quotient > 0:
                    return float(quotient) if power > 0 else 1 / quotient
        return None

    @property
    def exact_scale(self) -> float | None:
        """The scale, if float32 holds it and the result is the length times it without a remainder."""
        scale = self.scale
        if scale is None or single(scale) != scale:
            return None
        numerator, denominator = scale.as_integer_ratio()
        return scale if self.length * numerator == self.result * denominator else None


def single(number: float) -> float:
    """A number rounded to float32."""
    rounded: float = _FLOAT32.unpack(_FLOAT32.pack(number))[0]
    return rounded


def as_fraction(number: float) -> tuple[int, int]:
    """The simplest fraction that `number` is the nearest double of: 2.3 is 23/10."""
    numerator, denominator = number.as_integer_ratio()
    before, here = (0, 1), (1, 0)
    while denominator:
        whole, rest = divmod(numerator, denominator)
        before, here = here, (whole * here[0] + before[0], whole * here[1] + before[1])
        if here[0] / here[1] == number:
            break
        numerator, denominator = denominator, rest
    return here


def scaled(size: Size, factor: float) -> Size:
    """The length that a scale factor gives: the floor of the product, which torch computes in doubles."""
    if isinstance(size, int):
        return int(size * factor)
    numerator, denominator = as_fraction(factor)
    return size * numerator // denominator


def is_whole(size: Size, factor: float) -> bool:
    """Whether a length is the product itself, nothing being cut off: both lengths then tell the scale.

    Of a symbolic size only where a file could not hold the factor as well.
    """
    numerator, denominator = as_fraction(factor)
    if isinstance(size, Dim) and denominator > 1 and single(factor) == factor:
        return False
    return size * numerator == scaled(size, factor) * denominator


def lengths_in_file(size: int, factor: float) -> set[int]:
    """The lengths that engines may make of a factor in a file, where it is rounded to float32."""
    rounded = single(factor)
    return {int(size * rounded), int(single(size * rounded))}


def scales_every_size(factor: float) -> bool:
    """Whether the floor of the product in doubles is that of the fraction for every size.

    A double slightly below the fraction gives less than a whole product; it is rounded up to it for sure
    where the double is not more than half of a unit in the last place too small.
    """
    numerator, denominator = as_fraction(factor)
    own, over = factor.as_integer_ratio()
    missing = numerator * over - own * denominator
    return missing * 2**54 <= numerator * over


def taken_by_torch(length: int, result: int, factor: float | None, *, centred: bool) -> list[int]:
    """The element that nearest (`centred`: nearest-exact) takes for each of the results, in torch."""
    inverse = single(length / result) if factor is None else single(1 / factor)
    half = 0.5 if centred else 0.0
    return [min(math.floor(single((i + half) * inverse)), length - 1) for i in range(result)]


def torch_disagrees(length: int, result: int, factor: float) -> bool:
    """Whether nearest is not one function in torch: as many results as elements, or twice as many, are an
    exception in one of its kernels, and which of them runs depends on the size and the layout in memory."""
    if result not in (length, 2 * length):
        return False
    return taken_by_torch(length, result, None, centred=False) != taken_by_torch(
        length, result, factor, centred=False
    )


def taken_by_standard(length: int, result: int, scale: float, *, centred: bool) -> list[int]:
    """The same by the ONNX standard, computed in float32."""
    return [min(_standard(i, single(scale), centred), length - 1) for i in range(result)]


def _standard(i: int, scale: float, centred: bool) -> int:
    if not centred:
        return math.floor(single(i / scale))
    return math.floor(single(single(single((i + 0.5) / scale) - 0.5) + 0.5))


def taken_exactly(length: int, result: int, scale: tuple[int, int], *, centred: bool) -> list[int]:
    """The same without any rounding, the scale being a fraction."""
    return [min(_exactly(i, scale, centred), length - 1) for i in range(result)]


def _exactly(i: int, scale: tuple[int, int], centred: bool) -> int:
    numerator, denominator = scale
    return ((2 * i + 1) * denominator) // (2 * numerator) if centred else i * denominator // numerator


@cache
def takes_alike(scale: float, *, centred: bool) -> bool:
    """Whether all three take the same elements of an axis of any length, for this scale."""
    if math.frexp(scale)[0] == 0.5:  # a power of two: nothing is ever rounded
        return True
    fraction = numerator, denominator = as_fraction(scale)
    inverse, half = single(1 / scale), 0.5 if centred else 0.0
    unit = 2 * numerator if centred else numerator
    for i in range(LONGEST):
        rest = ((2 * i + 1) * denominator if centred else i * denominator) % unit
        if min(rest, unit - rest) * 512 > unit:
            continue  # too far from the next element for any rounding
        element = _exactly(i, fraction, centred)
        if not element == math.floor(single((i + half) * inverse)) == _standard(i, single(scale), centred):
            return False
    excess = scale - math.floor(scale)  # of longer axes the results are neither as many nor twice as many
    small = range(1, min(math.ceil(1 / excess), LONGEST) if excess and not centred else 1)
    return not any(torch_disagrees(length, int(length * scale), scale) for length in small)
