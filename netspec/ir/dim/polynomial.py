"""Integer polynomials: coefficients by monomial, over atoms of which only an ordering key is known."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

TERMS_LIMIT = 256


class Indeterminate(Hashable, Protocol):
    """What polynomials are over: hashable, and ordered by `key`."""

    @property
    def key(self) -> tuple[Any, ...]: ...


X = TypeVar("X", bound=Indeterminate)


def by_key(atom: Indeterminate) -> tuple[Any, ...]:
    return atom.key


def add(terms: dict[tuple[X, ...], int], others: Mapping[tuple[X, ...], int], factor: int = 1) -> None:
    """Add `factor` times `others` to `terms`, in place; no coefficient of zero remains."""
    for monomial, coefficient in others.items():
        total = terms.get(monomial, 0) + factor * coefficient
        if total:
            terms[monomial] = total
        else:
            del terms[monomial]


def multiply(terms: Mapping[tuple[X, ...], int], factor: tuple[X, ...]) -> dict[tuple[X, ...], int]:
    """`terms` times one monomial."""
    return {tuple(sorted(monomial + factor, key=by_key)): c for monomial, c in terms.items()}


def divide(
    dividend: Mapping[tuple[X, ...], int], divisor: Mapping[tuple[X, ...], int]
) -> dict[tuple[X, ...], int] | None:
    """The quotient by long division, or None where it does not come out even or grows beyond the limit.

    The divisor has at least one term. The constant is the coefficient of the empty monomial.
    """
    atoms = sorted({*_atoms(dividend), *_atoms(divisor)}, key=by_key)

    def powers(monomial: tuple[X, ...]) -> list[int]:
        return [monomial.count(atom) for atom in atoms]

    leading = max(divisor, key=powers)
    remaining = dict(dividend)
    quotient: dict[tuple[X, ...], int] = {}
    while remaining:
        largest = max(remaining, key=powers)
        coefficient, remainder = divmod(remaining[largest], divisor[leading])
        factor = _without(largest, leading)
        if remainder or factor is None or len(quotient) == TERMS_LIMIT:
            return None
        quotient[factor] = coefficient
        add(remaining, multiply(divisor, factor), -coefficient)
    return quotient


def _atoms(terms: Mapping[tuple[X, ...], int]) -> Iterable[X]:
    return (atom for monomial in terms for atom in monomial)


def _without(monomial: tuple[X, ...], factor: tuple[X, ...]) -> tuple[X, ...] | None:
    """`monomial` divided by `factor`, or None where it does not contain it."""
    left = list(monomial)
    for atom in factor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)
