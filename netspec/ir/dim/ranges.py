"""The values that a symbolic size can take within the bounds of its symbols, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm

from netspec.ir.dim.arithmetic import Dim, Floor, Monomial, Terms
from netspec.ir.dim.bounds import LARGEST_SIZE, Bounds, Domain, domains

EVALUATIONS = 16_384  # of a size, at most, to decide one question about it


def periods(dim: Dim) -> dict[str, int]:
    """For each symbol a period: on every residue class modulo it, the size is a polynomial in that symbol."""
    found: dict[str, int] = {}
    for monomial in dim.terms:
        for atom in monomial:
            if isinstance(atom, Floor):
                inner = {name: atom.divisor * period for name, period in periods(atom.numerator).items()}
            else:
                inner = {atom.name: atom.multiple}
            for name, period in inner.items():
                found[name] = lcm(found.get(name, 1), period)
    return found


def degrees(dim: Dim) -> dict[str, int]:
    """For each symbol the degree of those polynomials."""
    found: dict[str, int] = {}
    for monomial in dim.terms:
        total: dict[str, int] = {}
        for atom in monomial:
            for name, degree in (
                degrees(atom.numerator).items() if isinstance(atom, Floor) else ((atom.name, 1),)
            ):
                total[name] = total.get(name, 0) + degree
        for name, degree in total.items():
            found[name] = max(found.get(name, 0), degree)
    return found


Range = tuple[int | None, int | None]
"""Least and greatest value; None on a side without an end."""


def value_range(size: int | Dim, bounds: Mapping[str, Bounds]) -> Range:
    """Lower and upper bound of a size.

    Attained where the size is a sum of parts that each depend linearly, up to floors, on one symbol with a
    period that is not too long; elsewhere the range may be wider than the values.
    """
    if isinstance(size, int):
        return size, size
    admissible = domains(size, bounds)
    parts: dict[frozenset[str], Terms] = {}
    for monomial, coefficient in size.terms.items():
        names = Dim({monomial: coefficient}, 0).symbols
        parts.setdefault(names, {})[monomial] = coefficient
    total: Range = (size.constant, size.constant)
    for terms in parts.values():
        total = _plus(total, _part_range(Dim(terms, 0), admissible))
    return total


def _part_range(part: Dim, admissible: Mapping[str, Domain]) -> Range:
    if len(part.terms) > 1 and len(part.symbols) == 1:
        line = Line.of(part, next(iter(part.symbols)), admissible)
        if line is not None:
            return line.range()
    total: Range = (0, 0)
    for monomial, coefficient in part.terms.items():
        # Atoms are never negative and never decrease, so a product is least and greatest at the ends.
        least, greatest = _ends(monomial, admissible)
        near = coefficient * least
        far = None if greatest is None else coefficient * greatest
        total = _plus(total, (near, far) if coefficient > 0 else (far, near))
    return total


def _plus(left: Range, right: Range) -> Range:
    low = None if left[0] is None or right[0] is None else left[0] + right[0]
    high = None if left[1] is None or right[1] is None else left[1] + right[1]
    return low, high


def _ends(monomial: Monomial, admissible: Mapping[str, Domain]) -> tuple[int, int | None]:
    product = Dim({monomial: 1}, 0)
    names = product.symbols
    least = product.evaluate({name: admissible[name].first for name in names})
    last: dict[str, int] = {}
    for name in names:
        end = admissible[name].last
        if end is None:
            return least, None
        last[name] = end
    return least, product.evaluate(last)


class Line:
    """A size as a function of one symbol, the others held: a straight line on every residue class.

    `rise` is what it gains over one `cycle` of values, the same on every class.
    """

    def __init__(self, dim: Dim, name: str, domain: Domain, cycle: int, others: Mapping[str, int]) -> None:
        self.dim = dim
        self.name = name
        self.domain = domain
        self.cycle = cycle
        self.values = dict(others)
        self.rise = self.at(domain.first + cycle * domain.step) - self.at(domain.first)

    @classmethod
    def of(cls, dim: Dim, name: str, admissible: Mapping[str, Domain]) -> Line | None:
        """None where the size is not linear in the symbol, or the period is too long to look at."""
        domain = admissible[name]
        cycle = lcm(periods(dim)[name], domain.step) // domain.step
        if degrees(dim)[name] > 1 or domain.at_most(cycle) > EVALUATIONS:
            return None
        others = {other: admissible[other].first for other in dim.symbols}
        return cls(dim, name, domain, cycle, others)

    def at(self, value: int) -> int:
        self.values[self.name] = value
        return self.dim.evaluate(self.values)

    def range(self) -> Range:
        """Least and greatest value."""
        head = [self.at(value) for value in self.domain.head(self.cycle)]
        if self.domain.last is None:
            return min(head) if self.rise >= 0 else None, max(head) if self.rise <= 0 else None
        both = head + [self.at(value) for value in self.domain.tail(self.cycle)]
        return min(both), max(both)

    def vanishes(self) -> bool:
        """Whether the size is zero at some admissible value."""
        for value in self.domain.head(self.cycle):
            here = self.at(value)
            turns, left = divmod(-here, self.rise) if self.rise else (0, here)
            root = value + turns * self.cycle * self.domain.step
            if left == 0 and turns >= 0 and (self.domain.last is None or root <= self.domain.last):
                return True
        return False

    def holds_from(self, at_least: int) -> int | None:
        """The value from which on the size is `at_least`, or None where there is none."""
        start = self.domain.first
        for value in self.domain.head(self.cycle):
            missing = at_least - self.at(value)
            if missing <= 0 and self.rise >= 0:
                continue
            # The last value of this class that falls short: behind it the line is high enough.
            last = self.domain.last
            span = self.cycle * self.domain.step
            if self.rise > 0:
                short = value + (-(-missing // self.rise) - 1) * span
            elif last is None:
                return None
            else:
                short = last - (last - value) % span
                if self.at(short) >= at_least:
                    continue
            start = max(start, short + self.domain.step)
        last = LARGEST_SIZE if self.domain.last is None else self.domain.last
        return start if start <= last else None


def least_value(size: Dim, at_least: int, bounds: Mapping[str, Bounds]) -> Mapping[str, int] | None:
    """What to demand of one symbol, the others at their least, for `size` to be `at_least` from there on.

    Empty where nothing need be demanded; None where no admissible value is large enough.
    """
    admissible = domains(size, bounds)
    least = {name: domain.first for name, domain in admissible.items()}
    monotone = all(coefficient > 0 for coefficient in size.terms.values())
    if monotone and size.evaluate(least) >= at_least:
        return {}
    for name, domain in admissible.items():
        if monotone:
            value = _bisect(size, at_least, name, domain, least)
        else:
            line = Line.of(size, name, admissible)
            value = line.holds_from(at_least) if line else None
        if value is not None:
            return {} if value == domain.first else {name: value}
    return None


def _bisect(size: Dim, at_least: int, name: str, domain: Domain, least: Mapping[str, int]) -> int | None:
    """The first value of a symbol at which a size that never decreases is large enough."""
    last = LARGEST_SIZE if domain.last is None else domain.last

    def enough(steps: int) -> bool:
        return size.evaluate({**least, name: domain.first + steps * domain.step}) >= at_least

    low, high = 0, (last - domain.first) // domain.step
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return domain.first + low * domain.step
