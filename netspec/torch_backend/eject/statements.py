"""What a forward does, line by line, before its tensors have names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from netspec.torch_backend.eject.expressions import Argument, Call, Expr, Module, Reference, among, rewritten
from netspec.torch_backend.eject.modules import shape

Value = str | int
"""A tensor: its name in the graph, or its number in a forward that several instances share."""


@dataclass(frozen=True)
class Statement:
    """A step of a block: `outputs` are what its ports give, `targets` what that is called; `own` is its path.

    `ports` are the ports' names, where there are several.
    """

    own: str
    targets: tuple[Value | None, ...]
    outputs: tuple[Expr, ...]
    ports: tuple[str, ...] = field(default=(), compare=False)

    @property
    def reads(self) -> tuple[Value, ...]:
        """The tensors that it takes, each once."""
        return tuple(dict.fromkeys(reference.value for reference in among(self.outputs, Reference)))

    @property
    def plain(self) -> Value | None:
        """What it takes, where it calls a module of its own with one tensor and gets one."""
        if len(self.outputs) == 1 and isinstance(self.outputs[0], Call):
            call = self.outputs[0]
            if call.function == Module(self.own) and len(call.arguments) == 1:
                value = call.arguments[0].value
                if isinstance(value, Reference) and not call.arguments[0].name:
                    return value.value
        return None


@dataclass(frozen=True)
class Loop:
    """A body for each module of the list `over`: it takes `enter`, and then what it leaves.

    In the body the module is the one with the base `base`. What the last round leaves is `result`.
    """

    over: Module
    base: str
    enter: Value
    body: tuple[Line, ...]
    leave: Value
    result: Value

    @property
    def reads(self) -> tuple[Value, ...]:
        """The tensors that it takes from outside."""
        defined = set(targets(self.body))
        inside = (value for line in self.body for value in line.reads if value not in defined)
        return tuple(dict.fromkeys((self.enter, *inside)))


Line = Statement | Loop


def call_of(path: str, value: Value) -> Call:
    """The call of a module with one tensor."""
    return Call(Module(path), (Argument("", Reference(value)),))


def targets(lines: Iterable[Line]) -> Iterator[Value]:
    """The tensors that lines define, in order; those inside a loop before what it gives."""
    for line in lines:
        if isinstance(line, Loop):
            yield from targets(line.body)
            yield line.result
        else:
            yield from (target for target in line.targets if target is not None)


def mapped(
    lines: Sequence[Line], value: Callable[[Value], Value], expr: Callable[[Expr], Expr | None]
) -> tuple[Line, ...]:
    """The lines with other tensors, and with what `expr` answers for the rest of their expressions."""

    def rule(part: Expr) -> Expr | None:
        return Reference(value(part.value)) if isinstance(part, Reference) else expr(part)

    def of(line: Line) -> Line:
        if isinstance(line, Loop):
            body = mapped(line.body, value, expr)
            over = expr(line.over) or line.over
            assert isinstance(over, Module)
            return Loop(over, line.base, value(line.enter), body, value(line.leave), value(line.result))
        named = tuple(None if target is None else value(target) for target in line.targets)
        return replace(line, targets=named, outputs=tuple(rewritten(output, rule) for output in line.outputs))

    return tuple(map(of, lines))


def form(lines: Sequence[Line]) -> object:
    """What lines share that are the same but for literals."""
    return tuple(
        (line.over, line.base, line.enter, form(line.body), line.leave, line.result)
        if isinstance(line, Loop)
        else (line.own, line.targets, tuple(map(shape, line.outputs)))
        for line in lines
    )


def expressions(lines: Iterable[Line]) -> Iterator[Expr]:
    """Everything that lines compute, in order."""
    for line in lines:
        if isinstance(line, Loop):
            yield from expressions(line.body)
        else:
            yield from line.outputs
