"""The outcomes of mutants as two tables in Markdown, and lists of what lives and what is equivalent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tests.verify.mutants.judging import GATES, Outcome

GATE_COLUMNS = ("mutants", "equivalent", "others", *GATES, "any of the three", "structure", "any gate")
HASH_COLUMNS = ("mutants", "hashes", "gates or hashes")


def report(outcomes: Sequence[Outcome]) -> str:
    """Everything there is to say, as Markdown."""
    parts = [
        "## Caught by the gates alone, every hash made to fit",
        _table(outcomes, GATE_COLUMNS, _by_gates),
        "## Caught by the hashes alone, left as they were",
        _table(outcomes, HASH_COLUMNS, _by_hashes),
        "## Proven to compute the same",
        _proofs(outcomes),
        "## Alive: another function, and only the structure or nothing shows it",
        _listed([outcome for outcome in outcomes if outcome.lives]),
    ]
    return "\n\n".join(parts)


def _by_gates(outcomes: Sequence[Outcome]) -> list[str]:
    others = [outcome for outcome in outcomes if not outcome.proof]

    def share(is_caught: Callable[[Outcome], bool]) -> str:
        count = sum(map(is_caught, others))
        return f"{count} ({100 * count / len(others):.0f} %)" if others else "–"

    counts = [str(len(outcomes)), str(len(outcomes) - len(others)), str(len(others))]
    counts += [share(lambda one, gate=gate: gate in one.caught) for gate in GATES]  # type: ignore[misc]
    counts += [share(lambda one: one.by_numbers), share(lambda one: "structure" in one.caught)]
    return [*counts, share(lambda one: bool(one.caught))]


def _by_hashes(outcomes: Sequence[Outcome]) -> list[str]:
    def share(count: int) -> str:
        return f"{count} ({100 * count / len(outcomes):.0f} %)"

    either = sum(not outcome.escapes for outcome in outcomes)
    return [str(len(outcomes)), share(sum(one.hashed for one in outcomes)), share(either)]


def _table(
    outcomes: Sequence[Outcome], columns: Sequence[str], cells: Callable[[Sequence[Outcome]], list[str]]
) -> str:
    kinds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.kind, []).append(outcome)
    rows = [(kind, *cells(of_kind)) for kind, of_kind in sorted(kinds.items())]
    rows.append(("**all**", *cells(outcomes)))
    head = [("change", *columns), ("---", *["---:"] * len(columns))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (*head, *rows))


def _proofs(outcomes: Sequence[Outcome]) -> str:
    counted = Counter(outcome.proof for outcome in outcomes if outcome.proof)
    lines = []
    for said, count in counted.most_common():
        example = next(outcome for outcome in outcomes if outcome.proof == said)
        lines.append(f"- {count} × {said}: {example.network}, {example.kind}, {example.what}")
    return "\n".join(lines) or "none"


def _listed(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(f"- {one.network}: {one.kind}: {one.what}" for one in outcomes) or "none"
