"""Comparisons of values: within a kind, exact on symbolic dimensions."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar, cast

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import UNKNOWN, Relation, Size, Unknown, decide
from netspec.language.expressions.arithmetic import OperandKinds, symbols_of
from netspec.language.expressions.fault import ExpressionFault, Part
from netspec.language.expressions.values import Evaluation, Value, is_number, is_size, quoted

_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class DependsOnSymbol(Diagnostic):
    """A comparison that holds for some values of a symbolic dimension and not for others."""

    code: ClassVar[str] = "NS155"
    message: ClassVar[str] = "whether {left_text} {relation} {right_text} depends on the value of {symbols}"
    left: Size
    relation: str
    right: Size

    @property
    def left_text(self) -> str:
        return quoted(self.left)

    @property
    def right_text(self) -> str:
        return quoted(self.right)

    @property
    def symbols(self) -> str:
        return symbols_of(self.left, self.right)

    @property
    def help(self) -> str:
        return "layers are the same for all sizes: constrain {symbols} under `dims`, or make it a fixed size"


def compare(relation: str, left: Value, right: Value, evaluation: Evaluation, part: Part) -> bool | Unknown:
    """`left relation right`; values compare within their kind, and only numbers have an order.

    Errors:  NS148 of different kinds; NS155 where a symbolic dimension leaves the answer open.
    """
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if is_number(left) and is_number(right):
        return _RELATIONS[relation](left, right)
    if is_size(left) and is_size(right):
        return _decided(relation, left, right, evaluation, part)
    if relation in ("==", "!="):
        equal: bool | Unknown | None = None
        if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            equal = _same_items(left, right, evaluation, part)
        elif (isinstance(left, str) and isinstance(right, str)) or (
            isinstance(left, bool) and isinstance(right, bool)
        ):
            equal = left == right
        if equal is not None:
            return equal if relation == "==" or isinstance(equal, Unknown) else not equal
    raise ExpressionFault.of(OperandKinds(operator=relation, left=left, right=right), part)


def _decided(relation: str, left: Size, right: Size, evaluation: Evaluation, part: Part) -> bool:
    answer = decide(left, cast(Relation, relation), right, evaluation.bounds)
    if answer is None:
        raise ExpressionFault.of(DependsOnSymbol(left=left, relation=relation, right=right), part)
    return answer


def _same_items(
    left: list[Value] | tuple[Value, ...],
    right: list[Value] | tuple[Value, ...],
    evaluation: Evaluation,
    part: Part,
) -> bool | Unknown:
    """Whether two lists are equal; UNKNOWN where only unknown items leave it open."""
    if len(left) != len(right):
        return False
    evaluation.spend(len(left), part)
    same: bool | Unknown = True
    for one, other in zip(left, right, strict=True):
        answer = compare("==", one, other, evaluation, part)
        if answer is False:
            return False
        if isinstance(answer, Unknown):
            same = answer
    return same
