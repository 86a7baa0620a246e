"""How operations are drawn that give the same elements another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import ALL_DTYPES, axis, chosen, integer, shape
from tests.ops.family import Family, every_dimension


@st.composite
def identity(draw: DrawFn, wild: bool) -> Case:
    return Case("Identity", {}, (shape(draw, range(1, 6)),), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def flatten(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 6) if wild else range(2, 6), 4)
    rank = len(sizes)
    start = integer(draw, 0, rank - 1, wild, 2)
    end = integer(draw, 0, rank - 1, wild, 2)
    if not wild:
        start, end = sorted((start, end))
    if draw(st.booleans()):
        start -= rank
    if draw(st.booleans()):
        end -= rank
    arguments = chosen(draw, {"start_dim": start, "end_dim": end}, {"start_dim": 1, "end_dim": -1})
    return Case("Flatten", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


def _spoilt(draw: DrawFn, sizes: list[Any], wild: bool) -> list[Any]:
    """The sizes, one of them left open; wild, now and then with a mistake."""
    if sizes and -1 not in sizes and draw(st.booleans()):
        sizes[draw(st.integers(0, len(sizes) - 1))] = -1
    if wild and sizes and draw(st.integers(0, 2)) == 0:
        sizes[draw(st.integers(0, len(sizes) - 1))] = draw(st.integers(-2, 3))
    return sizes


@st.composite
def unflatten(draw: DrawFn, wild: bool) -> Case:
    factors = list(shape(draw, range(1, 4), 3))
    sizes = list(shape(draw, range(1, 4), 3))
    dim = draw(st.integers(0, len(sizes) - 1))
    sizes[dim] = prod(factors)
    symbols: tuple[Symbols, ...] = ()
    written: list[Any] = list(factors)
    if not wild and len(sizes) > 1 and draw(st.booleans()):
        # One factor is the size of another dimension, which is open, and so is the product of both.
        other = next(place for place in range(len(sizes)) if place != dim)
        sizes[other], written, sizes[dim] = sizes[dim], [1, "d", 1], sizes[dim]
        symbols = (tuple("d" if place in (dim, other) else None for place in range(len(sizes))),)
    if draw(st.booleans()):
        dim -= len(sizes)
    if wild and draw(st.integers(0, 7)) == 0:
        dim = axis(draw, len(sizes), wild)
    arguments = {"dim": dim, "unflattened_size": _spoilt(draw, written, wild)}
    dtype = draw(st.sampled_from(ALL_DTYPES))
    return Case("Unflatten", arguments, (tuple(sizes),), dtype, symbols)


@st.composite
def reshape(draw: DrawFn, wild: bool) -> Case:
    groups = [list(shape(draw, range(1, 3), 3)) for _ in range(draw(st.integers(1, 3)))]
    sizes = [size for group in groups for size in group]
    names = [f"d{place}" if draw(st.booleans()) else None for place in range(len(sizes))]
    symbols: tuple[Symbols, ...] = ()
    written: list[Any]
    if not wild and any(names):
        # The open dimensions in another order, the fixed ones as they come.
        symbols = (tuple(names),)
        written = draw(st.permutations([name or size for name, size in zip(names, sizes, strict=True)]))
        if len(written) > 1 and draw(st.booleans()):
            written = [*written[draw(st.integers(1, len(written))) :], -1]  # which stands for several
    else:
        written = draw(st.permutations([draw(_regrouped(group)) for group in groups]))
        written = [size for group in written for size in group]
    arguments = {"shape": _spoilt(draw, list(written), wild)}
    return Case("Reshape", arguments, (tuple(sizes),), draw(st.sampled_from(ALL_DTYPES)), symbols)


def _regrouped(sizes: Sequence[int]) -> st.SearchStrategy[list[int]]:
    """As they are, or as their product."""
    return st.sampled_from([list(sizes), [prod(sizes)], [*sizes[::-1], 1]])


def _reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.reshape(x, shape)


def _openable(case: Case) -> tuple[Symbols, ...]:
    (names,) = every_dimension(case)
    if case.op == "Reshape":
        return ((None,) * len(names),)
    if case.op == "Unflatten":
        dim = case.arguments["dim"] % len(names)
        return (tuple(None if place == dim else name for place, name in enumerate(names)),)
    return (names,)


FAMILY = Family(
    strategies={"Identity": identity, "Flatten": flatten, "Unflatten": unflatten, "Reshape": reshape},
    functions={"Reshape": _reshape},
    signatures={"Reshape": (torch.reshape, {"shape": ...})},
    openable=_openable,
)
