"""Random configurations of operations, the same ones for the same seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from netspec.ops.catalogue import FAMILIES
from tests.ops.cases import Case
from tests.ops.family import family_of, tame

CHUNK = 250
"""Configurations that one process draws and judges at a time."""


def configurations(op: str, count: int, seed: str) -> list[Case]:
    """Up to `count` different cases that torch takes, some of their dimensions symbolic; fewer if it has not
    as many.

    What is drawn depends on the seed and on the strategy alone.
    """
    drawn: dict[str, Case] = {}
    number = int.from_bytes(hashlib.sha256(f"{seed}/{op}".encode()).digest()[:8], "big")

    @hypothesis.seed(number)
    @settings(
        max_examples=3 * count,  # some are drawn twice
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tame(op))
    def collect(case: Case) -> None:
        if len(drawn) < count:
            drawn.setdefault(case.spec(), case)

    collect()
    return list(drawn.values())


def at_batches(case: Case, batches: tuple[int, ...]) -> Iterator[list[Case]]:
    """The case at every batch size: its bindings where the batch is symbolic, else one fixed case for each.

    Only its own sizes, where they decide its first axis.
    """
    batch = batch_of(case)
    if batch is None:
        yield [case]
    elif batch in case.sizes:
        yield [case.at(case.sizes | {batch: size}) for size in batches]
    else:
        names = family_of(case.op).openable(case)
        fixed = replace(case, symbols=tuple(tuple(n if n == batch else None for n in row) for row in names))
        yield from ([fixed.at({batch: size}).static()] for size in batches)


def batch_of(case: Case) -> str | None:
    """The name of the first input's first dimension, if it may have any size."""
    names = case.symbols or family_of(case.op).openable(case)
    return names[0][0] if names and names[0] else None


def shares(operations: list[str], count: int) -> dict[str, int]:
    """How many configurations of `count` each operation gets: as many as the others."""
    each, rest = divmod(count, len(operations))
    return {op: each + (place < rest) for place, op in enumerate(operations)}


@dataclass(frozen=True)
class Piece:
    """Configurations of one operation that are drawn from one seed."""

    op: str
    count: int
    seed: str

    def cases(self) -> list[Case]:
        """All of them, fewer than `count` where there are not as many."""
        return configurations(self.op, self.count, self.seed)


def pieces(operations: list[str], count: int, seed: int) -> Iterator[Piece]:
    """All of the configurations of a sweep."""
    for op, share in shares(operations, count).items():
        for number, start in enumerate(range(0, share, CHUNK)):
            yield Piece(op, min(CHUNK, share - start), f"{seed}/{number}")


def known(names: list[str]) -> list[str]:
    """The operations of these names or families, in the catalogue's order; all where there are none."""
    unknown = set(names) - set(FAMILIES) - set(FAMILIES.values())
    if unknown:
        raise SystemExit(f"no operation or family: {', '.join(sorted(unknown))}")
    return [op for op, family in FAMILIES.items() if not names or op in names or family in names]
