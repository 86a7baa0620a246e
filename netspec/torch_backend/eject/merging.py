"""Instances of a block that differ in steps which some of them leave out, as ResNet's shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from netspec.torch_backend.eject.expressions import Expr, Reference, among, rewritten
from netspec.torch_backend.eject.program import Program
from netspec.torch_backend.eject.statements import Line, Loop, Statement, Value, form, mapped, targets


@dataclass(frozen=True, eq=False)
class Member:
    """An instance among those of its class, with the forward that the class has for it."""

    program: Program
    lines: tuple[Line, ...]


Cluster = list[Member]


def clusters(programs: Sequence[Program]) -> list[Cluster]:
    """Instances that one class makes, together; in the order in which the first of each comes."""
    found: dict[object, Cluster] = {}
    for program in programs:
        found.setdefault(program.form, []).append(Member(program, program.lines))
    groups: dict[str, list[Cluster]] = {}
    for cluster in found.values():
        groups.setdefault(cluster[0].program.part.block, []).append(cluster)
    return [cluster for group in groups.values() for cluster in _merged(group)]


def _merged(group: list[Cluster]) -> list[Cluster]:
    """Clusters of one block: those that lack some steps of another join it."""
    by_size = sorted(group, key=lambda cluster: -len(cluster[0].program.lines))
    kept: list[Cluster] = []
    for cluster in by_size:
        for larger in kept:
            joining = [_aligned(member.program, larger[0].program) for member in cluster]
            if all(lines is not None for lines in joining):
                pairs = zip(cluster, joining, strict=True)
                larger.extend(Member(member.program, lines) for member, lines in pairs if lines is not None)
                break
        else:
            kept.append(list(cluster))
    order = {id(member): number for number, member in enumerate(chain.from_iterable(group))}
    return sorted(kept, key=lambda cluster: min(order.get(id(member), len(order)) for member in cluster))


def _aligned(shorter: Program, longer: Program) -> tuple[Line, ...] | None:
    """The longer program's lines, with the literals of the shorter one; None where it is no part of it.

    It is where what it lacks are modules that are called once, with one tensor: in their place it has
    nn.Identity.
    """
    names = list(longer.modules)
    missing = [name for name in names if name not in shorter.modules]
    if not missing or [name for name in names if name in shorter.modules] != list(shorter.modules):
        return None
    passed: dict[Value, Value] = {}
    left: list[Line] = []
    for line in longer.lines:
        if isinstance(line, Statement) and line.own in missing:
            target, taken = line.targets[0], line.plain
            if taken is None or target is None:
                return None
            passed[target] = passed.get(taken, taken)
            missing.remove(line.own)
        else:
            left.append(line)
    if missing or len(left) != len(shorter.lines):
        return None
    numbers: dict[Value, Value] = {number: number for number in range(len(longer.part.inputs))}
    for value in targets(left):
        numbers.setdefault(value, len(numbers))

    def renamed(value: Value) -> Value:
        return numbers[passed.get(value, value)]

    contracted = mapped(left, renamed, lambda expr: None)
    outputs = tuple(map(renamed, longer.outputs))
    own = (
        form(shorter.lines),
        shorter.outputs,
        tuple(shorter.part.inputs),
        [e.place for e in shorter.extents],
    )
    if own != (form(contracted), outputs, tuple(longer.part.inputs), [e.place for e in longer.extents]):
        return None
    literals = iter(shorter.lines)
    kept = set(map(id, left))
    return tuple(_like(line, next(literals)) if id(line) in kept else line for line in longer.lines)


def _like(line: Line, other: Line) -> Line:
    """The other line with the tensors of this one; both have one form."""
    if isinstance(line, Loop) or isinstance(other, Loop):
        assert isinstance(line, Loop)
        assert isinstance(other, Loop)
        return replace(line, body=tuple(map(_like, line.body, other.body)))
    references = iter(list(among(line.outputs, Reference)))

    def rule(expr: Expr) -> Expr | None:
        return next(references) if isinstance(expr, Reference) else None

    return replace(line, outputs=tuple(rewritten(output, rule) for output in other.outputs))
