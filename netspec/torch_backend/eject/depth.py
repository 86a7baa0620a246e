"""Blocks deep inside one another: room for recursion, and expressions that do not nest beyond reading."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netspec.torch_backend.eject.expressions import Call, Callee, Expr, Name
from netspec.torch_backend.eject.modules import Named, Run
from netspec.torch_backend.eject.naming import unused

RECURSION_LIMIT = 20_000
BRACKETS_LIMIT = 8  # inside one another; Python itself takes 200
LOCAL = "inner"


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for expressions in expressions, each of which takes a few calls of Python."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def flattened(expr: Expr, taken: Iterable[str]) -> tuple[list[tuple[str, Expr]], Expr]:
    """The expression with what nests too deeply in it as local names, and what these stand for, in order."""
    found: list[tuple[str, Expr]] = []
    names = set(taken)

    def flat(part: Expr) -> tuple[Expr, int]:
        if isinstance(part, Run) or not part.parts():
            return part, 0  # what is made many times is made in its place
        inner = [flat(child) for child in part.parts()]
        part = part.of([child for child, _ in inner])
        height = max(height for _, height in inner) + (2 if isinstance(part, Named) and part.chain else 1)
        if height < BRACKETS_LIMIT or not isinstance(part, Call) or not isinstance(part.function, Callee):
            return part, height
        names.add(name := unused(LOCAL, names))
        found.append((name, part))
        return Name(name), 0

    return found, flat(expr)[0]
