"""Operators on values: Python's on numbers, exact on symbolic dimensions, refused between other kinds."""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from typing import Any, ClassVar

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import UNKNOWN, ComplexityError, Dim, Size, UndecidableError, Unknown
from netspec.language.expressions.fault import ExpressionFault, Part
from netspec.language.expressions.values import (
    Evaluation,
    NumberTooLarge,
    Value,
    checked_list,
    checked_number,
    checked_string,
    is_number,
    is_size,
    kind,
    quoted,
)

_CALCULATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": python.add,
    "-": python.sub,
    "*": python.mul,
    "/": python.truediv,
    "//": python.floordiv,
    "%": python.mod,
}
_DEEDS = {
    "+": "add {left_kind} and {right_kind}",
    "-": "subtract {right_kind} from {left_kind}",
    "*": "multiply {left_kind} by {right_kind}",
    "/": "divide {left_kind} by {right_kind}",
    "//": "divide {left_kind} by {right_kind}",
    "%": "take {left_kind} modulo {right_kind}",
    "==": "compare {left_kind} with {right_kind}",
    "!=": "compare {left_kind} with {right_kind}",
}
_ORDERS = ("<", "<=", ">", ">=")
_ORDER = "order {left_kind} and {right_kind}"


class OperandKinds(Diagnostic):
    """Two values whose kinds the operator does not join."""

    code: ClassVar[str] = "NS148"
    message: ClassVar[str] = "`{operator}` cannot {deed}"
    operator: str
    left: Value
    right: Value

    @property
    def left_kind(self) -> str:
        return kind(self.left)

    @property
    def right_kind(self) -> str:
        return kind(self.right)

    @property
    def deed(self) -> str:
        return self.fill(_DEEDS.get(self.operator, _ORDER))

    @property
    def left_text(self) -> str:
        return quoted(self.left)

    @property
    def right_text(self) -> str:
        return quoted(self.right)

    @property
    def label(self) -> str:
        return "this is {left_text} {operator} {right_text}"

    @property
    def help(self) -> str:
        kinds = {self.left_kind, self.right_kind}
        if "a tensor" in kinds:
            return "read an attribute of the tensor: .channels, .height, .width, .features or .shape"
        if "a symbolic dimension" in kinds and self.operator == "/":
            return "`//` divides symbolic dimensions, and rounds down"
        if "a symbolic dimension" in kinds and "a float" in kinds:
            return "symbolic dimensions are whole numbers: write `* 3 // 2` for `* 1.5`"
        if kinds in ({"a string", "an int"}, {"a string", "a float"}):
            return "a number is written without quotes"
        if kinds in ({"a bool", "an int"}, {"a bool", "a float"}):
            return "true and false are not numbers: write `1 if condition else 0`"
        if self.operator in _ORDERS:
            return "only numbers have an order"
        return ""


class DivisionByZero(Diagnostic):
    """`/`, `//` or `%` by zero."""

    code: ClassVar[str] = "NS150"
    message: ClassVar[str] = "division by zero: {dividend_text} {operator} {divisor}"
    operator: str
    dividend: Value
    divisor: Value

    @property
    def dividend_text(self) -> str:
        return quoted(self.dividend)


class UnevenQuotient(Diagnostic):
    """A division by a symbolic dimension that does not always come out even."""

    code: ClassVar[str] = "NS133"
    message: ClassVar[str] = "whether {divisor_text} divides {dividend_text} depends on their values"
    dividend: Value
    divisor: Value

    @property
    def dividend_text(self) -> str:
        return quoted(self.dividend)

    @property
    def divisor_text(self) -> str:
        return quoted(self.divisor)

    @property
    def help(self) -> str:
        return "divide by a number, or give the input a fixed size"


class TooComplex(Diagnostic):
    """A symbolic dimension that grew beyond what can be reasoned about."""

    code: ClassVar[str] = "NS156"
    message: ClassVar[str] = "the arithmetic of {symbols} becomes too large to reason about"
    left: Size
    right: Size

    @property
    def symbols(self) -> str:
        return symbols_of(self.left, self.right)

    @property
    def help(self) -> str:
        return "use fewer symbolic dimensions, or give the input a fixed size"


def symbols_of(*sizes: Size) -> str:
    """The symbolic dimensions that sizes depend on, as a message names them."""
    found = [size.symbols for size in sizes if isinstance(size, Dim)]
    return " and ".join(sorted(frozenset().union(*found)))


def calculate(
    operator: str, left: Value, right: Value, evaluation: Evaluation, part: Part, divisor: Part
) -> Value:
    """`left operator right` for one of `+ - * / // %`; `part` and `divisor` are what a fault points at."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if is_number(left) and is_number(right):
        return _numeric(operator, left, right, part, divisor)
    if is_size(left) and is_size(right) and operator != "/":
        return _symbolic(operator, left, right, part, divisor)
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        return checked_string(left + right, part)
    if operator == "+" and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return checked_list([*left, *right], part, evaluation)
    raise ExpressionFault.of(OperandKinds(operator=operator, left=left, right=right), part)


def _numeric(operator: str, left: int | float, right: int | float, part: Part, divisor: Part) -> int | float:
    try:
        return checked_number(_CALCULATIONS[operator](left, right), part)
    except ZeroDivisionError:
        diagnostic = DivisionByZero(operator=operator, dividend=left, divisor=right)
        raise ExpressionFault.of(diagnostic, divisor) from None
    except OverflowError:  # of an integer that no float can hold
        raise ExpressionFault.of(NumberTooLarge(), part) from None


def _symbolic(operator: str, left: int | Dim, right: int | Dim, part: Part, divisor: Part) -> Size:
    try:
        result: Size = _CALCULATIONS[operator](left, right)
    except ZeroDivisionError:
        diagnostic = DivisionByZero(operator=operator, dividend=left, divisor=right)
        raise ExpressionFault.of(diagnostic, divisor) from None
    except UndecidableError as error:
        uneven = UnevenQuotient(dividend=error.dividend, divisor=error.divisor)
        raise ExpressionFault.of(uneven, part) from None
    except ComplexityError:
        raise ExpressionFault.of(TooComplex(left=left, right=right), part) from None
    if isinstance(result, int):
        checked_number(result, part)
    return result
