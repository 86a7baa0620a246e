"""The modules of a block as a tree, and its steps as lines: chains in one call, repetitions in a loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from torch import nn

from netspec.torch_backend.eject.expressions import Call, Callee, Expr, Module, rewritten
from netspec.torch_backend.eject.modules import Named, Numbered
from netspec.torch_backend.eject.statements import (
    Line,
    Loop,
    Statement,
    Value,
    call_of,
    mapped,
    targets,
)

TAKEN = frozenset(dir(nn.Sequential)) - frozenset(dir(nn.Module))
"""Names that a module in an nn.Sequential cannot have."""

IDENTITY = Call(Callee("nn.Identity"))


@dataclass
class Scope:
    """Modules under a common name, or with `construct` a single one."""

    path: str
    construct: Expr | None = None
    inside: dict[str, Scope] = field(default_factory=dict)

    def place(self, own: str, construct: Expr) -> None:
        """Add a module under its path."""
        scope = self
        for name in own.split("."):
            path = f"{scope.path}.{name}" if scope.path else name
            scope = scope.inside.setdefault(name, Scope(path))
        scope.construct = construct

    def at(self, path: str) -> Scope | None:
        """The scope of this path."""
        scope: Scope | None = self
        for name in path.split("."):
            scope = None if scope is None else scope.inside.get(name)
        return scope

    @property
    def is_list(self) -> bool:
        """Whether the names inside are 0, 1, 2, ..."""
        return list(self.inside) == [str(number) for number in range(len(self.inside))]

    def modules(self, chains: frozenset[str], in_chain: bool = False) -> Expr:
        """How the module is made; scopes in `chains`, and all inside them, call what is in them in turn."""
        if self.construct is not None:
            return self.construct
        chain = in_chain or self.path in chains
        inside = {name: scope.modules(chains, chain) for name, scope in self.inside.items()}
        if self.is_list:
            return Numbered(tuple(inside.values()), chain)
        numbers = [int(name) for name in inside if name.isdigit()]
        if len(numbers) == len(inside) and numbers == sorted(numbers) and numbers[-1] < 2 * len(numbers) + 8:
            # An iteration without a module of its own has its place in the list.
            filled = tuple(inside.get(str(number), IDENTITY) for number in range(numbers[-1] + 1))
            return Numbered(filled, False)
        return Named(tuple(inside), tuple(inside.values()), chain)


class Folding:
    """Makes the lines of a block of its steps."""

    def __init__(self, root: Scope, steps: Sequence[Statement], outputs: Sequence[Value]) -> None:
        self.root = root
        self.steps = steps
        self.chains: set[str] = set()
        self.readers: dict[Value, list[Statement | None]] = defaultdict(list)
        for step in steps:
            for value in step.reads:
                self.readers[value].append(step)
        for value in outputs:
            self.readers[value].append(None)
        self.count: dict[str, int] = defaultdict(int)  # steps in a scope
        for step in steps:
            for scope in _scopes(step.own):
                self.count[scope] += 1

    def lines(self) -> tuple[Line, ...]:
        """All of them."""
        return tuple(self._lines("", self.steps))

    def _lines(self, path: str, steps: Sequence[Statement]) -> Iterator[Line]:
        """The lines of steps that have a scope in common."""
        for name, group in self._split(path, steps):
            inner = f"{path}.{name}" if path else name
            if len(group) == 1 and group[0].own == inner:
                yield group[0]
                continue
            scope = self.root.at(inner)
            whole = len(group) == self.count[inner]
            if scope is not None and whole and self._is_chain(scope, group):
                self.chains.add(inner)
                taken, given = group[0].plain, group[-1].targets[0]
                assert taken is not None
                yield Statement(inner, (given,), (call_of(inner, taken),))
                continue
            if scope is None or not whole or not scope.is_list or len(scope.inside) < 2:
                yield from self._lines(inner, group)
                continue
            rounds = self._rounds(scope, group)
            loop = None if rounds is None else self._loop(scope, rounds)
            if loop is not None:
                yield loop
            else:
                yield from self._lines(inner, group)

    @staticmethod
    def _split(path: str, steps: Sequence[Statement]) -> Iterator[tuple[str, list[Statement]]]:
        """Consecutive steps by the name of what they are in, in the scope of this path."""
        start = len(path) + 1 if path else 0
        for name, group in groupby(steps, lambda step: step.own[start:].partition(".")[0]):
            yield name, list(group)

    def _is_chain(self, scope: Scope, steps: Sequence[Statement]) -> bool:
        """Whether each step calls its own module with what the step before gives, and with nothing else."""
        for before, step in zip((None, *steps), steps, strict=False):
            if step.plain is None or not self._owns(scope, step):
                return False
            if before is not None and (before.targets[0] != step.plain or self.readers[step.plain] != [step]):
                return False
        return self._in_turn(scope, steps)

    def _owns(self, scope: Scope, step: Statement) -> bool:
        own = self.root.at(step.own)
        return own is not None and own.construct is not None and step.own.startswith(f"{scope.path}.")

    def _in_turn(self, scope: Scope, steps: Sequence[Statement]) -> bool:
        """Whether a scope's modules are in the order of its steps, and may have their names in a chain."""
        if scope.construct is not None:
            return True
        groups = list(self._split(scope.path, steps))
        if [name for name, _ in groups] != list(scope.inside):
            return False
        if not scope.is_list and any(name in TAKEN or name.isdigit() for name in scope.inside):
            return False
        return all(self._in_turn(scope.inside[name], group) for name, group in groups)

    def _rounds(self, scope: Scope, steps: Sequence[Statement]) -> list[tuple[Line, ...]] | None:
        """The lines of each round, where every one has its modules at its number."""
        groups = list(self._split(scope.path, steps))
        if [name for name, _ in groups] != list(scope.inside):
            return None
        rounds = []
        for name, group in groups:
            inner = f"{scope.path}.{name}"
            single = len(group) == 1 and group[0].own == inner
            rounds.append(tuple(group) if single else tuple(self._lines(scope.path, group)))
        return rounds

    def _loop(self, scope: Scope, rounds: Sequence[tuple[Line, ...]]) -> Loop | None:
        """The loop that all rounds amount to; None where they differ, or more than one tensor goes along."""
        bodies = [_of_any_round(lines, f"{scope.path}.{n}", scope.path) for n, lines in enumerate(rounds)]
        (first, _), *others = forms = [_renamed(body) for body in bodies]
        if any(lines != first for lines, _ in others):
            return None
        defined = [list(targets(lines)) for lines in rounds]
        outside = [values for _, values in forms]
        moving = [p for p, value in enumerate(outside[0]) if any(row[p] != value for row in outside)]
        if len(moving) != 1:
            return None
        place = moving[0]
        before = [row[place] for row in outside[1:]]
        if any(value not in known for value, known in zip(before, defined, strict=False)):
            return None
        numbers = {known.index(value) for value, known in zip(before, defined, strict=False)}
        if len(numbers) != 1:
            return None
        (number,) = numbers
        if not self._closed(scope, defined, number):
            return None
        over, base = Module(scope.path), f"*{scope.path}"
        return Loop(over, base, outside[0][place], bodies[0], defined[0][number], defined[-1][number])

    def _closed(self, scope: Scope, defined: Sequence[Sequence[Value]], number: int) -> bool:
        """Whether of a round only what the next takes is read outside of it."""
        for round, values in enumerate(defined):
            inside = f"{scope.path}.{round}"
            for place, value in enumerate(values):
                paths = [inside]
                if place == number:
                    if round + 1 == len(defined):
                        continue
                    paths.append(f"{scope.path}.{round + 1}")
                for reader in self.readers[value]:
                    if reader is None or not any(_is_in(reader.own, path) for path in paths):
                        return False
        return True


