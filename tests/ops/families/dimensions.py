"""How operations are drawn that add, drop and stretch dimensions of size 1."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import ALL_DTYPES, axis, chosen, integer, shape, written
from tests.ops.family import Family, every_dimension


@st.composite
def squeeze(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 6), 2)
    rank = len(sizes)
    dim: int | list[int] | None = None
    if draw(st.integers(0, 3)):
        # Distinct, unless it is wild, however they are counted.
        axes = draw(st.lists(st.integers(0, rank - 1), unique=not wild, min_size=1, max_size=rank))
        dim = written(draw, [place - rank * draw(st.integers(0, 1)) for place in axes])
        if wild and draw(st.integers(0, 7)) == 0:
            dim = integer(draw, -rank, rank - 1, wild, 2)
    arguments = chosen(draw, {"dim": dim}, {"dim": None})
    return Case("Squeeze", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def unsqueeze(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5))
    dim = axis(draw, len(sizes) + 1, wild, 2)
    return Case("Unsqueeze", {"dim": dim}, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def expand(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5), 3)
    new = draw(st.integers(0, 2))
    asked: list[Any] = [
        draw(st.integers(1, 4)) if size == 1 else draw(st.sampled_from([size, -1])) for size in sizes
    ]
    asked = [draw(st.integers(1, 3)) for _ in range(new)] + asked
    names: Symbols = tuple(f"d{place}" if draw(st.booleans()) else None for place in range(len(sizes)))
    symbols: tuple[Symbols, ...] = ()
    if wild:
        if draw(st.integers(0, 2)) == 0:
            asked[draw(st.integers(0, len(asked) - 1))] = draw(st.integers(-2, 4))
        if draw(st.integers(0, 7)) == 0:
            asked = asked[1:]
    elif any(names):
        # An open dimension keeps its size, or is named; another one stretches to it.
        symbols = (tuple(name if size > 1 else None for name, size in zip(names, sizes, strict=True)),)
        known = [name for name in symbols[0] if name]
        for place, name in enumerate(symbols[0]):
            if name:
                asked[new + place] = draw(st.sampled_from([name, -1]))
            elif known and sizes[place] == 1 and draw(st.booleans()):
                asked[new + place] = draw(st.sampled_from(known))
        if known and new and draw(st.booleans()):
            asked[0] = draw(st.sampled_from(known))
    return Case("Expand", {"size": asked}, (sizes,), draw(st.sampled_from(ALL_DTYPES)), symbols)


def _squeeze(x: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    return torch.squeeze(x) if dim is None else torch.squeeze(x, dim)


def _expand(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return x.expand(size)


def _openable(case: Case) -> tuple[Symbols, ...]:
    """Of Squeeze, those that nobody asks whether they are 1: torch drops a named or any dimension then."""
    (names,) = every_dimension(case)
    if case.op == "Unsqueeze":
        return (names,)
    if case.op == "Expand" or case.arguments.get("dim") is None:
        return ((None,) * len(names),)
    dim = case.arguments["dim"]
    named = {place % len(names) for place in ([dim] if isinstance(dim, int) else dim)}
    return (tuple(None if place in named else name for place, name in enumerate(names)),)


FAMILY = Family(
    strategies={"Squeeze": squeeze, "Unsqueeze": unsqueeze, "Expand": expand},
    functions={"Squeeze": _squeeze, "Unsqueeze": torch.unsqueeze, "Expand": _expand},
    signatures={
        "Squeeze": (torch.squeeze, {"dim": None}),
        "Unsqueeze": (torch.unsqueeze, {"dim": ...}),
        "Expand": (Tensor.expand, {"size": ...}),
    },
    openable=_openable,
    # Tensors without elements.
    narrower=lambda case: case.op == "Expand" and 0 in case.arguments["size"],
)
