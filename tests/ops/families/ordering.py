"""How operations are drawn that give elements or dimensions another order."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case
from tests.ops.drawing import ALL_DTYPES, axis, shape, written
from tests.ops.family import Family


@st.composite
def permute(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 6))
    rank = len(sizes)
    dims = [place - rank * draw(st.integers(0, 1)) for place in draw(st.permutations(range(rank)))]
    if wild and draw(st.integers(0, 2)) == 0:
        dims = draw(st.lists(st.integers(-rank - 1, rank), min_size=max(rank - 1, 1), max_size=rank + 1))
    return Case("Permute", {"dims": dims}, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def transpose(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 6))
    arguments = {name: axis(draw, len(sizes), wild) for name in ("dim0", "dim1")}
    return Case("Transpose", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def flip(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 6))
    rank = len(sizes)
    axes = draw(st.lists(st.integers(0, rank - 1), unique=not wild, max_size=rank))
    dims = [place - rank * draw(st.integers(0, 1)) for place in axes]
    if wild and draw(st.integers(0, 7)) == 0:
        dims.append(draw(st.sampled_from([rank, -rank - 1])))
    asked = written(draw, dims) if dims else []
    return Case("Flip", {"dims": asked}, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def roll(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5))
    count = draw(st.integers(0, 3))
    dims = [axis(draw, len(sizes), wild) for _ in range(count)]
    shifts = [draw(st.integers(-9, 9)) for _ in range(max(count, 1))]
    if wild and draw(st.integers(0, 7)) == 0:
        shifts = shifts[1:]
    arguments: dict[str, object] = {"shifts": written(draw, shifts) if len(shifts) == 1 else shifts}
    if dims:
        arguments["dims"] = written(draw, dims) if len(dims) == 1 else dims
    return Case("Roll", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


def _flip(x: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    return torch.flip(x, (dims,) if isinstance(dims, int) else dims)


FAMILY = Family(
    strategies={"Permute": permute, "Transpose": transpose, "Flip": flip, "Roll": roll},
    functions={"Permute": torch.permute, "Transpose": torch.transpose, "Flip": _flip, "Roll": torch.roll},
    signatures={
        "Permute": (torch.permute, {"dims": ...}),
        "Transpose": (torch.transpose, {"dim0": ..., "dim1": ...}),
        "Flip": (torch.flip, {"dims": ...}),
        "Roll": (torch.roll, {"shifts": ..., "dims": None}),
    },
)
