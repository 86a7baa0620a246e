"""The classes of a file: one for all instances of a block that are alike, made with what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from netspec.ir.graph import Value
from netspec.ir.outline import Part
from netspec.torch_backend.eject.expressions import (
    NONE,
    Argument,
    Call,
    Callee,
    Expr,
    Infix,
    Literal,
    Name,
    among,
    rewritten,
)
from netspec.torch_backend.eject.merging import Cluster, clusters
from netspec.torch_backend.eject.modules import Instance, Slot
from netspec.torch_backend.eject.naming import unused, with_named_variables
from netspec.torch_backend.eject.parameters import SIZE, Ends, Parameter, parameters
from netspec.torch_backend.eject.program import Program
from netspec.torch_backend.eject.statements import Line, expressions, mapped
from netspec.torch_backend.eject.templates import Place, unified, unified_lines

LEADING = 2  # arguments of a block that go without their names
ATTRIBUTES = frozenset(dir(nn.Module))


@dataclass(eq=False)
class Class:
    """A class as it will be written.

    modules: how each of its modules is made, by name; where `conditions` has one, only if that holds.
    parameters: what its constructor takes; those in `stored` the forward needs too.
    arguments: what every instance is made with, by the name of its part.
    """

    callee: Callee
    program: Program
    lines: tuple[Line, ...] = ()
    modules: dict[str, Expr] = field(default_factory=dict)
    conditions: dict[str, Expr] = field(default_factory=dict)
    parameters: list[Parameter] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, tuple[Argument, ...]] = field(default_factory=dict)
    finished: bool = False


class Classes:
    """Makes the classes of a network's programs; those inside come before those around them."""

    def __init__(self, programs: Mapping[str, Program], network: str, taken: Iterable[str]) -> None:
        self.made: list[Class] = []
        self.reserved = frozenset({*taken, "self"})
        self._of: dict[str, tuple[Class, Cluster]] = {}
        in_order = [programs[part.name] for part in _parts(programs[""].part)]
        names = _names(clusters(in_order), network, set(taken))
        for cluster, name in names:
            cls = Class(Callee(name), cluster[0].program)
            for member in cluster:
                self._of[member.program.part.name] = cls, cluster
        self._started: set[int] = set()
        self._finish(self._of[""][0], self._of[""][1])

    def resolved(self, expr: Expr) -> Expr:
        """The expression with the calls that make instances of blocks, of classes that are finished."""

        def rule(part: Expr) -> Expr | None:
            if not isinstance(part, Instance):
                return None
            cls, _ = self._of[part.part.name]
            if not cls.finished:
                return part
            given = cls.arguments[part.part.name]
            call = Call(cls.callee, given)
            return call.of([self.resolved(argument.value) for argument in given])

        return rewritten(expr, rule)

    def _finish(self, cls: Class, cluster: Cluster) -> None:
        """Make a class, and before it those of the blocks inside."""
        self._started.add(id(cls))
        for member in cluster:
            for instance in among(member.program.modules.values(), Instance):
                inner, its = self._of[instance.part.name]
                if id(inner) not in self._started:
                    self._finish(inner, its)
        modules = {name: self._unified(name, cluster) for name in cls.program.modules}
        lines = unified_lines([member.lines for member in cluster])
        slots = [*among(modules.values(), Slot), *among(expressions(lines), Slot)]
        found, literals = parameters(slots, _ends([member.program.part for member in cluster]))
        for parameter in found:
            if parameter.name in self.reserved:
                parameter.name += "_"
        values = literals | {
            id(slot): parameter.derived or Name(parameter.name)
            for parameter in found
            for slot in parameter.slots
        }
        cls.parameters = _ordered([parameter for parameter in found if parameter.derived is None])
        cls.conditions = self._conditions(cls, cluster)
        names = {*self.reserved, *(parameter.name for parameter in cls.parameters)}
        cls.modules = {
            name: with_named_variables(_filled(module, values), names) for name, module in modules.items()
        }
        in_forward = {id(slot) for slot in among(expressions(lines), Slot)}
        for parameter in cls.parameters:
            if any(id(slot) in in_forward for slot in parameter.slots):
                taken = {*cls.modules, *ATTRIBUTES, *cls.stored.values()}
                cls.stored[parameter.name] = unused(parameter.name, taken)
        kept = {name: Name(f"self.{attribute}") for name, attribute in cls.stored.items()}
        cls.lines = mapped(lines, lambda value: value, lambda expr: _renamed(values.get(id(expr)), kept))
        self._call(cls, cluster)
        cls.finished = True
        self.made.append(cls)

    def _unified(self, name: str, cluster: Cluster) -> Expr:
        made = [member.program.modules.get(name) for member in cluster]
        return unified([None if expr is None else self.resolved(expr) for expr in made], Place((name,)))

    def _conditions(self, cls: Class, cluster: Cluster) -> dict[str, Expr]:
        """For each module that not all instances have, the condition under which they have it."""
        found: dict[str, Expr] = {}
        for name in cls.program.modules:
            present = [name in member.program.modules for member in cluster]
            if all(present):
                continue
            given = next((p for p in cls.parameters if p.is_module and p.path == (name,)), None)
            if given is not None:
                found[name] = Infix("is not", Name(given.name), NONE)
                continue
            condition = _condition(present, cls.parameters)
            if condition is None:
                own = unused(name, [parameter.name for parameter in cls.parameters])
                values: list[Expr | None] = [Literal(has) for has in present]
                parameter = Parameter([], values, own, Literal(2 * sum(present) > len(present)))
                cls.parameters.append(parameter)
                condition = Name(own)
            found[name] = condition
        return found

    def _call(self, cls: Class, cluster: Cluster) -> None:
        """What the class is called with, for each instance."""
        callee = cls.callee
        callee.defaults = {p.name: p.default for p in cls.parameters if p.default is not None}
        required = [parameter for parameter in cls.parameters if parameter.default is None]
        leading = []
        for parameter in required[:LEADING]:
            if parameter.role != SIZE:
                break
            leading.append(parameter.name)
        callee.leading = tuple(leading)
        for number, member in enumerate(cluster):
            values = [(parameter, parameter.values[number]) for parameter in cls.parameters]
            cls.arguments[member.program.part.name] = tuple(
                Argument(parameter.name, value, parameter.role)
                for parameter, value in values
                if value is not None
            )


