"""Whether two symbolic sizes are equal for all admissible values of their symbols; if not, when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, lcm, prod
from typing import Literal, NamedTuple

from netspec.ir.dim.arithmetic import Dim, Size
from netspec.ir.dim.bounds import Bounds, Domain, domains
from netspec.ir.dim.ranges import EVALUATIONS, Line, degrees, periods, value_range
from netspec.ir.dim.unknown import Unknown

Relation = Literal["<", "<=", ">", ">=", "==", "!="]
Point = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Equal:
    """The sizes are equal for all admissible values."""


class Different(NamedTuple):
    """The sizes are never equal; for instance at `values` they are `left` and `right`."""

    values: Mapping[str, int]
    left: int
    right: int


class Sometimes(NamedTuple):
    """The sizes are not always equal: at `values` they are `left` and `right`.

    `multiple_of` is the constraint that cures it: equal wherever each symbol in it is a multiple of its
    number, the smallest such. None where no such constraint does.
    """

    values: Mapping[str, int]
    left: int
    right: int
    multiple_of: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Undecided:
    """A size is unknown, or no difference was found but the sizes are too complex to prove them equal."""


Comparison = Equal | Different | Sometimes | Undecided


def compare(a: Size, b: Size, bounds: Mapping[str, Bounds]) -> Comparison:
    """Compare two sizes within the bounds of their symbols.

    On every residue class modulo its periods the difference is a polynomial, of degree d at most in a
    symbol. A polynomial that vanishes at d + 1 values of each symbol, in every combination, is zero: so
    the first (d + 1) periods decide about all values.

    Errors:  ComplexityError where the difference is beyond the limits of Dim.
    """
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return Undecided()
    if a == b:
        return Equal()
    difference = a - b
    grid = _Grid(difference, bounds)
    unequal = [point for point in grid if grid.difference_at(point)]
    if not unequal:
        return Equal() if grid.decides else Undecided()
    values = grid.named(unequal[0])
    for size in (a, b):
        if isinstance(size, Dim):  # symbols that cancel in the difference
            values = {name: domain.first for name, domain in domains(size, bounds).items()} | values
    left, right = _value(a, values), _value(b, values)
    if grid.never_zero(unequal, bounds):
        return Different(values, left, right)
    return Sometimes(values, left, right, grid.cure(unequal) if grid.decides else None)


def decide(a: Size, relation: Relation, b: Size, bounds: Mapping[str, Bounds]) -> bool | None:
    """Whether `a relation b` holds for all admissible values; None where it depends on them.

    None too where it is not decided: of sizes that an error left unknown, and of some products of symbols.
    """
    match relation:
        case "==":
            outcome = compare(a, b, bounds)
            return True if isinstance(outcome, Equal) else False if isinstance(outcome, Different) else None
        case "!=":
            equal = decide(a, "==", b, bounds)
            return None if equal is None else not equal
        case ">" | ">=":
            return decide(b, "<" if relation == ">" else "<=", a, bounds)
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return None
    low, high = value_range(a - b, bounds)
    most = -1 if relation == "<" else 0  # of the difference, for the relation to hold
    if high is not None and high <= most:
        return True
    return False if low is not None and low > most else None


class _Grid:
    """The first admissible values of each symbol of a difference, enough to decide about all of them.

    `decides` is False where that would take too many evaluations; the grid is then a part of it.
    """

    def __init__(self, difference: int | Dim, bounds: Mapping[str, Bounds]) -> None:
        self.difference = difference
        self.domains: dict[str, Domain] = {}
        self.cycles: dict[str, int] = {}
        counts: dict[str, int] = {}
        if isinstance(difference, Dim):
            self.domains = domains(difference, bounds)
            degree, period = degrees(difference), periods(difference)
            for name, domain in self.domains.items():
                self.cycles[name] = lcm(period[name], domain.step) // domain.step
                counts[name] = domain.at_most((degree[name] + 1) * self.cycles[name])
        self.decides = prod(counts.values()) <= EVALUATIONS
        self.is_everything = self.decides and all(self.domains[name].count == n for name, n in counts.items())
        while prod(counts.values()) > EVALUATIONS:
            longest = max(counts, key=counts.__getitem__)
            counts[longest] //= 2
        self.heads = [self.domains[name].head(count) for name, count in counts.items()]

    def __iter__(self) -> Iterator[Point]:
        return product(*self.heads)

    def named(self, point: Point) -> dict[str, int]:
        return dict(zip(self.domains, point, strict=True))

    def difference_at(self, point: Point) -> int:
        return _value(self.difference, self.named(point))

    def never_zero(self, unequal: Sequence[Point], bounds: Mapping[str, Bounds]) -> bool:
        """Whether a difference that is not zero at `unequal` is proven to be zero nowhere."""
        if isinstance(self.difference, int):
            return True
        if len(unequal) < prod(map(len, self.heads)):
            return False
        low, high = value_range(self.difference, bounds)
        if self.is_everything or (low is not None and low > 0) or (high is not None and high < 0):
            return True
        if self.difference.constant % gcd(*self.difference.terms.values()):
            return True  # the atoms are integers: every other term is a multiple of that divisor
        if len(self.domains) > 1:
            return False
        line = Line.of(self.difference, next(iter(self.domains)), self.domains)
        return line is not None and not line.vanishes()

    def cure(self, unequal: Sequence[Point]) -> dict[str, int] | None:
        """The multiples that leave none of the `unequal` points admissible, of one symbol if possible."""
        candidates = {
            name: [
                domain.step * divisor
                for divisor in _divisors(self.cycles[name])
                if domain.admits_multiple(domain.step * divisor)
            ]
            for name, domain in self.domains.items()
        }

        def cures(multiples: Mapping[str, int]) -> bool:
            indexed = [
                (index, multiples[name]) for index, name in enumerate(self.domains) if name in multiples
            ]
            return not any(all(point[index] % of == 0 for index, of in indexed) for point in unequal)

        for name, multiples in candidates.items():
            for multiple in multiples:
                if cures({name: multiple}):
                    return {name: multiple}
        chosen = {name: multiples[-1] for name, multiples in candidates.items()}
        if not cures(chosen):
            return None
        for name, multiples in candidates.items():
            chosen[name] = next(multiple for multiple in multiples if cures({**chosen, name: multiple}))
        return {name: multiple for name, multiple in chosen.items() if multiple > self.domains[name].step}


def _value(size: int | Dim, values: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else size.evaluate(values)


def _divisors(number: int) -> list[int]:
    """The divisors in ascending order, up to a limit beyond which a constraint would be of no use."""
    return [divisor for divisor in range(1, min(number, EVALUATIONS) + 1) if number % divisor == 0]
