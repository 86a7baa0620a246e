"""Sizes with some of their symbols replaced by numbers."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.ir.dim.arithmetic import Atom, Dim, Size, Symbol, symbol


def bind(size: Size, values: Mapping[str, int]) -> Size:
    """`size` where every symbol that has a value in `values` is that number; an int if none is left.

    Errors:  ValueError of a value that is not the multiple that its symbol is known to be of.
    """
    if not isinstance(size, Dim) or size.symbols.isdisjoint(values):
        return size
    total: Size = size.constant
    for monomial, coefficient in size.terms.items():
        term: Size = coefficient
        for atom in monomial:
            term = term * _bound(atom, values)
        total = total + term
    return total


def _bound(atom: Atom, values: Mapping[str, int]) -> Size:
    if not isinstance(atom, Symbol):
        return bind(atom.numerator, values) // atom.divisor
    if atom.name in values:
        return atom.evaluate(values)
    return symbol(atom.name, atom.multiple) // atom.multiple