def _scopes(path: str) -> Iterator[str]:
    """The paths of the scopes around a path, from the inside out."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _is_in(path: str, scope: str) -> bool:
    return path == scope or path.startswith(f"{scope}.")


def _of_any_round(lines: Sequence[Line], prefix: str, path: str) -> tuple[Line, ...]:
    """The lines of one round of a list, whose names begin with `prefix`, as those of any."""

    def base(known: str) -> str:
        return f"*{path}.{known[len(prefix) + 1 :]}" if _is_in(known[1:], prefix) else known

    def rule(expr: Expr) -> Expr | None:
        if not isinstance(expr, Module):
            return None
        if expr.base == "self" and _is_in(expr.path, prefix):
            return Module(expr.path[len(prefix) + 1 :], f"*{path}")
        return Module(expr.path, base(expr.base))

    def of(line: Line) -> Line:
        if isinstance(line, Loop):
            over = rule(line.over)
            assert isinstance(over, Module)
            return Loop(over, base(line.base), line.enter, tuple(map(of, line.body)), line.leave, line.result)
        outputs = tuple(rewritten(output, rule) for output in line.outputs)
        return replace(line, own=line.own[len(prefix) + 1 :], outputs=outputs)

    return tuple(map(of, lines))


def _renamed(lines: Sequence[Line]) -> tuple[tuple[Line, ...], list[Value]]:
    """Lines with their own tensors numbered, and the tensors from outside, in order."""
    own = {value: f"own {number}" for number, value in enumerate(targets(lines))}
    outside: dict[Value, str] = {}

    def value(name: Value) -> Value:
        return own[name] if name in own else outside.setdefault(name, f"outside {len(outside)}")

    return mapped(lines, value, lambda expr: None), list(outside)
