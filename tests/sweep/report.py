"""What a sweep found: tables for people, JSON for programs, and the specs that show what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.ops.catalogue import FAMILIES
from tests.sweep.exporters import OUTCOMES, SIDES, Comparison
from tests.sweep.judging import KINDS, Failure, Tally

COLUMNS = (
    "family",
    "operations",
    "configurations",
    "runs",
    "beyond rounding",
    "by the standard",
    "shapes",
    "crashes",
)
SHOWN = 3  # failures of one kind of one operation


def by_family(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """The operations' tallies added up by family, in the catalogue's order, and all of them."""
    families = {FAMILIES[op]: Tally() for op in tallies}
    total = Tally()
    for op, tally in tallies.items():
        families[FAMILIES[op]].add(tally)
        total.add(tally)
    return families | {"all": total}


def rows(tallies: Mapping[str, Tally]) -> list[list[str]]:
    """The table's figures, a row a family."""
    counts = {family: sum(FAMILIES[op] == family for op in tallies) for family in FAMILIES.values()}
    counts["all"] = len(tallies)
    return [
        [family, *(f"{n:,}" for n in (counts[family], tally.configurations, tally.runs, *wrongs(tally)))]
        for family, tally in by_family(tallies).items()
    ]


def wrongs(tally: Tally) -> list[int]:
    """Configurations with each kind of failure."""
    return [tally.wrong[kind] for kind in KINDS]


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of aligned columns, all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = []
    for row in (columns, *rows):
        first, *others = zip(row, widths, strict=True)
        lines.append("  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]))
    return "\n".join(line.rstrip() for line in lines)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same for a README."""
    ruler = [" --- ", *(" ---: " for _ in columns[1:])]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(ruler)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def comparison(found: Comparison) -> str:
    """Both exporters' outcomes, as Markdown."""
    return markdown(
        ("exporter", *OUTCOMES), [[side, *(str(found.outcomes[side][o]) for o in OUTCOMES)] for side in SIDES]
    )


def failures(tallies: Mapping[str, Tally]) -> str:
    """The first failures of every kind and operation, each with its spec."""
    shown: list[str] = []
    for op, tally in tallies.items():
        for kind in KINDS:
            alike = [failure for failure in tally.failures if failure.kind == kind]
            first = list({failure.spec: failure for failure in reversed(alike)}.values())[::-1][:SHOWN]
            shown += [f"{op}: {kind}: {one.where}: {one.text}\n  {one.spec}" for one in first]
    return "\n".join(shown)


def document(
    tallies: Mapping[str, Tally], found: Comparison | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """All of it, for a program."""

    def tally(of: Tally) -> dict[str, Any]:
        counted = dict(zip(KINDS, wrongs(of), strict=True))
        return {"configurations": of.configurations, "runs": of.runs, **counted}

    every: list[Failure] = [failure for of in tallies.values() for failure in of.failures]
    given: dict[str, Any] = {
        **facts,
        "families": {family: tally(of) for family, of in by_family(tallies).items()},
        "operations": {op: tally(of) for op, of in tallies.items()},
        "failures": [failure._asdict() for failure in every],
    }
    if found is not None:
        given["exporters"] = {side: dict(found.outcomes[side]) for side in SIDES}
        given["exporter_notes"] = [
            dict(zip(("exporter", "op", "outcome", "said"), note, strict=True)) for note in found.notes
        ]
    return given


def say(text: str) -> None:
    """A line of progress, on stderr."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(text.ljust(79), end=end, file=sys.stderr, flush=True)
