"""How operations are drawn that cut a tensor into several."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case, Sizes, Symbols
from tests.ops.drawing import ALL_DTYPES, axis, chosen, integer, shape
from tests.ops.family import Family, every_dimension


def _case(draw: DrawFn, op: str, arguments: dict[str, Any], sizes: Sizes, count: int) -> Case:
    ports = tuple(str(number) for number in range(1, count))
    return Case(
        op, chosen(draw, arguments, {"dim": 1}), (sizes,), draw(st.sampled_from(ALL_DTYPES)), ports=ports
    )


@st.composite
def split(draw: DrawFn, wild: bool) -> Case:
    sizes = list(shape(draw, range(2, 5)))
    dim = axis(draw, len(sizes), wild)
    along = dim % len(sizes)
    asked: int | list[int]
    if draw(st.booleans()):
        asked = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
        sizes[along] = sum(asked)
        if wild and draw(st.integers(0, 2)) == 0:
            asked[0] += draw(st.integers(-2, 2))
        count = len(asked)
    else:
        sizes[along] = draw(st.integers(1, 8))
        asked = integer(draw, 1, sizes[along] + 1, wild, 1)
        count = -(-sizes[along] // max(asked, 1))
    return _case(draw, "Split", {"split_size_or_sections": asked, "dim": dim}, tuple(sizes), count)


@st.composite
def chunk(draw: DrawFn, wild: bool) -> Case:
    sizes = list(shape(draw, range(2, 5), 9))
    dim = axis(draw, len(sizes), wild)
    size = sizes[dim % len(sizes)]
    chunks = integer(draw, 1, 7, wild, 1)
    count = len(torch.chunk(torch.empty(size), max(chunks, 1)))
    return _case(draw, "Chunk", {"chunks": chunks, "dim": dim}, tuple(sizes), count)


def _split(x: Tensor, split_size_or_sections: int | tuple[int, ...], dim: int = 1) -> tuple[Tensor, ...]:
    asked = split_size_or_sections
    return torch.split(x, asked if isinstance(asked, int) else list(asked), dim)


def _chunk(x: Tensor, chunks: int, dim: int = 1) -> tuple[Tensor, ...]:
    return torch.chunk(x, chunks, dim)


def _openable(case: Case) -> tuple[Symbols, ...]:
    """A number of pieces does not depend on a symbol."""
    (names,) = every_dimension(case)
    along = case.arguments.get("dim", 1) % len(names)
    return (tuple(None if place == along else name for place, name in enumerate(names)),)


def _narrower(case: Case) -> bool:
    """Pieces without elements."""
    asked = case.arguments.get("split_size_or_sections")
    return isinstance(asked, list) and 0 in asked


FAMILY = Family(
    strategies={"Split": split, "Chunk": chunk},
    functions={"Split": _split, "Chunk": _chunk},
    # Cutting the channels is our default, as joining them is; torch's is the batch.
    signatures={
        "Split": (torch.split, {"split_size_or_sections": ..., "dim": 1}),
        "Chunk": (torch.chunk, {"chunks": ..., "dim": 1}),
    },
    openable=_openable,
    narrower=_narrower,
)
