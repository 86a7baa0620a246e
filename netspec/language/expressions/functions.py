"""The functions that an expression may call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Any, ClassVar, NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import UNKNOWN, Dim, Unknown
from netspec.language.expressions.arithmetic import calculate
from netspec.language.expressions.comparison import compare
from netspec.language.expressions.fault import ExpressionFault
from netspec.language.expressions.nodes import Call, Node
from netspec.language.expressions.values import (
    LIST_LIMIT,
    Evaluation,
    TooLong,
    Value,
    WrongKind,
    checked_number,
    is_number,
    quoted,
)


class EmptyList(Diagnostic):
    """The least or greatest of nothing."""

    code: ClassVar[str] = "NS158"
    message: ClassVar[str] = "`{function}` of an empty list has no value"
    function: str


class ArgumentValue(Diagnostic):
    """An argument of the right kind whose value makes no sense."""

    code: ClassVar[str] = "NS159"
    message: ClassVar[str] = "`{argument}` of `{function}` must be {wanted}, not {given}"
    function: str
    argument: str
    wanted: str
    value: int

    @property
    def given(self) -> str:
        return quoted(self.value)


class Function(NamedTuple):
    """A function: how it is called, how many arguments it takes (`most` None: any number), what it gives.

    `compute` gets the call, for the places of its arguments, and their values, none of them UNKNOWN itself.
    """

    usage: str
    least: int
    most: int | None
    compute: Callable[[Call, Sequence[Value], Evaluation], Value]


def apply(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    """The value of a call; UNKNOWN when an argument is."""
    if any(isinstance(value, Unknown) for value in values):
        return UNKNOWN
    return FUNCTIONS[call.function].compute(call, values, evaluation)


def _least(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    return _extreme("<", call, values, evaluation)


def _greatest(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    return _extreme(">", call, values, evaluation)


def _extreme(relation: str, call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    """The first value that stands in `relation` to all the others."""
    items = _list(call, values[0], evaluation) if len(values) == 1 else values
    if not items:
        raise ExpressionFault.of(EmptyList(function=call.function), call)
    best = items[0]
    for place, item in enumerate(items):
        part = call.arguments[place] if len(values) > 1 else call.arguments[0]
        if isinstance(item, Unknown):
            return UNKNOWN
        _number(f"every value of `{call.function}`", item, part)
        if place and compare(relation, item, best, evaluation, call):
            best = item
    return best


def _absolute(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    value = _only_number(call, values)
    if compare("<", value, 0, evaluation, call):
        return calculate("-", 0, value, evaluation, call, call)
    return value


def _rounded(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    return _whole(round, call, values)


def _floor(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    return _whole(floor, call, values)


def _ceil(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    return _whole(ceil, call, values)


def _whole(rounding: Callable[[float], int], call: Call, values: Sequence[Value]) -> Value:
    """A number rounded to an int; symbolic dimensions are whole already."""
    value = _only_number(call, values)
    return checked_number(rounding(value), call) if isinstance(value, float) else value


def _length(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    return len(_list(call, values[0], evaluation))


def _sum(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    total: Value = 0
    for item in _list(call, values[0], evaluation):
        total = calculate("+", total, item, evaluation, call.arguments[0], call)
    return total


def _range(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    limits = [
        _int(f"every argument of `{call.function}`", value, part)
        for value, part in zip(values, call.arguments, strict=True)
    ]
    start, stop = (0, limits[0]) if len(limits) == 1 else limits[:2]
    step = limits[2] if len(limits) == 3 else 1
    if step == 0:
        raise _refused(call, 2, "step", "other than zero", step)
    # Counted by hand: Python's len() refuses ranges of 2**63 numbers and more.
    count = -((start - stop) // step) if step > 0 else -((stop - start) // -step)
    if count > LIST_LIMIT:
        raise ExpressionFault.of(TooLong(what="a list", limit=LIST_LIMIT, units="items"), call)
    evaluation.spend(max(count, 0), call)
    return list(range(start, stop, step))


def _divisible(call: Call, values: Sequence[Value], evaluation: Evaluation) -> Value:
    """`v` rounded half up to a multiple of `by`, at least `by`, and never below 90 % of `v`.

    Source:  the rounding of channel counts in the MobileNet papers' code (make_divisible).
    """
    value = _number("`v` of `divisible`", values[0], call.arguments[0])
    by = _int("`by` of `divisible`", values[1], call.arguments[1])
    if by < 1:
        raise _refused(call, 1, "by", "positive", by)

    def less(left: Value, right: Value) -> bool:
        return compare("<", left, right, evaluation, call) is True

    half_up = floor(value + by / 2) if isinstance(value, float) else value + by // 2
    rounded: Any = half_up // by * by
    if less(rounded, by):
        rounded = by
    # In whole numbers where they are whole: 0.9 is no binary fraction.
    too_small = rounded < 0.9 * value if isinstance(value, float) else less(10 * rounded, 9 * value)
    result = rounded + by if too_small else rounded
    return result if isinstance(result, Dim) else checked_number(result, call)


def _refused(call: Call, place: int, argument: str, wanted: str, value: int) -> ExpressionFault:
    diagnostic = ArgumentValue(function=call.function, argument=argument, wanted=wanted, value=value)
    return ExpressionFault.of(diagnostic, call.arguments[place])


def _only_number(call: Call, values: Sequence[Value]) -> Any:
    return _number(f"the argument of `{call.function}`", values[0], call.arguments[0])


def _number(what: str, value: Value, part: Node) -> Any:
    if is_number(value):
        return checked_number(value, part)
    if isinstance(value, Dim):
        return value
    raise ExpressionFault.of(WrongKind(what=what, wanted="a number", value=value), part)


def _int(what: str, value: Value, part: Node) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ExpressionFault.of(WrongKind(what=what, wanted="an int", value=value), part)


def _list(call: Call, value: Value, evaluation: Evaluation) -> Sequence[Value]:
    """A list argument, its items counted as steps."""
    if not isinstance(value, (list, tuple)):
        what = f"the only argument of `{call.function}`"
        raise ExpressionFault.of(WrongKind(what=what, wanted="a list", value=value), call.arguments[0])
    evaluation.spend(len(value), call)
    return value


FUNCTIONS = {
    "min": Function("min(a, b, …)", 1, None, _least),
    "max": Function("max(a, b, …)", 1, None, _greatest),
    "abs": Function("abs(x)", 1, 1, _absolute),
    "round": Function("round(x)", 1, 1, _rounded),
    "floor": Function("floor(x)", 1, 1, _floor),
    "ceil": Function("ceil(x)", 1, 1, _ceil),
    "len": Function("len(list)", 1, 1, _length),
    "sum": Function("sum(list)", 1, 1, _sum),
    "range": Function("range(start, stop, step)", 1, 3, _range),
    "divisible": Function("divisible(v, by)", 2, 2, _divisible),
}
