"""Tree -> value: one method for each kind of node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from netspec.diagnostics import Diagnostic, nearest
from netspec.ir.dim import Bounds, Dim, Unknown
from netspec.ir.tensor import TensorType
from netspec.language.expressions.arithmetic import calculate
from netspec.language.expressions.comparison import compare
from netspec.language.expressions.fault import ExpressionFault, Part
from netspec.language.expressions.functions import FUNCTIONS, apply
from netspec.language.expressions.lexer import KEYWORDS
from netspec.language.expressions.nodes import (
    Access,
    AllOf,
    AnyOf,
    Arithmetic,
    Attribute,
    Call,
    Comparison,
    Conditional,
    Expression,
    Item,
    ListOf,
    Literal,
    Name,
    Negation,
    Node,
    Not,
)
from netspec.language.expressions.tensors import attribute
from netspec.language.expressions.values import (
    CONDITION,
    Evaluation,
    Scope,
    Value,
    WrongKind,
    checked_list,
    checked_number,
    is_number,
    quoted,
)

_LISTED_NAMES = 8  # names that a message lists; more would bury it


class UnknownName(Diagnostic):
    """A `$name` that means nothing here."""

    code: ClassVar[str] = "NS147"
    message: ClassVar[str] = "there is no `${name}` here"
    name: str
    scope: tuple[str, ...]

    @property
    def suggestion(self) -> str | None:
        return nearest(self.name, self.scope)

    @property
    def listed(self) -> str:
        return ", ".join(f"`${name}`" for name in self.scope[:_LISTED_NAMES])

    @property
    def help(self) -> str:
        if self.name in KEYWORDS or self.name in FUNCTIONS:
            return "`{name}` is written without a dollar"
        if self.suggestion:
            return "did you mean `${suggestion}`?"
        if len(self.scope) > _LISTED_NAMES:
            return "the names here include {listed}"
        return "the names here are {listed}" if self.scope else "no name is known here"


class IndexOutOfRange(Diagnostic):
    """An item that a list does not have."""

    code: ClassVar[str] = "NS151"
    message: ClassVar[str] = "there is no item {index_text} in a list of {length_text}"
    index: int
    length: int

    @property
    def index_text(self) -> str:
        return quoted(self.index)

    @property
    def length_text(self) -> str:
        return f"{self.length} item" if self.length == 1 else f"{self.length} items"

    @property
    def last(self) -> int:
        return self.length - 1

    @property
    def help(self) -> str:
        return "items are counted from 0 to {last}, or from the end: -1 is the last" if self.length else ""


def evaluate(
    expression: Expression, scope: Scope, bounds: Mapping[str, Bounds] = MappingProxyType({})
) -> Value:
    """The value of an expression where each `$name` stands for what `scope` holds; raises ExpressionFault.

    `bounds` are the ranges of the symbolic dimensions, with which comparisons of them are decided. Lists
    are new; an operation is handed on as it is. A tensor is no result: only its attributes are values.
    """
    return _Interpreter(scope, bounds).result(expression.root, "the value")


def evaluate_condition(
    expression: Expression, scope: Scope, bounds: Mapping[str, Bounds] = MappingProxyType({})
) -> bool | Unknown:
    """As `evaluate`, of an expression that must be true or false."""
    return _Interpreter(scope, bounds).condition(expression.root, "the condition")


class _Interpreter:
    """One evaluation in one scope."""

    def __init__(self, scope: Scope, bounds: Mapping[str, Bounds]) -> None:
        self._scope = scope
        self._evaluation = Evaluation(bounds)

    def result(self, node: Node, what: str) -> Value:
        """A value that leaves the expression, or is put into a list: anything but a tensor."""
        value = self.value(node)
        if isinstance(value, TensorType):
            wanted = "a number, a string, a list or an operation"
            raise ExpressionFault.of(WrongKind(what=what, wanted=wanted, value=value), node)
        return value

    def condition(self, node: Node, what: str) -> bool | Unknown:
        value = self.value(node)
        if isinstance(value, (bool, Unknown)):
            return value
        raise ExpressionFault.of(WrongKind(what=what, wanted=CONDITION, value=value), node)

    def value(self, node: Node) -> Value:
        self._evaluation.spend(1, node)
        return _METHODS[type(node)](self, node)

    def _literal(self, node: Literal) -> Value:
        return node.value

    def _name(self, node: Name) -> Value:
        try:
            return self._scope[node.name]
        except KeyError:
            unknown = UnknownName(name=node.name, scope=tuple(self._scope))
            raise ExpressionFault.of(unknown, node) from None

    def _list(self, node: ListOf) -> Value:
        items = [self.result(item, "an item of a list") for item in node.items]
        return checked_list(items, node, self._evaluation)

    def _access(self, node: Access) -> Value:
        value = self.value(node.base)
        end = node.base.end
        for step in node.steps:
            if isinstance(value, Unknown):
                return value
            before = Node(node.base.start, end)
            if isinstance(step, Item):
                value = self._item(value, step, before)
            else:
                value = _attribute(value, step, before)
            end = step.end
        return value

    def _item(self, value: Value, step: Item, before: Part) -> Value:
        if not isinstance(value, (list, tuple)):
            raise ExpressionFault.of(WrongKind(what="what has items", wanted="a list", value=value), before)
        index = self.value(step.index)
        if isinstance(index, Unknown):
            return index
        if isinstance(index, bool) or not isinstance(index, int):
            raise ExpressionFault.of(WrongKind(what="an index", wanted="an int", value=index), step.index)
        if not -len(value) <= index < len(value):
            raise ExpressionFault.of(IndexOutOfRange(index=index, length=len(value)), step.index)
        return value[index]

    def _call(self, node: Call) -> Value:
        return apply(node, [self.value(argument) for argument in node.arguments], self._evaluation)

    def _negation(self, node: Negation) -> Value:
        value = self.value(node.operand)
        if isinstance(value, Unknown):
            return value
        # Negated as it is: 0 - value would lose the sign of a float zero.
        if is_number(value):
            return checked_number(-value, node)
        if isinstance(value, Dim):
            return -value
        wrong = WrongKind(what="the operand of `-`", wanted="a number", value=value)
        raise ExpressionFault.of(wrong, node.operand)

    def _not(self, node: Not) -> Value:
        value = self.condition(node.operand, "the operand of `not`")
        return value if isinstance(value, Unknown) else not value

    def _arithmetic(self, node: Arithmetic) -> Value:
        value = self.value(node.first)
        for operator, operand in node.rest:
            part = Node(node.first.start, operand.end)
            value = calculate(operator, value, self.value(operand), self._evaluation, part, operand)
        return value

    def _comparison(self, node: Comparison) -> Value:
        left, start = self.value(node.first), node.first.start
        for relation, operand in node.rest:
            right = self.value(operand)
            answer = compare(relation, left, right, self._evaluation, Node(start, operand.end))
            if answer is not True:
                return answer
            left, start = right, operand.start
        return True

    def _all_of(self, node: AllOf) -> Value:
        for operand in node.operands:
            answer = self.condition(operand, "each side of `and`")
            if answer is not True:
                return answer
        return True

    def _any_of(self, node: AnyOf) -> Value:
        for operand in node.operands:
            answer = self.condition(operand, "each side of `or`")
            if answer is not False:
                return answer
        return False

    def _conditional(self, node: Conditional) -> Value:
        condition = self.condition(node.condition, "what stands behind `if`")
        if isinstance(condition, Unknown):
            return condition
        return self.value(node.chosen if condition else node.otherwise)


def _attribute(value: Value, step: Attribute, before: Part) -> Value:
    if not isinstance(value, TensorType):
        what = f"what has `.{step.name}`"
        raise ExpressionFault.of(WrongKind(what=what, wanted="a tensor", value=value), before)
    return attribute(value, step.name, step)


_METHODS: dict[type[Node], Callable[[_Interpreter, Any], Value]] = {
    Literal: _Interpreter._literal,
    Name: _Interpreter._name,
    ListOf: _Interpreter._list,
    Access: _Interpreter._access,
    Call: _Interpreter._call,
    Negation: _Interpreter._negation,
    Not: _Interpreter._not,
    Arithmetic: _Interpreter._arithmetic,
    Comparison: _Interpreter._comparison,
    AllOf: _Interpreter._all_of,
    AnyOf: _Interpreter._any_of,
    Conditional: _Interpreter._conditional,
}
