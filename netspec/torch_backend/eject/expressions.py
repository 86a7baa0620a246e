"""Expressions of Python, of which ejected code is put together before it is laid out as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netspec.ir.dim import Dim
from netspec.torch_backend.eject.quoting import source_of


class Expr:
    """An expression; immutable, equal to what would be written the same."""

    def parts(self) -> tuple[Expr, ...]:
        """The expressions inside."""
        return ()

    def of(self, parts: Sequence[Expr]) -> Expr:
        """The same with other expressions inside, as many."""
        return self

    @property
    def kind(self) -> object:
        """What is the same of two expressions that may differ in the parts, and in literals, alone."""
        return type(self), len(self.parts())


@dataclass(frozen=True, eq=False)
class Literal(Expr):
    """A value as Python writes it; 1, 1.0 and True are three."""

    value: Any
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", source_of(self.value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


NONE = Literal(None)


@dataclass(frozen=True)
class Name(Expr):
    """A name, dots included: `torch.cat`, or a variable."""

    text: str

    @property
    def kind(self) -> object:
        return Name, self.text


@dataclass(frozen=True)
class Input(Expr):
    """The input of a layer with this number."""

    number: int


@dataclass(frozen=True)
class Reference(Expr):
    """A tensor, by its name in the graph, or by its number in a forward."""

    value: str | int

    @property
    def kind(self) -> object:
        return Reference, self.value


@dataclass(frozen=True)
class Size(Expr):
    """A symbolic size; in a forward that several instances share it has a number."""

    size: Dim | int

    @property
    def kind(self) -> object:
        return Size, self.size


@dataclass(frozen=True)
class Itself(Expr):
    """The module of the layer that is written."""


@dataclass(frozen=True)
class Module(Expr):
    """A module of the class by its path, from `base` on."""

    path: str
    base: str = "self"

    @property
    def kind(self) -> object:
        return Module, self.path, self.base


@dataclass(frozen=True)
class Attribute(Expr):
    """`of.name`."""

    base: Expr
    name: str

    def parts(self) -> tuple[Expr, ...]:
        return (self.base,)

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Attribute(parts[0], self.name)

    @property
    def kind(self) -> object:
        return Attribute, self.name


@dataclass(frozen=True)
class Item(Expr):
    """`of[index]`."""

    base: Expr
    index: int

    def parts(self) -> tuple[Expr, ...]:
        return (self.base,)

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Item(parts[0], self.index)

    @property
    def kind(self) -> object:
        return Item, self.index


@dataclass(frozen=True)
class Slice(Expr):
    """`start:end:step` inside of brackets; what is None is left out."""

    start: Expr
    end: Expr
    step: Expr

    def parts(self) -> tuple[Expr, ...]:
        return self.start, self.end, self.step

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Slice(*parts)


@dataclass(frozen=True)
class Subscript(Expr):
    """`of[first, second, ...]`."""

    base: Expr
    indices: tuple[Expr, ...]

    def parts(self) -> tuple[Expr, ...]:
        return (self.base, *self.indices)

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Subscript(parts[0], tuple(parts[1:]))


@dataclass(frozen=True)
class Tuple(Expr):
    """`(first, second, ...)`, or with brackets a list."""

    items: tuple[Expr, ...]
    brackets: str = "()"

    def parts(self) -> tuple[Expr, ...]:
        return self.items

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Tuple(tuple(parts), self.brackets)


@dataclass(frozen=True)
class Infix(Expr):
    """`left operator right`."""

    operator: str
    left: Expr
    right: Expr

    def parts(self) -> tuple[Expr, ...]:
        return self.left, self.right

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Infix(self.operator, *parts)

    @property
    def kind(self) -> object:
        return Infix, self.operator


@dataclass(frozen=True)
class Prefix(Expr):
    """`operator operand`, without a space between: `*rows`, `-x`."""

    operator: str
    operand: Expr

    def parts(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Prefix(self.operator, parts[0])

    @property
    def kind(self) -> object:
        return Prefix, self.operator


@dataclass(eq=False)
class Callee:
    """A class that is called by its name: what its arguments are when they are left out.

    `cls` is the class itself, where there is one already; `copied` says whether its source must come along.
    `leading` are the arguments that may go without their names, where all before them are given.
    """

    name: str
    defaults: dict[str, Expr] = field(default_factory=dict)
    leading: tuple[str, ...] = ()
    cls: type | None = None
    copied: bool = False


@dataclass(frozen=True)
class Argument:
    """One argument of a call; `name` is empty where it has none.

    `role` is what the number is for: values of one role that go together are one parameter of the class
    around. Those of role "size" are numbers of channels or features.
    """

    name: str
    value: Expr
    role: str = ""


@dataclass(frozen=True)
class Call(Expr):
    """`function(arguments)`, of a class that the file knows, or of any expression."""

    function: Callee | Expr
    arguments: tuple[Argument, ...] = ()

    def parts(self) -> tuple[Expr, ...]:
        function = () if isinstance(self.function, Callee) else (self.function,)
        return (*function, *(argument.value for argument in self.arguments))

    def of(self, parts: Sequence[Expr]) -> Expr:
        own = isinstance(self.function, Callee)
        function = self.function if own else parts[0]
        values = parts if own else parts[1:]
        pairs = zip(self.arguments, values, strict=True)
        return Call(function, tuple(replace(argument, value=value) for argument, value in pairs))

    @property
    def kind(self) -> object:
        function = self.function if isinstance(self.function, Callee) else None
        return Call, function, tuple(argument.name for argument in self.arguments)


def walk(expr: Expr) -> Iterator[Expr]:
    """An expression and all inside it, from the outside in, from left to right."""
    yield expr
    for part in expr.parts():
        yield from walk(part)


def rewritten(expr: Expr, rule: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with whatever the rule answers in the place of what it was asked about."""
    answer = rule(expr)
    if answer is not None:
        return answer
    parts = expr.parts()
    if not parts:
        return expr
    changed = [rewritten(part, rule) for part in parts]
    return expr if all(map(_same, parts, changed)) else expr.of(changed)


def _same(left: Expr, right: Expr) -> bool:
    return left is right


def among(exprs: Iterable[Expr], sort: type[Any]) -> Iterator[Any]:
    """Everything of a sort inside of some expressions."""
    for expr in exprs:
        yield from (part for part in walk(expr) if isinstance(part, sort))
