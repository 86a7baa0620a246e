"""How pools that take a mean or a norm are drawn."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, integer
from tests.ops.families.pooling import pool
from tests.ops.family import Family, Strategy

DEFAULTS = {"padding": 0, "ceil_mode": False, "count_include_pad": True}


def _avg_pool(op: str, rank: int) -> Strategy:
    @st.composite
    def avg_pool(draw: DrawFn, wild: bool) -> Case:
        arguments, shape = pool(draw, rank, wild, inside=rank == 3)
        arguments["count_include_pad"] = draw(st.booleans())
        divisor = draw(st.none() | st.integers(1, 9)) if rank > 1 else None
        if divisor is not None:
            arguments["divisor_override"] = integer(draw, divisor, divisor, wild, 9)
        return Case(op, chosen(draw, arguments, DEFAULTS), (shape,))

    return avg_pool


def _lp_pool(op: str, rank: int) -> Strategy:
    @st.composite
    def lp_pool(draw: DrawFn, wild: bool) -> Case:
        arguments, shape = pool(draw, rank, wild, padded=False, inside=rank == 3)
        if rank == 1:  # torch takes no list here
            arguments["kernel_size"] = int(np.ravel(arguments["kernel_size"])[0])
        powers = [1, 2, 2.0, 3, 4, 1.5, 2.7] + ([-1.0] if wild else [])
        arguments["norm_type"] = draw(st.sampled_from(powers))
        # Of numbers that a root is taken of, the sum must not cancel: what is left of it would be noise.
        whole = arguments["norm_type"] in (1, 2, 4)
        return Case(op, chosen(draw, arguments, DEFAULTS), (shape,), ranges=(None if whole else (0.1, 9.0),))

    return lp_pool


def _narrower(case: Case) -> bool:
    return bool(case.arguments.get("divisor_override", 1) < 0 or case.arguments.get("norm_type", 1) < 0)


FAMILY = Family(
    strategies={
        "AvgPool1d": _avg_pool("AvgPool1d", 1),
        "AvgPool2d": _avg_pool("AvgPool2d", 2),
        "AvgPool3d": _avg_pool("AvgPool3d", 3),
        "LPPool1d": _lp_pool("LPPool1d", 1),
        "LPPool2d": _lp_pool("LPPool2d", 2),
        "LPPool3d": _lp_pool("LPPool3d", 3),
    },
    narrower=_narrower,
)
