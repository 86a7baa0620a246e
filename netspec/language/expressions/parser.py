"""Tokens -> tree, by precedence climbing; Python's precedences."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from netspec.diagnostics import Diagnostic, nearest, printable
from netspec.language.expressions.fault import ExpressionFault
from netspec.language.expressions.functions import FUNCTIONS
from netspec.language.expressions.lexer import KEYWORDS, Token, tokens
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
    children,
)
from netspec.language.expressions.tensors import ATTRIBUTES

NESTING_LIMIT = 50  # brackets inside brackets, and operations inside operations

# Binary operators by how tightly they bind; `not` stands between `and` and the comparisons.
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT = range(1, 7)
_POWER = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _COMPARISON),
    **dict.fromkeys(("+", "-"), _SUM),
    **dict.fromkeys(("*", "/", "//", "%"), _PRODUCT),
}


class NestedTooDeep(Diagnostic):
    """More nesting than anybody can read."""

    code: ClassVar[str] = "NS131"
    message: ClassVar[str] = "the expression is nested more than {limit} deep"
    limit: int = NESTING_LIMIT


class UnexpectedPart(Diagnostic):
    """A missing value or operator, or something behind the end."""

    code: ClassVar[str] = "NS139"
    message: ClassVar[str] = "expected {expected}{place}, found {found}"
    expected: str
    after: str
    found: str

    @property
    def place(self) -> str:
        return f" after `{self.after}`" if self.after else ""

    @property
    def help(self) -> str:
        return "put the `not` and its operand into parentheses" if self.found == "`not`" else ""


class UnclosedBracket(Diagnostic):
    """An opening bracket without its partner."""

    code: ClassVar[str] = "NS140"
    message: ClassVar[str] = "`{bracket}` is never closed"
    bracket: str


class StrayBracket(Diagnostic):
    """A closing bracket that closes nothing, or the wrong one."""

    code: ClassVar[str] = "NS141"
    message: ClassVar[str] = "`{bracket}` closes {what}"
    bracket: str
    opened: str = ""

    @property
    def what(self) -> str:
        return f"nothing: the open one is `{self.opened}`" if self.opened else "nothing: no bracket is open"


class BareWord(Diagnostic):
    """A word that is neither a keyword nor a call."""

    code: ClassVar[str] = "NS142"
    message: ClassVar[str] = "`{word}` means nothing by itself"
    word: str

    @property
    def suggestion(self) -> str | None:
        return nearest(self.word, KEYWORDS)

    @property
    def help(self) -> str:
        if self.word in FUNCTIONS:
            return "it is a function: write `{word}(…)`; a parameter of this name is `${word}`"
        if self.suggestion:
            return "did you mean `{suggestion}`? a name is written `${word}`, text '{word}'"
        return "a name is written with a dollar, `${word}`; text in quotes, '{word}'"


class UnknownFunction(Diagnostic):
    """A call of something that is not among the functions."""

    code: ClassVar[str] = "NS143"
    message: ClassVar[str] = "there is no function `{name}`"
    name: str
    known: str = ", ".join(FUNCTIONS)

    @property
    def suggestion(self) -> str | None:
        return nearest(self.name, FUNCTIONS)

    @property
    def help(self) -> str:
        return "did you mean `{suggestion}`?" if self.suggestion else "the functions are {known}"


class NotCallable(Diagnostic):
    """A call of a value."""

    code: ClassVar[str] = "NS144"
    message: ClassVar[str] = "`{called}` cannot be called"
    called: str
    known: str = ", ".join(FUNCTIONS)

    @property
    def function(self) -> str:
        return self.called.removeprefix("$")

    @property
    def help(self) -> str:
        if self.function in FUNCTIONS:
            return "functions are written without a dollar: `{function}(…)`"
        return "only the functions can be: {known}"


class ArgumentCount(Diagnostic):
    """Too few or too many arguments."""

    code: ClassVar[str] = "NS145"
    message: ClassVar[str] = "`{usage}` takes {wanted}, not {given}"
    function: str
    given: int

    @property
    def usage(self) -> str:
        return FUNCTIONS[self.function].usage

    @property
    def wanted(self) -> str:
        least, most = FUNCTIONS[self.function].least, FUNCTIONS[self.function].most
        count = f"at least {least}" if most is None else f"{least}" if least == most else f"{least} to {most}"
        return f"{count} argument" if least == 1 and most in (None, 1) else f"{count} arguments"


class UnknownAttribute(Diagnostic):
    """Anything behind a dot but the five attributes."""

    code: ClassVar[str] = "NS146"
    message: ClassVar[str] = "there is no attribute `.{name}`"
    name: str
    known: str = ", ".join(f".{name}" for name in ATTRIBUTES)

    @property
    def suggestion(self) -> str | None:
        return nearest(self.name, ATTRIBUTES)

    @property
    def help(self) -> str:
        return "did you mean `.{suggestion}`?" if self.suggestion else "the attributes are {known}"


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The tree of an expression; raises ExpressionFault. The same text is parsed once."""
    root = _Parser(text).whole()
    read: set[str] = set()
    # Recursive readers of the tree rely on this bound. The walk itself needs a list, not recursion.
    pending = [(root, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > NESTING_LIMIT + 1:  # the values at the bottom are nested in operations, not operations
            raise ExpressionFault.of(NestedTooDeep(), node)
        if isinstance(node, Name):
            read.add(node.name)
        pending.extend((child, depth + 1) for child in children(node))
    return Expression(text, root, frozenset(read))


def names(expression: Expression) -> frozenset[str]:
    """The `$names` that an expression reads, without their dollars."""
    return expression.names


class _Parser:
    """One reading of one text. A method reads what it is named for, from the token at `_at`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._token.kind != "end":
            if self._token.value in (")", "]"):
                raise ExpressionFault.of(StrayBracket(bracket=str(self._token.value)), self._token)
            raise self._unexpected("an operator or the end")
        return node

    def _expression(self) -> Node:
        chosen = self._binary(_OR)
        if not self._take("if"):
            return chosen
        condition = self._binary(_OR)
        if not self._take("else"):
            raise self._unexpected("`else`")
        self._enter()
        otherwise = self._expression()
        self._depth -= 1
        return Conditional(chosen.start, otherwise.end, chosen, condition, otherwise)

    def _binary(self, floor: int) -> Node:
        """Operators that bind at least as tightly as `floor`."""
        self._enter()
        node = self._operand(floor)
        while (power := self._power()) >= floor:
            rest: list[tuple[str, Node]] = []
            while self._power() == power:
                operator = str(self._next().value)
                rest.append((operator, self._binary(power + 1)))
            node = _joined(power, node, tuple(rest))
        self._depth -= 1
        return node

    def _operand(self, floor: int) -> Node:
        """A value with the signs before it and the items and attributes behind it."""
        token = self._token
        if floor <= _NOT and self._take("not"):
            operand = self._binary(_NOT)
            return Not(token.start, operand.end, operand)
        if self._take("-"):
            self._enter()
            operand = self._operand(_PRODUCT + 1)
            self._depth -= 1
            return Negation(token.start, operand.end, operand)
        base = self._value()
        steps: list[Item | Attribute] = []
        while True:
            token = self._token
            if token.kind == "member":
                if token.value not in ATTRIBUTES:
                    raise ExpressionFault.of(UnknownAttribute(name=str(token.value)), token)
                self._next()
                steps.append(Attribute(token.start, token.end, str(token.value)))
            elif self._take("["):
                index = self._expression()
                steps.append(Item(token.start, self._close(token), index))
            elif token.value == "(" and token.kind == "sign":
                called = printable(self._text[base.start : token.start].strip())
                raise ExpressionFault(NotCallable(called=called), base.start, token.end)
            else:
                return Access(base.start, steps[-1].end, base, tuple(steps)) if steps else base

    def _value(self) -> Node:
        token = self._next()
        match token.kind, token.value:
            case (("number" | "string"), value):
                return Literal(token.start, token.end, value)
            case "name", value:
                return Name(token.start, token.end, str(value))
            case "sign", ("true" | "false") as value:
                return Literal(token.start, token.end, value == "true")
            case "sign", "(":
                node = self._expression()
                node.start, node.end = token.start, self._close(token)
                return node
            case "sign", "[":
                items, end = self._items(token)
                return ListOf(token.start, end, items)
            case "word", value:
                return self._call(token, str(value))
        self._at -= 1
        raise self._unexpected("a value")

    def _call(self, word: Token, name: str) -> Node:
        opening = self._token
        if not self._take("("):
            raise ExpressionFault.of(BareWord(word=name), word)
        if name not in FUNCTIONS:
            raise ExpressionFault.of(UnknownFunction(name=name), word)
        arguments, end = self._items(opening)
        function = FUNCTIONS[name]
        if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
            raise ExpressionFault(ArgumentCount(function=name, given=len(arguments)), word.start, end)
        return Call(word.start, end, name, arguments)

    def _items(self, opening: Token) -> tuple[tuple[Node, ...], int]:
        """What stands between brackets, separated by commas; one may stand behind the last, as in Python."""
        closing = _CLOSING[opening.value]
        items: list[Node] = []
        while self._token.kind != "sign" or self._token.value != closing:
            items.append(self._expression())
            if not self._take(","):
                break
        return tuple(items), self._close(opening)

    def _close(self, opening: Token) -> int:
        """Read the bracket that closes `opening`; gives the offset behind it."""
        token = self._token
        if self._take(_CLOSING[opening.value]):
            return token.end
        if token.kind == "end":
            raise ExpressionFault.of(UnclosedBracket(bracket=str(opening.value)), opening)
        if token.kind == "sign" and token.value in (")", "]"):
            raise ExpressionFault.of(StrayBracket(bracket=str(token.value), opened=str(opening.value)), token)
        raise self._unexpected(f"an operator or `{_CLOSING[opening.value]}`")

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, sign: str) -> bool:
        token = self._tokens[self._at]
        if token.kind != "sign" or token.value != sign:
            return False
        self._at += 1
        return True

    def _power(self) -> int:
        """How tightly the operator at hand binds; 0 where no operator stands."""
        token = self._tokens[self._at]
        return _POWER.get(str(token.value), 0) if token.kind == "sign" else 0

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > NESTING_LIMIT + 1:
            raise ExpressionFault.of(NestedTooDeep(), self._token)

    def _unexpected(self, expected: str) -> ExpressionFault:
        token = self._token
        previous = self._tokens[self._at - 1] if self._at else None
        after = printable(self._text[previous.start : previous.end]) if previous else ""
        if token.kind == "end":
            found = "the end of the expression"
            # An empty place at the end is hard to see; what stands before it is what lacks something.
            start, end = (previous.start, previous.end) if previous else (0, len(self._text))
        else:
            found = f"`{printable(self._text[token.start : token.end])}`"
            start, end = token.start, token.end
        return ExpressionFault(UnexpectedPart(expected=expected, after=after, found=found), start, end)


_CLOSING: dict[int | float | str, str] = {"(": ")", "[": "]"}


def _joined(power: int, first: Node, rest: tuple[tuple[str, Node], ...]) -> Node:
    """One node for operators of one precedence."""
    start, end = first.start, rest[-1][1].end
    if power >= _SUM:
        return Arithmetic(start, end, first, rest)
    if power == _COMPARISON:
        return Comparison(start, end, first, rest)
    operands = (first, *(operand for _, operand in rest))
    return AnyOf(start, end, operands) if power == _OR else AllOf(start, end, operands)
