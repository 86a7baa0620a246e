"""What an expression computes with: the kinds of values, their names in messages, and their limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import ClassVar, TypeAlias, TypeGuard

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.dim import Bounds, Dim, Unknown
from netspec.ir.tensor import TensorType
from netspec.language.expressions.fault import ExpressionFault, Part

INT_LIMIT = 2**63  # integers stay below it, and above its negative, as ONNX attributes must
LIST_LIMIT = 10_000  # items of a list, those of the lists inside it included
LIST_DEPTH_LIMIT = 64  # lists inside lists
STRING_LIMIT = 10_000  # characters of a string
STEP_LIMIT = 100_000  # operations of one evaluation; an item of a list that is worked through counts as one

Value: TypeAlias = object
"""int, float, bool, str, list, Dim, UNKNOWN, TensorType, or an operation, which is only handed on.

A bool is no number. UNKNOWN, which an earlier error left behind, makes unknown whatever is computed from it.
"""

Scope: TypeAlias = Mapping[str, Value]
"""What each `$name` stands for."""


class WrongKind(Diagnostic):
    """One value of a kind that does not fit."""

    code: ClassVar[str] = "NS149"
    message: ClassVar[str] = "{what} must be {wanted}, not {given}"
    what: str
    wanted: str
    value: Value

    @property
    def given(self) -> str:
        return kind(self.value)

    @property
    def spelled(self) -> str:
        return quoted(self.value)

    @property
    def label(self) -> str:
        return "this is {spelled}"

    @property
    def help(self) -> str:
        if isinstance(self.value, TensorType):
            return "read an attribute of it: .channels, .height, .width, .features or .shape"
        if self.wanted == CONDITION:
            return "compare it with something: `!= 0`, `== 'text'`"
        return ""


class NumberTooLarge(Diagnostic):
    """An integer or a float beyond what any network needs."""

    code: ClassVar[str] = "NS152"
    message: ClassVar[str] = "the number is too large"

    @property
    def help(self) -> str:
        return "integers stay below 2 to the power of 63 (about 9.2e18), floats below 1.8e308"


class TooLong(Diagnostic):
    """A list or a string beyond its limit."""

    code: ClassVar[str] = "NS153"
    message: ClassVar[str] = "{what} with more than {limit} {units}"
    what: str
    limit: int
    units: str


class TooManySteps(Diagnostic):
    """An expression that computes for too long."""

    code: ClassVar[str] = "NS154"
    message: ClassVar[str] = "the expression takes more than {limit} steps"
    limit: int = STEP_LIMIT

    @property
    def help(self) -> str:
        return "an item of a list that is added, compared or joined counts as one step: use shorter lists"


CONDITION = "true or false"


class Evaluation:
    """One evaluation of one expression: the ranges of symbolic dimensions, and the steps that are left."""

    __slots__ = ("_steps", "bounds")

    def __init__(self, bounds: Mapping[str, Bounds]) -> None:
        self.bounds = bounds
        self._steps = STEP_LIMIT

    def spend(self, steps: int, part: Part) -> None:
        """Count steps before they are taken."""
        self._steps -= steps
        if self._steps < 0:
            raise ExpressionFault.of(TooManySteps(), part)


def kind(value: Value) -> str:
    """What a value is, with its article: `an int`, `a list`."""
    match value:
        case bool():
            return "a bool"
        case int():
            return "an int"
        case float():
            return "a float"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case Dim():
            return "a symbolic dimension"
        case Unknown():
            return "an unknown value"
        case TensorType():
            return "a tensor"
        case None:
            return "null"
    return "an operation"


def quoted(value: Value) -> str:
    """A value as an expression would write it, cut to what a message bears."""
    return f"'{spell(value)}'" if isinstance(value, str) else spell(value)


def is_number(value: Value) -> TypeGuard[int | float]:
    """Whether a value is an int or a float; a bool is neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_size(value: Value) -> TypeGuard[int | Dim]:
    """Whether a value is an int, known or symbolic."""
    return isinstance(value, (int, Dim)) and not isinstance(value, bool)


def checked_number(value: int | float, part: Part) -> int | float:
    """`value`, where it keeps to the limits."""
    within = -INT_LIMIT < value < INT_LIMIT if isinstance(value, int) else isfinite(value)
    if not within:
        raise ExpressionFault.of(NumberTooLarge(), part)
    return value


def checked_string(value: str, part: Part) -> str:
    """`value`, where it keeps to the limit."""
    if len(value) > STRING_LIMIT:
        raise ExpressionFault.of(TooLong(what="a string", limit=STRING_LIMIT, units="characters"), part)
    return value


def checked_list(items: list[Value], part: Part, evaluation: Evaluation) -> list[Value]:
    """`items`, where they keep to the limits: a list that holds another twice counts its items twice."""
    count = 0
    pending: list[tuple[Sequence[Value], int]] = [(items, 1)]
    while pending:
        inside, depth = pending.pop()
        count += len(inside)
        if count > LIST_LIMIT:
            raise ExpressionFault.of(TooLong(what="a list", limit=LIST_LIMIT, units="items"), part)
        if depth > LIST_DEPTH_LIMIT:
            raise ExpressionFault.of(
                TooLong(what="lists inside lists", limit=LIST_DEPTH_LIMIT, units="levels"), part
            )
        evaluation.spend(len(inside), part)
        pending.extend((item, depth + 1) for item in inside if isinstance(item, (list, tuple)))
    return items
