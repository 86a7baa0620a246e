"""The whole sweep: configurations in pieces, judged in several processes, counted by operation."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.sweep import report
from tests.sweep.configurations import Piece, pieces, shares
from tests.sweep.exporters import Comparison, compare
from tests.sweep.judging import Failure, Tally, judge
from tests.sweep.processes import Lost, each


def sweep_piece(piece: Piece, folder: Path) -> Tally:
    """Some configurations of one operation, judged."""
    tally = Tally()
    for case in piece.cases():
        (folder / "now").write_text(case.spec())
        tally.add(judge(case, folder))
    return tally


def compare_piece(sampled: tuple[Piece, int], folder: Path) -> Comparison:
    """Some out of a sweep's configurations of one operation, by both exporters."""
    piece, count = sampled
    cases = piece.cases()
    found = Comparison()
    for case in Random(piece.seed).sample(cases, min(count, len(cases))):
        (folder / "now").write_text(case.spec())
        found.add(compare(case, folder))
    return found


def sweep(operations: list[str], count: int, seed: int, jobs: int) -> dict[str, Tally]:
    """What comes of `count` configurations, by operation."""
    tallies = {op: Tally() for op in operations}
    done = 0
    for piece, result in each(sweep_piece, list(pieces(operations, count, seed)), jobs):
        op = piece.op
        if isinstance(result, Lost):
            result = Tally(configurations=1, failures=[Failure(op, "crash", "", result.reason, result.note)])
            result.wrong["crash"] = 1
        tallies[op].add(result)
        done += piece.count
        wrong = sum(map(sum, map(report.wrongs, tallies.values())))
        report.say(f"{done:,} of {count:,} configurations, {wrong:,} wrong; {op}")
    return tallies


def compared(operations: list[str], count: int, of: int, seed: int, jobs: int) -> Comparison:
    """What comes of `count` of the sweep's `of` configurations by both exporters."""
    wanted = shares(operations, count)
    firsts = {piece.op: piece for piece in reversed(list(pieces(operations, of, seed)))}
    sampled = [(firsts[op], wanted[op]) for op in operations if op in firsts and wanted[op]]
    found = Comparison()
    done = 0
    for (piece, size), result in each(compare_piece, sampled, jobs):
        if isinstance(result, Lost):
            found.notes.append(("either", piece.op, "lost", f"{result.reason} at {result.note}"))
        else:
            found.add(result)
        done += size
        report.say(f"{done:,} of {count:,} by both exporters; {piece.op}")
    return found
