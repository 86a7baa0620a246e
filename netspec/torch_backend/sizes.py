"""Symbolic sizes in a traced module: Python's integer arithmetic on the sizes of its inputs."""

from __future__ import annotations

import operator
from collections.abc import Callable

from torch import fx

from netspec.ir.dim import Dim, Size
from netspec.ir.dim.arithmetic import Atom, Symbol

Measured = fx.Node | int


def measured(traced: fx.Graph, size: Size, symbol: Callable[[str], fx.Node]) -> Measured:
    """What a size is when the module runs: a number, or the call that computes it.

    `symbol` gives the size of a symbolic dimension. The operations are those that torch can trace through,
    where an input's size is symbolic to it too.
    """
    if isinstance(size, int):
        return size
    assert isinstance(size, Dim)
    total: Measured = size.constant
    for monomial, factor in size.terms.items():
        term: Measured = factor
        for atom in monomial:
            term = _times(traced, atom, term, symbol)
        total = term if total == 0 else traced.call_function(operator.add, (term, total))
    return total


def _times(traced: fx.Graph, atom: Atom, factor: Measured, symbol: Callable[[str], fx.Node]) -> Measured:
    """An atom, multiplied by a factor."""
    if isinstance(atom, Symbol):
        value: Measured = symbol(atom.name)
        if atom.multiple > 1:
            if isinstance(factor, int) and factor % atom.multiple == 0:
                factor //= atom.multiple
            else:
                value = traced.call_function(operator.floordiv, (value, atom.multiple))
    else:
        numerator = measured(traced, atom.numerator, symbol)
        value = traced.call_function(operator.floordiv, (numerator, atom.divisor))
    return value if factor == 1 else traced.call_function(operator.mul, (value, factor))
