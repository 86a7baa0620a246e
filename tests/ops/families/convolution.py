"""How convolutions are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, integer, integers, least_size, size, written
from tests.ops.family import Family, Strategy, every_dimension_but

MODES = ("zeros", "reflect", "replicate", "circular")


def _convolution(op: str, rank: int) -> Strategy:
    @st.composite
    def convolution(draw: DrawFn, wild: bool) -> Case:
        kernel, dilation, stride = (integers(draw, rank, 1, most, wild) for most in (4, 3, 3))
        mode = draw(st.sampled_from(MODES))
        amount = integers(draw, rank, 0, 3, wild)
        padding: str | int | list[int] = draw(st.sampled_from(["same", "valid", "amount", "amount"]))
        if padding == "same":
            amount = tuple(-(-d * (k - 1) // 2) for k, d in zip(kernel, dilation, strict=True))
            if not wild or draw(st.booleans()):
                stride = (1,) * rank
        elif padding == "valid":
            amount = (0,) * rank
        else:
            padding = written(draw, amount)
        groups = integer(draw, 1, 3, wild, 1)
        divided = not wild or draw(st.integers(0, 3)) > 0
        channels, out_channels = (
            max(groups, 1) * draw(st.integers(1, 3)) if divided else draw(st.integers(1, 5)) for _ in range(2)
        )
        sizes = []
        for k, d, p in zip(kernel, dilation, amount, strict=True):
            least = least_size(k, d, p)
            if mode in ("reflect", "circular"):
                least = max(least, p + (mode == "reflect"))
            sizes.append(size(draw, least, wild))
        arguments = {
            "out_channels": out_channels,
            "kernel_size": written(draw, kernel),
            "stride": written(draw, stride),
            "padding": padding,
            "dilation": written(draw, dilation),
            "groups": groups,
            "bias": draw(st.booleans()),
            "padding_mode": mode,
        }
        if draw(st.booleans()):
            arguments["in_channels"] = integer(draw, channels, channels, wild, 1)
        return Case(op, chosen(draw, arguments, DEFAULTS), ((draw(st.integers(1, 3)), channels, *sizes),))

    return convolution


DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "padding_mode": "zeros"}


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"in_channels": case.shapes[0][1]}


def _narrower(case: Case) -> bool:
    padding = case.arguments.get("padding", 0)  # where it is copied, a negative one crops
    return padding not in ("same", "valid") and bool(np.min(padding) < 0)


def _copying(case: Case) -> bool:
    return bool(case.arguments.get("padding_mode", "zeros") != "zeros")


FAMILY = Family(
    strategies={f"Conv{rank}d": _convolution(f"Conv{rank}d", rank) for rank in (1, 2, 3)},
    inferred=_inferred,
    openable=every_dimension_but(1),
    narrower=_narrower,
    copying=_copying,
)
