"""Arithmetic of symbolic dimensions: integer polynomials over symbols and floors, in one canonical form.

A `Dim` is a sum of terms, each an integer coefficient times a product of atoms, and a constant. An atom is
a symbol or the floor of a quotient, floor(numerator / divisor), reduced as far as it goes:

- multiples of the divisor are outside: floor((5 H + 9) / 4) is H + 2 + floor((H + 1) / 4);
- coefficients and divisor have no common factor: floor((2 H + 3) / 4) is floor((H + 1) / 2);
- a floor inside a floor is merged: floor((floor(x / a) + n) / b) is floor((x + a n) / (a b)).

Hence the numerator's coefficients and constant lie in [0, divisor): an atom is never negative and never
decreases when a symbol grows, which `comparison` and `ranges` build on.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, lcm
from typing import Any

from netspec.ir.dim.errors import ComplexityError, UndecidableError
from netspec.ir.dim.polynomial import add, divide, multiply
from netspec.ir.dim.unknown import Unknown

COMPLEXITY_LIMIT = 256  # atoms and terms of one Dim, those inside its floors included
LARGEST_COEFFICIENT = 2**256  # and the largest constant and divisor


class Symbol:
    """The atom of a named dimension: its value, divided by the `multiple` that it is known to be of."""

    __slots__ = ("_hash", "key", "multiple", "name")

    complexity = 1

    def __init__(self, name: str, multiple: int) -> None:
        self.name = name
        self.multiple = multiple
        self.key: tuple[Any, ...] = (0, name.lower(), name, multiple)
        self._hash = hash(self.key)

    def evaluate(self, values: Mapping[str, int]) -> int:
        quotient, remainder = divmod(values[self.name], self.multiple)
        if remainder:
            raise ValueError(f"{self.name} = {values[self.name]} is not a multiple of {self.multiple}")
        return quotient

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Symbol) and self.key == other.key)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Symbol, (self.name, self.multiple)

    def spell(self, coefficient: int) -> tuple[int, str]:
        """`coefficient` times the atom as a new coefficient and an exact quotient of the whole symbol."""
        common = gcd(coefficient, self.multiple)
        divisor = self.multiple // common
        return coefficient // common, self.name if divisor == 1 else f"{self.name} // {divisor}"


class Floor:
    """The atom floor(numerator / divisor), already reduced; divisor >= 2."""

    __slots__ = ("_hash", "_key", "complexity", "divisor", "numerator")

    def __init__(self, numerator: Dim, divisor: int) -> None:
        self.numerator = numerator
        self.divisor = divisor
        self.complexity = 1 + numerator.complexity
        self._hash = hash((numerator, divisor))
        self._key: tuple[Any, ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Orders atoms inside a product; found when first needed, which for most floors is never."""
        if self._key is None:
            terms = sorted((tuple(atom.key for atom in m), c) for m, c in self.numerator.terms.items())
            self._key = (1, tuple(terms), self.divisor, self.numerator.constant)
        return self._key

    def evaluate(self, values: Mapping[str, int]) -> int:
        return self.numerator.evaluate(values) // self.divisor

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Floor)
            and self._hash == other._hash
            and self.divisor == other.divisor
            and self.numerator == other.numerator
        )

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Floor, (self.numerator, self.divisor)

    def spell(self, offset: int = 0) -> str:
        """The atom as text, with `offset` added to it inside the floor."""
        numerator = _spell(self.numerator.terms, self.numerator.constant + offset * self.divisor)
        return f"{_enclosed(numerator)} // {self.divisor}"


Atom = Symbol | Floor
Monomial = tuple[Atom, ...]
"""A product of atoms, sorted by their keys; a power repeats its atom."""
Terms = dict[Monomial, int]
"""Coefficients by monomial, none of them zero; never changed once they are inside a Dim."""


