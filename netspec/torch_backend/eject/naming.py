"""Names that are distinct, and tell what they are for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from netspec.torch_backend.eject.expressions import Expr, Name
from netspec.torch_backend.eject.modules import Run, Variable


def distinct(wanted: Sequence[str], paths: Sequence[Sequence[str]], taken: Iterable[str] = ()) -> list[str]:
    """Names of which no two are the same: those that would be begin with their branch or layer."""
    used = set(taken)
    counts = Counter([*wanted, *(name for name in used if name in wanted)])
    names = list(wanted)
    for name in [name for name, count in counts.items() if count > 1]:
        places = [number for number, own in enumerate(wanted) if own == name]
        ways: list[Callable[[Sequence[str]], str]] = [_branch, _layer, "_".join]
        for way in ways:
            words = [way(paths[place]) for place in places]
            if all(words) and len(set(words)) == len(words):
                for place, word in zip(places, words, strict=True):
                    names[place] = f"{word}_{name}"
                break
    found: list[str] = []
    for name in names:
        found.append(unused(name, used))
        used.add(found[-1])
    return found


def _branch(path: Sequence[str]) -> str:
    return path[0] if path else ""


def _layer(path: Sequence[str]) -> str:
    return path[-1] if path else ""


def unused(name: str, used: Iterable[str]) -> str:
    """The name, or with a number behind it where it is in use; a class's has no underscore."""
    known = set(used)
    number, free, between = 2, name, "" if name[:1].isupper() else "_"
    while free in known:
        free = f"{name}{between}{number}"
        number += 1
    return free


def with_named_variables(expr: Expr, taken: Iterable[str]) -> Expr:
    """The expression with names for what runs over the columns of its lists."""
    used = set(taken)

    def rule(part: Expr, known: dict[int, Expr], used: frozenset[str]) -> Expr:
        if isinstance(part, Variable):
            return known[id(part)]
        if not isinstance(part, Run):
            parts = part.parts()
            return part.of([rule(inner, known, used) for inner in parts]) if parts else part
        wanted, paths = [v.name for v in part.variables], [v.path for v in part.variables]
        names = distinct(wanted, paths, used)
        inside = known | {id(v): Name(name) for v, name in zip(part.variables, names, strict=True)}
        columns = tuple(rule(column, known, used) for column in part.columns)
        count = rule(part.count, known, used)
        element = rule(part.element, inside, used | set(names))
        fresh = tuple(Variable(name, v.role, v.path) for v, name in zip(part.variables, names, strict=True))
        return Run(element, fresh, columns, count)

    return rule(expr, {}, frozenset(used))
