"""Verdicts on what a runtime gave, and its own words on one line."""

from __future__ import annotations

import numpy as np
import pytest

from tests.portability.judging import Attempt, Case, Judged, Verdict, judge, sentence, worst

EXACT = np.array([[1.0, -4.0]])
FIRST = Case("0", {"batch": 1}, {"y": EXACT}, {"y": 1e-3})
SECOND = Case("1", {"batch": 2}, {"y": np.concatenate([EXACT, EXACT])}, {"y": 1e-3})
CASES = (FIRST, SECOND)


def attempt(**facts):
    return Attempt(**{"version": "1.0", "begun": ("0", "1"), "refusals": {}, **facts})


def gave(first=EXACT, second=SECOND.exact["y"], dtype=np.float32):
    return {"0/got/y": np.asarray(first, dtype), "1/got/y": np.asarray(second, dtype)}


def judged(got, **facts):
    return worst(judge(CASES, attempt(**facts), got))


def test_what_lies_within_the_bounds_is_right() -> None:
    found = judged(gave(EXACT + 5e-4))
    assert found.verdict is Verdict.RIGHT
    assert found.share == pytest.approx(0.5, rel=1e-3)


def test_what_lies_beyond_a_bound_is_wrong_and_by_how_far() -> None:
    found = judged(gave(second=SECOND.exact["y"] + 2.5e-3))
    assert found.verdict is Verdict.WRONG
    assert found.reason == "at batch = 2 (1 of 2 inputs), y is off by 2.5 times what rounding explains"
    assert found.share == pytest.approx(2.5, rel=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e3, -1e34])
def test_a_number_that_is_none_or_may_be_any_is_wrong(value: float) -> None:
    found = judged(gave([[1.0, value]]))
    assert (found.verdict, found.reason) == (
        Verdict.WRONG,
        "at batch = 1 (1 of 2 inputs), y is not finite, or off by over 1,000 times what rounding explains",
    )
    assert found.share == float("inf")


def test_another_shape_or_type_is_wrong() -> None:
    shape = judged(gave([1.0, -4.0]))
    assert shape.verdict is Verdict.WRONG
    assert shape.reason.endswith("y has the shape (2,) instead of (1, 2)")
    assert judged(gave(dtype=np.float64)) == Judged(
        Verdict.WRONG, "y is float64 instead of float32", share=float("inf")
    )


def test_an_output_that_may_not_be_off_at_all_is_right_only_then() -> None:
    case = Case("0", {}, {"y": EXACT}, {"y": 0.0})
    assert worst(judge([case], attempt(), gave())).verdict is Verdict.RIGHT
    assert worst(judge([case], attempt(), gave(EXACT + 1e-6))).verdict is Verdict.WRONG


def test_a_missing_output_is_refused() -> None:
    assert judged({}).reason == "it does not give y"


def test_a_refused_file_is_refused_on_every_input() -> None:
    assert judged({}, refused="no such operator") == Judged(Verdict.REFUSED, words="no such operator")


def test_a_refused_input_names_its_sizes() -> None:
    found = judged(gave(), refusals={"1": "batch must be 1"})
    assert found == Judged(
        Verdict.REFUSED, "at batch = 2 (1 of 2 inputs)", "batch must be 1", share=found.share
    )


def test_a_crash_outweighs_what_is_wrong() -> None:
    found = judged(gave(EXACT + 1), ended="killed by SIGSEGV")
    assert found.verdict is Verdict.CRASHED
    assert found.reason == "killed by SIGSEGV at batch = 2"
    assert judged({}, begun=(), ended="killed by SIGSEGV").reason == "killed by SIGSEGV, while it loaded"


def test_what_is_wrong_outweighs_what_is_refused() -> None:
    assert judged(gave(EXACT + 1), refusals={"1": "no"}).verdict is Verdict.WRONG


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("two\n  lines", "two lines"),
        (
            "OpenCV(4.1) /io/a/layer.cpp:12: error: (-215:Assertion failed) n >= 0 in function 'run'\n",
            "n >= 0",
        ),
        ("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : no kernel", "no kernel"),
        (
            "thread 'main' panicked at core/src/ops.rs:3:4:\nno such symbol\nstack backtrace:\n 0: x",
            "no such symbol",
        ),
        ("/usr/lib/place/model.onnx is broken", "model.onnx is broken"),
    ],
)
def test_a_sentence_keeps_what_a_user_can_use(words: str, line: str) -> None:
    assert sentence(words) == line


def test_a_long_sentence_is_cut() -> None:
    assert len(sentence("word " * 200)) <= 240
    assert sentence("word " * 200).endswith("word…")