def _parts(part: Part) -> Iterator[Part]:
    """A part and all inside it that have modules of their own, from the outside in."""
    yield part
    for step in part.steps:
        if isinstance(step, Part) and not step.shares:
            yield from _parts(step)


def _ends(parts: Sequence[Part]) -> Ends:
    """How many channels and features instances of a block get and give."""
    gets = zip(*(_sizes(part.inputs.values()) for part in parts), strict=True)
    gives = zip(*(_sizes(part.outputs) for part in parts), strict=True)
    return Ends(list(gets), list(gives))


def _sizes(values: Iterable[Value]) -> list[int | None]:
    shapes = [value.type.known for value in values]
    ends = [size for shape in shapes for size in (shape[1:2] or (None,)) + (shape[-1:] or (None,))]
    return [size if isinstance(size, int) else None for size in ends]


def _filled(expr: Expr, values: Mapping[int, Expr]) -> Expr:
    return rewritten(expr, lambda part: values.get(id(part)))


def _renamed(value: Expr | None, names: Mapping[str, Expr]) -> Expr | None:
    """What stands for a slot in the forward, where parameters are attributes."""
    if value is None:
        return None
    return rewritten(value, lambda part: names.get(part.text) if isinstance(part, Name) else None)


def _ordered(found: Sequence[Parameter]) -> list[Parameter]:
    """Parameters without a default come first, and of these the sizes."""
    return sorted(found, key=lambda p: (p.default is not None, p.default is None and p.role != SIZE))


def _condition(present: Sequence[bool], known: Sequence[Parameter]) -> Expr | None:
    """A comparison of parameters that holds for just these instances."""
    sizes = [parameter for parameter in known if parameter.role == SIZE]
    for number, left in enumerate(sizes):
        for right in sizes[number + 1 :]:
            differ = [one != other for one, other in zip(left.values, right.values, strict=True)]
            for operator, holds in (("!=", differ), ("==", [not value for value in differ])):
                if holds == list(present):
                    return Infix(operator, Name(left.name), Name(right.name))
    for parameter in known:
        if parameter.default is None or parameter.is_module:
            continue
        differ = [value != parameter.default for value in parameter.values]
        for operator, holds in (("!=", differ), ("==", [not value for value in differ])):
            if holds == list(present) and type(getattr(parameter.default, "value", None)) is int:
                return Infix(operator, Name(parameter.name), parameter.default)
    return None


# --- names of classes ------------------------------------------------------------------------------------


def _names(found: Sequence[Cluster], network: str, taken: set[str]) -> list[tuple[Cluster, str]]:
    """A name for each class: its block's, with what tells it from the first of the block."""
    named: list[tuple[Cluster, str]] = []
    first: dict[str, frozenset[str]] = {}
    for cluster in found:
        part = cluster[0].program.part
        steps = _words(part)
        name = part.block or network
        if part.block in first:
            more, less = sorted(steps - first[part.block]), sorted(first[part.block] - steps)
            if len(more) == 1 and not less:
                name = f"{name}With{more[0]}"
            elif len(less) == 1 and not more:
                name = f"{name}Without{less[0]}"
        first.setdefault(part.block, steps)
        name = unused(name, taken)
        taken.add(name)
        named.append((cluster, name))
    return named


def _words(part: Part) -> frozenset[str]:
    """The operations and blocks that a part has."""
    return frozenset(
        step.block if isinstance(step, Part) else type(step.node.op).__name__ for step in part.steps
    )
