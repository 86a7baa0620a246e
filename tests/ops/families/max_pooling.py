"""How maximum pools are drawn."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, run
from tests.ops.drawing import chosen, integers, written
from tests.ops.families.pooling import pool
from tests.ops.family import Family, Strategy

DEFAULTS = {"padding": 0, "ceil_mode": False, "dilation": 1, "return_indices": False}


def _max_pool(op: str, rank: int) -> Strategy:
    @st.composite
    def max_pool(draw: DrawFn, wild: bool) -> Case:
        dilation = integers(draw, rank, 1, 3, wild)
        arguments, shape = pool(draw, rank, wild, dilation=dilation)
        arguments |= {"dilation": written(draw, dilation), "return_indices": draw(st.booleans())}
        ports = ("indices",) if arguments["return_indices"] else ()
        return Case(op, chosen(draw, arguments, DEFAULTS), (shape,), ports=ports)

    return max_pool


def _narrower(case: Case) -> bool:
    y, *_ = run(case.module(), [torch.zeros(shape) for shape in case.shapes])
    return bool(y.isinf().any())  # the maximum of a window that lies in padding alone


RANKS = {"MaxPool1d": 1, "MaxPool2d": 2, "MaxPool3d": 3}
FAMILY = Family(
    strategies={op: _max_pool(op, rank) for op, rank in RANKS.items()},
    narrower=_narrower,
    selecting=frozenset(RANKS),
)
