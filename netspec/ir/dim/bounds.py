"""The values that a symbolic dimension may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm

from netspec.ir.dim.arithmetic import Dim

LARGEST_SIZE = 2**63 - 1  # ONNX and torch count elements in signed 64-bit integers


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the spec says of a symbolic dimension, and the lower bound that its layers need."""

    min: int = 1
    max: int | None = None
    multiple_of: int = 1
    inferred_min: int = 1

    @property
    def least(self) -> int:
        """The smallest admissible value."""
        return -(-max(self.min, self.inferred_min) // self.multiple_of) * self.multiple_of

    @property
    def greatest(self) -> int | None:
        """The largest admissible value, or None where there is no limit."""
        return None if self.max is None else self.max // self.multiple_of * self.multiple_of

    def admits(self, size: int) -> bool:
        """Whether the dimension may be of this size."""
        greatest = self.greatest
        return self.least <= size and size % self.multiple_of == 0 and (greatest is None or size <= greatest)


@dataclass(frozen=True, slots=True)
class Domain:
    """An arithmetic progression of admissible values: `first`, `first + step`, … up to `last`, if it ends."""

    first: int
    step: int
    last: int | None

    @property
    def count(self) -> int | None:
        """How many values there are; None where they do not end."""
        return None if self.last is None else (self.last - self.first) // self.step + 1

    def at_most(self, count: int) -> int:
        """`count`, or the number of values where there are fewer."""
        return count if self.count is None else min(count, self.count)

    def head(self, count: int) -> range:
        """The first `count` values, or all where there are fewer."""
        return range(self.first, self.first + self.at_most(count) * self.step, self.step)

    def tail(self, count: int) -> range:
        """The last `count` values of a domain that ends, or all where there are fewer."""
        assert self.last is not None
        return range(self.last - (self.at_most(count) - 1) * self.step, self.last + 1, self.step)

    def admits_multiple(self, of: int) -> bool:
        """Whether some value is a multiple of `of`, itself a multiple of `step`."""
        return self.last is None or self.last // of * of >= self.first


def domains(dim: Dim, bounds: Mapping[str, Bounds]) -> dict[str, Domain]:
    """The admissible values of each symbol of `dim`, in the order of their names.

    A symbol without bounds has the default ones. Contradictory bounds are reported where they are written;
    here they leave the least value.
    """
    found: dict[str, Domain] = {}
    for name, multiple in sorted(dim.multiples.items()):
        known = bounds.get(name, _DEFAULT)
        step = lcm(known.multiple_of, multiple)
        first = -(-known.least // step) * step
        last = None if known.greatest is None else max(first, known.greatest // step * step)
        found[name] = Domain(first, step, last)
    return found


_DEFAULT = Bounds()
