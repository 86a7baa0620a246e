"""Verdicts on what a runtime made of a network: right, wrong, refused or crashed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LONGEST = 240  # characters of a reason


class Verdict(StrEnum):
    """What came of a case, and the worst of them of a network; in this order, the worst last."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "wrong"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Case:
    """One set of inputs: its number, the sizes of its symbolic dimensions, what must come out, how exactly."""

    number: str
    values: Mapping[str, int]
    exact: Mapping[str, Array]
    bounds: Mapping[str, float]


@dataclass(frozen=True)
class Attempt:
    """What a runner's process told: which cases it came to, in whose words any was refused, how it ended.

    `ended` says why it did not come to its end, in words; `told` what it printed last.
    """

    version: str | None
    begun: tuple[str, ...]
    refusals: Mapping[str, str]
    refused: str | None = None
    ended: str | None = None
    told: str = ""


@dataclass(frozen=True)
class Judged:
    """A verdict, the reason where it is not right, and the largest error as a part of its bound."""

    verdict: Verdict
    reason: str = ""
    share: float = 0.0


def judge(cases: Sequence[Case], attempt: Attempt, got: Mapping[str, Array]) -> Judged:
    """The worst that came of any case, in the words of the first that it came of."""
    if attempt.refused is not None:
        return Judged(Verdict.REFUSED, sentence(attempt.refused))
    if attempt.ended is not None:
        where = _where(cases, attempt.begun[-1]) if attempt.begun else "while it loads"
        words = sentence(attempt.told)
        return Judged(Verdict.CRASHED, f"{attempt.ended} {where}{': ' if words else ''}{words}")
    found = [(case, _of_case(case, attempt, got)) for case in cases]
    order = list(Verdict)
    worst = max((one.verdict for _, one in found), key=order.index)
    share = max(one.share for _, one in found)
    if worst is Verdict.RIGHT:
        return Judged(worst, share=share)
    alike = [(case, one) for case, one in found if one.verdict is worst]
    case, one = max(alike, key=lambda pair: pair[1].share)
    sizes = "" if len(alike) == len(found) else f"{_where(cases, case.number)}: "
    return Judged(worst, sizes + one.reason, share)


def _of_case(case: Case, attempt: Attempt, got: Mapping[str, Array]) -> Judged:
    if case.number in attempt.refusals:
        return Judged(Verdict.REFUSED, sentence(attempt.refusals[case.number]))
    share = 0.0
    for name, exact in case.exact.items():
        y = got.get(f"{case.number}/got/{name}")
        if y is None:
            return Judged(Verdict.REFUSED, f"it does not give the output {name}")
        if y.shape != exact.shape:
            shapes = f"{name} has the shape {y.shape} instead of {exact.shape}"
            return Judged(Verdict.WRONG, shapes, float("inf"))
        if y.dtype != np.float32:
            return Judged(Verdict.WRONG, f"{name} is {y.dtype} instead of float32", float("inf"))
        if not np.isfinite(y).all():
            return Judged(Verdict.WRONG, f"{name} is not finite", float("inf"))
        error = float(np.max(np.abs(y - exact), initial=0.0))
        largest = float(np.max(np.abs(exact), initial=0.0))
        bound = case.bounds[name]
        if not error <= bound:
            off = f"{name} is off by {error / largest if largest else np.inf:.0e} of its largest value"
            times = error / bound if bound else float("inf")
            return Judged(Verdict.WRONG, f"{off}, {times:,.1f} times what rounding explains", times)
        share = max(share, error / bound if bound else 0.0)
    return Judged(Verdict.RIGHT, share=share)


def _where(cases: Sequence[Case], number: str) -> str:
    """At which sizes a case is, or which one it is where nothing is symbolic."""
    values = next(case.values for case in cases if case.number == number)
    sizes = ", ".join(f"{name} = {value}" for name, value in values.items())
    return f"at {sizes}" if sizes else f"at input {number}"


def sentence(words: str) -> str:
    """A runtime's own words on one line, without what only its authors can use: places in its source,
    stack traces, numbers of errors."""
    text = words.partition("Stack backtrace")[0].partition("stack backtrace")[0]
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    text = re.sub(r"OpenCV\([\w.-]+\) \S+: error: \([^)]*\) ", "", text)
    text = re.sub(r"in function '[^']*'", "", text)
    text = re.sub(r"^\[\w+\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"(?:\S*/)+(\S+\.\w+)(?::\d+)+:?", r"\1", text)
    text = re.sub(r"thread '[^']*' (\(\d+\) )?panicked at [^\n]*\n", "", text)
    text = re.sub(r"^\[\w+:\d+@[\d.]+\] \w+ \S+ \w+ ", "", text)
    text = re.sub(r"(\n> ?|\s)+", " ", text).strip(" >:")
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
