"""How operations are drawn that join several tensors."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import ALL_DTYPES, axis, chosen, shape
from tests.ops.family import Family


@st.composite
def concat(draw: DrawFn, wild: bool) -> Case:
    first = shape(draw, range(2, 5))
    rank = len(first)
    dim = axis(draw, rank, wild)
    shapes = []
    for _ in range(draw(st.integers(1, 4))):
        other = list(first)
        other[dim % rank] = draw(st.integers(1, 5))
        if wild and draw(st.integers(0, 4)) == 0:
            other[draw(st.integers(0, rank - 1))] += 1
        if wild and draw(st.integers(0, 9)) == 0:
            other.append(2)
        shapes.append(tuple(other))
    arguments = chosen(draw, {"dim": dim}, {"dim": 1})
    return Case("Concat", arguments, tuple(shapes), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def stack(draw: DrawFn, wild: bool) -> Case:
    first = shape(draw, range(1, 5))
    dim = axis(draw, len(first) + 1, wild)
    shapes = []
    for _ in range(draw(st.integers(1, 4))):
        other = list(first)
        if wild and draw(st.integers(0, 5)) == 0:
            other[draw(st.integers(0, len(first) - 1))] += 1
        if wild and draw(st.integers(0, 9)) == 0:
            other.append(2)
        shapes.append(tuple(other))
    arguments = chosen(draw, {"dim": dim}, {"dim": 1})
    return Case("Stack", arguments, tuple(shapes), draw(st.sampled_from(ALL_DTYPES)))


def _concat(*tensors: Tensor, dim: int = 1) -> Tensor:
    return torch.cat(tensors, dim=dim)


def _stack(*tensors: Tensor, dim: int = 1) -> Tensor:
    return torch.stack(tensors, dim)


def _openable(case: Case) -> tuple[Symbols, ...]:
    along = case.arguments.get("dim", 1) % len(case.shapes[0]) if case.op == "Concat" else None
    return tuple(
        tuple(f"d{place}_{number}" if place == along else f"d{place}" for place in range(len(sizes)))
        for number, sizes in enumerate(case.shapes)
    )


FAMILY = Family(
    strategies={"Concat": concat, "Stack": stack},
    functions={"Concat": _concat, "Stack": _stack},
    # Joining along the channels is our default; torch's is the batch.
    signatures={"Concat": (torch.concat, {"dim": 1}), "Stack": (torch.stack, {"dim": 1})},
    openable=_openable,
)