class Dim:
    """A size that depends on symbolic dimensions; immutable, hashable, never a constant.

    Equality is that of the canonical form: equal Dims are equal numbers, and `compare` finds the few equal
    numbers whose forms differ. Made by `symbol` and by arithmetic, which gives plain integers where the
    symbols cancel.

    Errors:  UndecidableError of a quotient by a Dim that is not exact; ComplexityError beyond the limits.
    """

    __slots__ = ("_hash", "complexity", "constant", "terms")

    def __init__(self, terms: Terms, constant: int) -> None:
        self.terms = terms
        self.constant = constant
        self._hash: int | None = None
        complexity = 0
        largest = abs(constant)
        for monomial, coefficient in terms.items():
            complexity += 1
            largest = max(largest, abs(coefficient))
            for atom in monomial:
                complexity += atom.complexity
        if complexity > COMPLEXITY_LIMIT or largest > LARGEST_COEFFICIENT:
            raise ComplexityError
        self.complexity: int = complexity

    @property
    def multiples(self) -> dict[str, int]:
        """The symbols, each with the number that its values are known to be multiples of."""
        found: dict[str, int] = {}
        for monomial in self.terms:
            for atom in monomial:
                inner = {atom.name: atom.multiple} if isinstance(atom, Symbol) else atom.numerator.multiples
                for name, multiple in inner.items():
                    found[name] = lcm(found.get(name, 1), multiple)
        return found

    @property
    def symbols(self) -> frozenset[str]:
        """Names of the symbolic dimensions that the size depends on."""
        return frozenset(self.multiples)

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The size when every symbol is given a value.

        Errors:  KeyError of a symbol without one; ValueError of one that is not the multiple it should be.
        """
        total = self.constant
        for monomial, coefficient in self.terms.items():
            for atom in monomial:
                coefficient *= atom.evaluate(values)
            total += coefficient
        return total

    def __add__(self, other: int | Dim) -> int | Dim:
        if isinstance(other, int):
            return Dim(self.terms, self.constant + other) if other else self
        if isinstance(other, Dim):
            terms = dict(self.terms)
            add(terms, other.terms)
            return _size(terms, self.constant + other.constant)
        return NotImplemented

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim({monomial: -c for monomial, c in self.terms.items()}, -self.constant)

    def __sub__(self, other: int | Dim) -> int | Dim:
        if isinstance(other, int):
            return self + -other
        if isinstance(other, Dim):
            terms = dict(self.terms)
            add(terms, other.terms, -1)
            return _size(terms, self.constant - other.constant)
        return NotImplemented

    def __rsub__(self, other: int) -> int | Dim:
        return -self + other

    def __mul__(self, other: int | Dim) -> int | Dim:
        if isinstance(other, int):
            if other == 1:
                return self
            if other == 0:
                return 0
            return Dim({m: c * other for m, c in self.terms.items()}, self.constant * other)
        if isinstance(other, Dim):
            return _product(self, other)
        return NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: int | Dim) -> int | Dim:
        if isinstance(other, int):
            if other == 1:
                return self
            if other < 0:
                return -self // -other
            if other == 0:
                raise ZeroDivisionError(f"({self}) // 0")
            return _floor(self, other)
        if isinstance(other, Dim):
            return _quotient(self, other)
        return NotImplemented

    def __rfloordiv__(self, other: int) -> int:
        if not isinstance(other, int):
            return NotImplemented
        if other == 0:
            return 0
        raise UndecidableError(other, self)

    def __mod__(self, other: int | Dim) -> int | Dim:
        if isinstance(other, (int, Dim)):
            return self - self // other * other
        return NotImplemented

    def __rmod__(self, other: int) -> int:
        if not isinstance(other, int):
            return NotImplemented
        if other == 0:
            return 0
        raise UndecidableError(other, self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Dim):
            return self is other or (self.constant == other.constant and self.terms == other.terms)
        return NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.constant, frozenset(self.terms.items())))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Dim, (self.terms, self.constant)

    def __str__(self) -> str:
        return _spell(self.terms, self.constant)

    __repr__ = __str__


Size = int | Dim | Unknown


def symbol(name: str, multiple_of: int = 1) -> Dim:
    """The symbolic dimension `name`, whose every value is a multiple of `multiple_of`.

    Internally it is that number times an integer, so that `H // 32 * 32 == H` for a multiple of 32.
    """
    return Dim({(Symbol(name, multiple_of),): multiple_of}, 0)


def _size(terms: Terms, constant: int) -> int | Dim:
    return Dim(terms, constant) if terms else constant


def _with_constant(dim: Dim) -> Terms:
    return {**dim.terms, (): dim.constant} if dim.constant else dim.terms


def _product(left: Dim, right: Dim) -> int | Dim:
    if len(left.terms) * len(right.terms) > COMPLEXITY_LIMIT:
        raise ComplexityError
    terms: Terms = {}
    for monomial, coefficient in _with_constant(left).items():
        add(terms, multiply(_with_constant(right), monomial), coefficient)
    constant = terms.pop((), 0)
    return _size(terms, constant)


def _quotient(dividend: Dim, divisor: Dim) -> int | Dim:
    """The exact quotient; sizes are positive, so the divisor is not zero."""
    terms = divide(_with_constant(dividend), _with_constant(divisor))
    if terms is None:
        raise UndecidableError(dividend, divisor)
    constant = terms.pop((), 0)
    return _size(terms, constant)


def _floor(dividend: Dim, divisor: int) -> int | Dim:
    """floor(dividend / divisor) in canonical form, for a divisor of at least 2."""
    terms, constant = dividend.terms, dividend.constant
    whole: Terms = {}
    offset = 0
    while True:
        quotient, constant = divmod(constant, divisor)
        offset += quotient
        rest: Terms = {}
        common = divisor
        for monomial, coefficient in terms.items():
            quotient, remainder = divmod(coefficient, divisor)
            if quotient:
                add(whole, {monomial: quotient})
            if remainder:
                rest[monomial] = remainder
                common = gcd(common, remainder)
        if not rest:
            return _size(whole, offset)
        if common > 1:
            rest = {monomial: coefficient // common for monomial, coefficient in rest.items()}
            constant //= common
            divisor //= common
        inner = _mergeable(rest)
        if inner is None:
            break
        del rest[(inner,)]
        terms = dict(inner.numerator.terms)
        add(terms, rest, inner.divisor)
        constant = inner.numerator.constant + inner.divisor * constant
        divisor *= inner.divisor
    if divisor > LARGEST_COEFFICIENT:
        raise ComplexityError
    add(whole, {(Floor(Dim(rest, constant), divisor),): 1})
    return _size(whole, offset)


def _mergeable(rest: Terms) -> Floor | None:
    """The floor that stands in `rest` once and alone; of two, either could be merged, so neither is."""
    found = None
    for monomial, coefficient in rest.items():
        atom = monomial[0]
        if coefficient == 1 and len(monomial) == 1 and isinstance(atom, Floor):
            if found:
                return None
            found = atom
    return found


def _spell(terms: Terms, constant: int) -> str:
    if len(terms) == 1:
        ((monomial, coefficient),) = terms.items()
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Floor):
            return monomial[0].spell(constant)
    ranked = sorted(_spell_term(monomial, c) for monomial, c in terms.items())
    parts = [(text, negative) for _, text, negative in ranked]
    if constant:
        parts.append((str(abs(constant)), constant < 0))
    parts.sort(key=_is_negative)  # `5 - H`, not `-H + 5`
    text = "".join(f" {'-' if negative else '+'} {text}" for text, negative in parts)
    return text[3:] if text.startswith(" + ") else f"-{text[3:]}"


def _spell_term(monomial: Monomial, coefficient: int) -> tuple[int, str, bool]:
    """Sorting rank (the highest degree first), text without sign, and whether it is negative."""
    texts: list[str] = []
    for atom in monomial:
        if isinstance(atom, Floor):
            texts.append(atom.spell())
        else:
            coefficient, text = atom.spell(coefficient)
            texts.append(text)
    powers = {text: texts.count(text) for text in texts}
    factors = [
        _enclosed(text) if power == 1 else f"{_enclosed(text)}**{power}" for text, power in powers.items()
    ]
    if coefficient == 1 and len(texts) == 1:
        return -1, texts[0], False
    if abs(coefficient) != 1:
        factors.insert(0, str(abs(coefficient)))
    return -len(monomial), "*".join(factors), coefficient < 0


def _is_negative(part: tuple[str, bool]) -> bool:
    return part[1]


def _enclosed(text: str) -> str:
    return f"({text})" if " " in text else text
