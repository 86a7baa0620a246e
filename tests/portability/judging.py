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
FAR = 1000  # times its bound: what is further off may be read from anywhere, and be another number each time


class Verdict(StrEnum):
    """What came of a case, and the worst of them of a network; in this order, the worst last."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "wrong"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Case:
    """One set of inputs: its number, its symbolic dimensions' sizes, what must come out, how exactly."""

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
    """A verdict; the reason where it is not right, in our words and in the runtime's own; and the largest
    error as a part of its bound."""

    verdict: Verdict
    reason: str = ""
    words: str = ""
    share: float = 0.0


Verdicts = list[tuple[Case, Judged]]


def judge(cases: Sequence[Case], attempt: Attempt, got: Mapping[str, Array]) -> Verdicts:
    """A verdict on every case that an attempt had before it; on one alone where its process crashed."""
    if attempt.refused is not None:
        return [(case, Judged(Verdict.REFUSED, words=sentence(attempt.refused))) for case in cases]
    if attempt.ended is not None:
        last = next((case for case in cases if case.number in attempt.begun[-1:]), None)
        where = ", while it loaded" if last is None else f" {_where(last)}"
        crashed = Judged(Verdict.CRASHED, attempt.ended + where, sentence(attempt.told))
        # What the cases before gave is lost with the process.
        return [(last or cases[0], crashed)]
    return [(case, _of_case(case, attempt, got)) for case in cases]


def worst(found: Verdicts) -> Judged:
    """The worst that came of any case, with the sizes of the first that it came of, unless all are alike."""
    order = list(Verdict)
    verdict = max((one.verdict for _, one in found), key=order.index)
    share = max(one.share for _, one in found)
    if verdict is Verdict.RIGHT:
        return Judged(verdict, share=share)
    alike = [(case, one) for case, one in found if one.verdict is verdict]
    case, one = max(alike, key=lambda pair: pair[1].share)
    where = f"{_where(case)} ({len(alike)} of {len(found)} inputs)" if len(alike) < len(found) else ""
    return Judged(verdict, ", ".join(filter(None, (where, one.reason))), one.words, share)


def _of_case(case: Case, attempt: Attempt, got: Mapping[str, Array]) -> Judged:
    if case.number in attempt.refusals:
        return Judged(Verdict.REFUSED, words=sentence(attempt.refusals[case.number]))
    share = 0.0
    for name, exact in case.exact.items():
        y = got.get(f"{case.number}/got/{name}")
        if y is None:
            return Judged(Verdict.REFUSED, f"it does not give {name}")
        if y.shape != exact.shape:
            shapes = f"{name} has the shape {y.shape} instead of {exact.shape}"
            return Judged(Verdict.WRONG, shapes, share=float("inf"))
        if y.dtype != np.float32:
            return Judged(Verdict.WRONG, f"{name} is {y.dtype} instead of float32", share=float("inf"))
        error = float(np.max(np.abs(y - exact), initial=0.0))  # not finite where y is not
        part = error / case.bounds[name] if case.bounds[name] else float("inf") if error else 0.0
        if not part <= FAR:
            far = f"{name} is not finite, or off by over {FAR:,} times what rounding explains"
            return Judged(Verdict.WRONG, far, share=float("inf"))
        if part > 1:
            reason = f"{name} is off by {part:.1f} times what rounding explains"
            return Judged(Verdict.WRONG, reason, share=part)
        share = max(share, part)
    return Judged(Verdict.RIGHT, share=share)


def _where(case: Case) -> str:
    """At which sizes a case is, or which one it is where nothing is symbolic."""
    sizes = ", ".join(f"{name} = {value}" for name, value in case.values.items())
    return f"at {sizes}" if sizes else f"on input {case.number}"


def sentence(words: str) -> str:
    """A runtime's own words on one line, without what only its authors can use: places in its source,
    stack traces, numbers of errors."""
    text = words.partition("Stack backtrace")[0].partition("stack backtrace")[0]
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    text = re.sub(r"OpenCV\([\w.-]+\) \S+: error: \([^)]*\) ", "", text)
    text = re.sub(r"in function '[^']*'", "", text)
    text = re.sub(r"^\[\w+\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"(?<!\S)/\S*/", "", text)
    text = re.sub(r"thread '[^']*' (\(\d+\) )?panicked at [^\n]*\n", "", text)
    text = re.sub(r"^\[\w+:\d+@[\d.]+\] \w+ \S+ \w+ ", "", text)
    text = re.sub(r"(\n> ?|\s)+", " ", text).strip(" >:")
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
