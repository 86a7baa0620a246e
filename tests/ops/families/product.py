"""How products of matrices are drawn."""

from __future__ import annotations

import math

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import ALL_DTYPES, DTYPES, stretched
from tests.ops.family import Family


@st.composite
def mat_mul(draw: DrawFn, wild: bool) -> Case:
    n, k, m = (draw(st.integers(1, 5)) for _ in range(3))
    leading = stretched(draw, 2, (1, 2), wild)
    ranks = [draw(st.sampled_from(["vector", "matrix", "batch", "batch"])) for _ in range(2)]
    first, other = (
        (*(sizes if rank == "batch" else ()), *matrix[-1 if rank == "vector" else 0 :])
        if not (place == 1 and rank == "vector")
        else (k,)
        for place, (rank, sizes, matrix) in enumerate(zip(ranks, leading, [(n, k), (k, m)], strict=True))
    )
    if wild and draw(st.integers(0, 4)) == 0:
        other = (*other[:-1], other[-1] + 1) if len(other) == 1 else (*other[:-2], k + 1, m)
    return Case("MatMul", {}, (first, other), draw(st.sampled_from(ALL_DTYPES if wild else DTYPES)))


def _openable(case: Case) -> tuple[Symbols, ...]:
    """The rows, the columns and the inner size; before them what is aligned from the right."""
    first, other = case.shapes
    before = [
        tuple(None if size == 1 else f"d{len(sizes) - axis}" for axis, size in enumerate(sizes))
        for sizes in (first[:-2], other[:-2])
    ]
    rows = ("n", "k")[-len(first) :] if len(first) < 3 else ("n", "k")
    columns = ("k",) if len(other) == 1 else ("k", "m")
    return (*before[0], *rows), (*before[1], *columns)


def _with_a_vector(case: Case) -> int | None:
    """torch does not count the product of a matrix and one vector."""
    first, other = case.shapes
    if min(len(first), len(other)) > 1:
        return None
    return math.prod(torch.matmul(torch.zeros(first), torch.zeros(other)).shape) * first[-1]


FAMILY = Family(
    strategies={"MatMul": mat_mul},
    functions={"MatMul": torch.matmul},
    signatures={"MatMul": (torch.matmul, {})},
    openable=_openable,
    macs={"MatMul": _with_a_vector},
)
