"""What the contract test knows of a family of operations beyond their rules, one file a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from netspec.ops.catalogue import FAMILIES

if TYPE_CHECKING:
    from tests.ops.cases import Case, Symbols

Strategy = Callable[[bool], SearchStrategy["Case"]]


def every_dimension(case: Case) -> tuple[Symbols, ...]:
    """`openable` where any size is taken: every dimension of the first input, none of the others."""
    return tuple(
        tuple(f"d{axis}" if number == 0 else None for axis in range(len(shape)))
        for number, shape in enumerate(case.shapes)
    )


def every_dimension_but(*fixed: int) -> Callable[[Case], tuple[Symbols, ...]]:
    """The same where some axes, counted from the front or from the back, decide the shapes of weights."""

    def openable(case: Case) -> tuple[Symbols, ...]:
        first, *others = every_dimension(case)
        axes = {axis % len(first) for axis in fixed if -len(first) <= axis < len(first)}
        return (tuple(None if axis in axes else name for axis, name in enumerate(first)), *others)

    return openable


def broadcast(case: Case) -> tuple[Symbols, ...]:
    """The same where inputs stretch: names are aligned from the right, and a size of 1 stays a number."""
    return tuple(
        tuple(None if size == 1 else f"d{len(shape) - axis}" for axis, size in enumerate(shape))
        for shape in case.shapes
    )


def fixed(case: Case) -> tuple[Symbols, ...]:
    """The same where every size is a number."""
    return tuple((None,) * len(shape) for shape in case.shapes)


@dataclass(frozen=True)
class Family:
    """How the operations of one family are drawn, and what torch has them as.

    `strategies` holds for every operation what makes its cases. Called with False it draws tame ones, which
    torch takes; with True wild ones, which go beyond what is allowed in some of their arguments, so that
    both sides must draw the line at one place. A strategy that leaves dimensions open itself, since its
    arguments name them, sets the case's `symbols`.
    """

    strategies: Mapping[str, Strategy]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """What torch has not as a class of torch.nn with our arguments: an independent call of torch, which gets
    the tensors (by name where the case names them) and the arguments by name; a subclass of nn.Module is
    made with the arguments instead."""
    signatures: Mapping[str, tuple[Any, Mapping[str, Any]]] = field(default_factory=dict)
    """What of torch it is, with the arguments that are no tensors and their defaults (... where there is
    none), where Python cannot read them, or they are not all that torch has."""
    inferred: Callable[[Case], Mapping[str, Any]] = lambda case: {}
    """What torch wants and a spec leaves out, and real defaults that a file holds rounded (`eps`)."""
    openable: Callable[[Case], tuple[Symbols, ...]] = every_dimension
    """A name for every dimension that a spec may leave open, None for the others; input by input. Dimensions
    of one name have one size."""
    narrower: Callable[[Case], bool] = lambda case: False
    """Where netspec means to take less than torch."""
    macs: Mapping[str, Callable[[Case], int | None]] = field(default_factory=dict)
    """Multiply-adds where torch's counter sees none or too few; None where it counts them after all."""
    copying: Callable[[Case], bool] = lambda case: False
    """Where the padding is copied from the input, so that a window over padding sees elements elsewhere."""
    computed: frozenset[str] = frozenset()
    """Operations that make integers or truth values of real numbers by computing, not by comparing (Cast):
    they decide nothing."""
    selecting: frozenset[str] = frozenset()
    """Operations that select elements of a window: gradients show one of them at a time."""


@cache
def family_of(op: str) -> Family:
    """The family that draws an operation."""
    family: Family = import_module(f"tests.ops.families.{FAMILIES[op]}").FAMILY
    return family


@st.composite
def opened(draw: DrawFn, case: Case) -> Case:
    """The case with some of its dimensions symbolic."""
    if case.symbols:
        return case
    names = family_of(case.op).openable(case)
    every = sorted({name for symbols in names for name in symbols if name})
    if not every:
        return case
    kept = set(every) if draw(st.booleans()) else draw(st.sets(st.sampled_from(every)))
    symbols = tuple(tuple(name if name in kept else None for name in symbols) for symbols in names)
    return replace(case, symbols=symbols)


def tame(op: str) -> SearchStrategy[Case]:
    """Cases that torch takes, some of their dimensions symbolic."""
    return family_of(op).strategies[op](False).flatmap(opened)


def wild(op: str) -> SearchStrategy[Case]:
    """Cases that torch takes or not, their sizes numbers."""
    return family_of(op).strategies[op](True)
