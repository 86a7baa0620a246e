"""Expressions of modules: blocks' instances, containers and lists, and what stands for several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netspec.ir.outline import Part
from netspec.torch_backend.eject.expressions import Expr, Literal


@dataclass(frozen=True)
class Instance(Expr):
    """The module of an instance of a block, of which it is not known yet how it is made."""

    part: Part

    @property
    def kind(self) -> object:
        return Instance, id(self.part)


@dataclass(frozen=True)
class Named(Expr):
    """Modules under their names: a chain, of which each takes what the one before gives, or a container."""

    names: tuple[str, ...]
    modules: tuple[Expr, ...]
    chain: bool

    def parts(self) -> tuple[Expr, ...]:
        return self.modules

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Named(self.names, tuple(parts), self.chain)

    @property
    def numbered(self) -> bool:
        """Whether some names are numbers."""
        return any(name.isdigit() for name in self.names)

    @property
    def kind(self) -> object:
        return Named, self.names, self.chain


@dataclass(frozen=True)
class Numbered(Expr):
    """Modules in a list: a chain, or called one by one."""

    modules: tuple[Expr, ...]
    chain: bool

    def parts(self) -> tuple[Expr, ...]:
        return self.modules

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Numbered(tuple(parts), self.chain)

    @property
    def kind(self) -> object:
        return Numbered, self.chain, tuple(shape for shape, _ in runs(self.modules))


@dataclass(frozen=True, eq=False)
class Slot(Expr):
    """A place where expressions of one shape differ: what each has there, None of one that lacks the place.

    `role` and `name` are those of the argument there, `path` the names of the modules on the way.
    """

    values: tuple[Expr | None, ...]
    name: str
    role: str
    path: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Variable(Expr):
    """What runs over a column of a list's table; it gets its name when the class is written."""

    name: str
    role: str
    path: tuple[str, ...]


class Column(tuple[Any, ...]):
    """The values that a variable takes, one after the other."""

    __slots__ = ()


@dataclass(frozen=True)
class Run(Expr):
    """`element` so many times; or once for each row of the columns, whose values the variables take."""

    element: Expr
    variables: tuple[Variable, ...]
    columns: tuple[Expr, ...]
    count: Expr

    def parts(self) -> tuple[Expr, ...]:
        return (self.element, *self.columns, self.count)

    def of(self, parts: Sequence[Expr]) -> Expr:
        return Run(parts[0], self.variables, tuple(parts[1:-1]), parts[-1])


def shape(expr: Expr) -> object:
    """What two expressions share that are the same but for their literals; lists may differ in length."""
    if isinstance(expr, Literal):
        return Literal
    if isinstance(expr, Numbered):
        return expr.kind
    return expr.kind, tuple(shape(part) for part in expr.parts())


def runs(modules: Sequence[Expr]) -> list[tuple[object, list[Expr]]]:
    """Consecutive expressions of one shape, together."""
    found: list[tuple[object, list[Expr]]] = []
    for module in modules:
        own = shape(module)
        if found and found[-1][0] == own:
            found[-1][1].append(module)
        else:
            found.append((own, [module]))
    return found
