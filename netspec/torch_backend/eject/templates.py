"""Several expressions as one, with slots where they differ; and lists as runs over tables of values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from netspec.torch_backend.eject.expressions import (
    Attribute,
    Call,
    Expr,
    Infix,
    Literal,
    Name,
    Tuple,
    among,
    rewritten,
)
from netspec.torch_backend.eject.modules import Column, Named, Numbered, Run, Slot, Variable, runs
from netspec.torch_backend.eject.statements import Line, Loop, Statement

SOFT = frozenset({"groups", "shape", "unflattened_size"})
"""Roles of numbers that may be those of channels too."""


VARIABLES_LIMIT = 6  # columns of a table that can still be read


@dataclass(frozen=True)
class Place:
    """Where in a class an expression is: the modules on the way, the argument, and what that is for."""

    path: tuple[str, ...] = ()
    name: str = ""
    role: str = ""

    def slot(self, values: Sequence[Expr | None]) -> Slot:
        return Slot(tuple(values), self.name, self.role, self.path)


def unified(exprs: Sequence[Expr | None], place: Place) -> Expr:
    """What all the expressions are, but for its slots; None stands for one that is not there."""
    present = [expr for expr in exprs if expr is not None]
    first = present[0]
    if all(isinstance(expr, Literal) for expr in present):
        alike = all(expr == first for expr in present)
        return first if alike and len(present) == len(exprs) else place.slot(exprs)
    if any(expr.kind != first.kind for expr in present[1:]):
        return place.slot([None if expr is None else _literal(expr) for expr in exprs])
    if isinstance(first, Numbered):
        return _unified_lists([expr for expr in exprs if expr is None or isinstance(expr, Numbered)], place)
    columns = [None if expr is None else expr.parts() for expr in exprs]
    parts = [
        unified([None if column is None else column[number] for column in columns], inner)
        for number, inner in enumerate(_places(first, place))
    ]
    return first.of(parts) if parts else first


def _literal(expr: Expr) -> Expr:
    """A tuple of literals as one literal."""
    if isinstance(expr, Tuple) and all(isinstance(item, Literal) for item in expr.items):
        return Literal(tuple(item.value for item in expr.items if isinstance(item, Literal)))
    return expr


def _places(expr: Expr, place: Place) -> Iterator[Place]:
    """The place of each part of an expression."""
    if isinstance(expr, Call):
        word = expr.function.name if isinstance(expr.function, Attribute) else place.name
        if isinstance(expr.function, Name):
            word = expr.function.text.rpartition(".")[2]
        if isinstance(expr.function, Expr):
            yield place
        for argument in expr.arguments:
            yield Place(place.path, argument.name or word, argument.role)
    elif isinstance(expr, Named):
        for name in expr.names:
            yield replace(place, path=(*place.path, name))
    elif isinstance(expr, Infix):
        yield from (replace(place, name="other"),) * 2
    else:
        yield from (place,) * len(expr.parts())


def _unified_lists(lists: Sequence[Numbered | None], place: Place) -> Expr:
    """Lists whose runs have the same shapes: a run is one module for each row of a table."""
    divided = [None if modules is None else runs(modules.modules) for modules in lists]
    present = next(modules for modules in lists if modules is not None)
    count = len(runs(present.modules))
    found: list[Expr] = []
    for number in range(count):
        lists_ = [[] if own is None else own[number][1] for own in divided]
        run = _run(lists_, place)
        if isinstance(run, Run) and (_is_wide(run) or (_is_awkward(run) and len(set(map(len, lists_))) == 1)):
            found += [unified(modules, place) for modules in zip_longest(*lists_)]
        else:
            found.append(run)
    return Numbered(tuple(found), present.chain)


def _is_wide(run: Run) -> bool:
    return len(run.variables) > VARIABLES_LIMIT


def _is_awkward(run: Run) -> bool:
    """Whether the table is not the same for all instances."""
    return any(isinstance(column, Slot) for column in run.columns)


def _run(lists: Sequence[Sequence[Expr]], place: Place) -> Expr:
    """One run of each list; all modules in all of them have one shape."""
    element = unified([module for modules in lists for module in modules], place)
    replaced: dict[int, Expr] = {}
    table: list[tuple[Variable, list[Slot]]] = []
    for slot in among([element], Slot):
        rows = _rows(slot, lists)
        if all(len(set(row)) <= 1 for row in rows):
            replaced[id(slot)] = _spread(slot, [row[0] if row else None for row in rows])
            continue
        for variable, slots in table:
            if goes_with(slot, slots[0]):
                slots.append(slot)
                replaced[id(slot)] = variable
                break
        else:
            table.append((Variable(slot.name, slot.role, slot.path), [slot]))
            replaced[id(slot)] = table[-1][0]
    element = rewritten(element, lambda expr: replaced.get(id(expr)))
    variables = tuple(variable for variable, _ in table)
    columns = tuple(_column(slots, lists) for _, slots in table)
    lengths = [Literal(len(modules)) if modules else None for modules in lists]
    count = unified(lengths, Place(place.path, "count", "count"))
    if not variables and count == Literal(1):
        return element
    return Run(element, variables, columns, count)


def _rows(slot: Slot, lists: Sequence[Sequence[Expr]]) -> list[tuple[Expr | None, ...]]:
    """A slot's values, list by list."""
    values = iter(slot.values)
    return [tuple(next(values) for _ in modules) for modules in lists]


def _spread(slot: Slot, values: Sequence[Expr | None]) -> Expr:
    """A slot that has one value a list."""
    return unified(values, Place(slot.path, slot.name, slot.role))


def _column(slots: Sequence[Slot], lists: Sequence[Sequence[Expr]]) -> Expr:
    """The values that go with a variable, as one literal a list."""
    slot = slots[0]
    columns = [
        Literal(Column(value.value for value in row if isinstance(value, Literal))) if row else None
        for row in _rows(slot, lists)
    ]
    return unified(columns, Place(slot.path, f"{slot.name}_list", f"{slot.role} list"))


def goes_with(one: Slot, other: Slot) -> bool:
    """Whether two slots have the same values for the same reason, so far as they have any."""
    if one.role != other.role and not ({one.role, other.role} <= SOFT | {"size"}):
        return False
    if one.role in SOFT and one.role == other.role and one.name != other.name:
        return False
    literals = all(value is None or isinstance(value, Literal) for value in (*one.values, *other.values))
    pairs = zip(one.values, other.values, strict=True)
    return literals and all(left is None or right is None or left == right for left, right in pairs)


def unified_lines(lines: Sequence[Sequence[Line]]) -> tuple[Line, ...]:
    """Forwards of one form as one, with slots where their literals differ."""
    found: list[Line] = []
    for same in zip(*lines, strict=True):
        first = same[0]
        if isinstance(first, Loop):
            bodies = [line.body for line in same if isinstance(line, Loop)]
            found.append(replace(first, body=unified_lines(bodies)))
        else:
            outputs = [line.outputs for line in same if isinstance(line, Statement)]
            path = tuple(name for name in first.own.split(".") if not name.isdigit())
            whole = tuple(unified(ports, Place(path)) for ports in zip(*outputs, strict=True))
            found.append(replace(first, outputs=whole))
    return tuple(found)
