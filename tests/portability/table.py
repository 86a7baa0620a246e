"""The table of runtimes by networks as a part of a Markdown page, and the same as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.portability.judging import Judged, Verdict
from tests.portability.running import Outcome
from tests.portability.runtimes import Runtime

START, END = "<!-- portability -->", "<!-- /portability -->"
FIXED = "fixed"  # right once its sizes are fixed

LEGEND = """\
`make portability` runs the export of every spec (untrained, opset 18) on other runtimes: at batch sizes 1, 2,
3, 5 and 7, at the extremes of its other symbolic sizes, on normal, uniform and large inputs, zeros and ones.
It writes this table.

- **right**: every output lies within the rounding gate;
- **fixed**: so it does once the symbolic sizes of the file are replaced by numbers, not in the file as it is;
- **wrong**, **refused**, **crashed**: with its sizes fixed too; the notes give the runtime's own words.
"""

Outcomes = Mapping[tuple[str, str], Outcome]
"""By the names of the runtime and the network."""


class Notes:
    """Footnotes, numbered in the order of their first use; equal ones are one."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        """The mark of a note, which is added if it is new."""
        return f"<sup>{self.numbers.setdefault(text, len(self.numbers) + 1)}</sup>"

    def lines(self) -> Iterator[str]:
        """The notes as lines of a list."""
        return (f"{number}. {text}" for text, number in self.numbers.items())


def markdown(
    runtimes: Sequence[Runtime], networks: Sequence[str], outcomes: Outcomes, missing: Mapping[str, str]
) -> str:
    """The legend, the table and its notes; `missing` says why a runtime could not be installed."""
    notes = Notes()
    titles = [_title(runtime, networks, outcomes) for runtime in runtimes]
    rows = [["spec", *titles], [" --- "] * (len(titles) + 1)]
    for network in networks:
        cells = []
        for runtime in runtimes:
            found = outcomes.get((runtime.name, network))
            cells.append("–" if found is None else _cell(runtime, found, notes))
        rows.append([f"`{network}`", *cells])
    table = "\n".join(f"| {' | '.join(cell.strip() for cell in row)} |" for row in rows)
    absent = [
        f"{runtime.title} could not be installed: {_code(missing[runtime.name])}\n"
        for runtime in runtimes
        if runtime.name in missing
    ]
    return "\n".join([LEGEND, table, "", *absent, *notes.lines(), ""])


def _title(runtime: Runtime, networks: Sequence[str], outcomes: Outcomes) -> str:
    """The runtime with the version that answered."""
    found = (outcomes.get((runtime.name, network)) for network in networks)
    version = next((one.version for one in found if one is not None and one.version), None)
    name = runtime.title.partition(",")[0].partition(" ")[0]
    return f"{name} {version}" if version else runtime.title


def _cell(runtime: Runtime, found: Outcome, notes: Notes) -> str:
    if found.as_is.verdict is Verdict.RIGHT:
        return str(Verdict.RIGHT)
    if found.fixed is None or found.fixed.verdict is not Verdict.RIGHT:
        worst = found.as_is if found.fixed is None else found.fixed
        return f"{worst.verdict}{notes.mark(f'{runtime.title}: {_told(worst)}')}"
    note = f"{runtime.title}, the file as it is {found.as_is.verdict}: {_told(found.as_is)}"
    return f"{FIXED}{notes.mark(note)}"


def _told(judged: Judged) -> str:
    """The reason, in our words and the runtime's."""
    return ": ".join(filter(None, (judged.reason, judged.words and _code(judged.words))))


def _code(words: str) -> str:
    """Words of others as code, so that none of them is read as markup."""
    return "`" + words.replace("`", "'") + "`"


def written(page: Path, text: str) -> None:
    """Put the table between the marks of a page."""
    whole = page.read_text(encoding="utf-8")
    if whole.count(START) != 1 or whole.count(END) != 1:
        raise ValueError(f"{page} has not one pair of {START} and {END}")
    before, _, rest = whole.partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n\n{text}\n{END}{after}", encoding="utf-8")


def data(outcomes: Outcomes, missing: Mapping[str, str]) -> dict[str, Any]:
    """Everything that was found, as JSON has it."""
    found = [
        {
            "runtime": runtime,
            "network": network,
            "version": one.version,
            "as_is": _judged(one.as_is),
            "fixed": None if one.fixed is None else _judged(one.fixed),
        }
        for (runtime, network), one in outcomes.items()
    ]
    return {"outcomes": found, "not_installed": dict(missing)}


def _judged(judged: Judged) -> dict[str, Any]:
    share = judged.share if judged.share < float("inf") else None
    return {
        "verdict": str(judged.verdict),
        "reason": judged.reason,
        "words": judged.words,
        "share_of_bound": share,
    }
