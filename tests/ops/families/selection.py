"""How operations are drawn that take some elements of one dimension."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case, Symbols, run
from tests.ops.drawing import ALL_DTYPES, axis, chosen, integer, shape
from tests.ops.family import Family, every_dimension


@st.composite
def slice_(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5), 6)
    dim = axis(draw, len(sizes), wild)
    size = sizes[dim % len(sizes)]
    start, end = draw(st.integers(0, size - 1)), draw(st.integers(1, size))
    if not wild and start >= end:
        start, end = end - 1, start + 1
    places: dict[str, Any] = {
        "start": draw(st.sampled_from([start, start - size])),
        "end": draw(st.sampled_from([end, end - size])) if end < size else end,
    }
    if end == size and draw(st.booleans()):
        places["end"] = None
    if start == 0 and draw(st.booleans()):
        places["start"] = None
    if draw(st.integers(0, 3)) == 0:
        places = {name: draw(st.integers(-8, 8)) for name in places} if wild else places
    arguments = {"dim": dim, **places, "step": integer(draw, 1, 3, wild, 1)}
    arguments = chosen(draw, arguments, {"start": None, "end": None, "step": 1})
    return Case("Slice", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def narrow(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5), 6)
    dim = axis(draw, len(sizes), wild)
    size = sizes[dim % len(sizes)]
    start = integer(draw, 0, size - 1, wild, 2)
    length = integer(draw, 1, max(size - start, 1), wild, 2)
    if draw(st.booleans()):
        start -= size
    arguments: dict[str, Any] = {"dim": dim, "start": start, "length": length}
    symbols: tuple[Symbols, ...] = ()
    if not wild and draw(st.integers(0, 3)) == 0:
        place = dim % len(sizes)
        arguments |= {"start": 0, "length": "d"}
        symbols = (tuple("d" if place == other else None for other in range(len(sizes))),)
    return Case("Narrow", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)), symbols)


@st.composite
def select(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5))
    dim = axis(draw, len(sizes), wild)
    index = axis(draw, sizes[dim % len(sizes)], wild, 2)
    return Case("Select", {"dim": dim, "index": index}, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def index_select(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5))
    dim = axis(draw, len(sizes), wild)
    index = shape(draw, (0, 1, 1, 2) if wild else (1,))
    dtypes = ["int64", "int32", *(["float32", "bool"] if wild else [])]
    return Case(
        "IndexSelect",
        {"dim": dim},
        (sizes, index),
        dtypes=(draw(st.sampled_from(ALL_DTYPES)), draw(st.sampled_from(dtypes))),
        ranges=(None, (0, sizes[dim % len(sizes)] - 1)),
    )


def _slice(x: Tensor, dim: int, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    return torch.slice_copy(x, dim, start, end, step)


def _openable(case: Case) -> tuple[Symbols, ...]:
    names, *index = every_dimension(case)
    along = case.arguments["dim"] % len(names)
    if case.op == "IndexSelect":  # the indices are drawn for one size
        index = [("d_index",)]
    if case.op == "IndexSelect" or _shrinks(case):
        names = tuple(None if place == along else name for place, name in enumerate(names))
    return (names, *index)


def _shrinks(case: Case) -> bool:
    """Whether less is left of a larger dimension: from a place near its end up to one near its front."""
    start, end = (case.arguments.get(name) or 0 for name in ("start", "end"))
    return case.op == "Slice" and start < 0 < end


def _narrower(case: Case) -> bool:
    """Tensors without elements, an index without dimensions, and places beyond a dimension that is open."""
    if case.op == "IndexSelect":
        return case.shapes[1] == ()
    if case.op == "Slice" and case.symbols and case.symbols[0][case.arguments["dim"]]:
        return True
    (y,) = run(case.module(), [torch.zeros(shape) for shape in case.shapes])
    return y.numel() == 0


def _index_select(x: Tensor, index: Tensor, dim: int) -> Tensor:
    return torch.index_select(x, dim, index)


FAMILY = Family(
    strategies={"Slice": slice_, "Narrow": narrow, "Select": select, "IndexSelect": index_select},
    functions={
        "Slice": _slice,
        "Narrow": torch.narrow,
        "Select": torch.select,
        "IndexSelect": _index_select,
    },
    signatures={
        # No dimension is a default: torch's would be the batch.
        "Slice": (torch.slice_copy, {"dim": ..., "start": None, "end": None, "step": 1}),
        "Narrow": (torch.narrow, {"dim": ..., "start": ..., "length": ...}),
        "Select": (torch.select, {"dim": ..., "index": ...}),
        "IndexSelect": (torch.index_select, {"dim": ...}),
    },
    openable=_openable,
    narrower=_narrower,
)
