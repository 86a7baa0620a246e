"""How transposed convolutions are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, run
from tests.ops.drawing import chosen, integer, integers, size, written
from tests.ops.family import Family, Strategy, every_dimension_but

DEFAULTS = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "groups": 1,
    "bias": True,
    "dilation": 1,
    "padding_mode": "zeros",
}


def _transposed(op: str, rank: int) -> Strategy:
    @st.composite
    def transposed(draw: DrawFn, wild: bool) -> Case:
        most = 3 if rank == 3 else 4
        kernel, dilation, stride = (integers(draw, rank, 1, limit, wild) for limit in (most, 3, 3))
        padding = integers(draw, rank, 0, 3, wild)
        extra = tuple(
            integer(draw, 0, max(s, d, 1) - 1, wild, 1) for s, d in zip(stride, dilation, strict=True)
        )
        groups = integer(draw, 1, 3, wild, 1)
        divided = not wild or draw(st.integers(0, 3)) > 0
        channels, out_channels = (
            max(groups, 1) * draw(st.integers(1, 3)) if divided else draw(st.integers(1, 5)) for _ in range(2)
        )
        sizes = []
        for k, d, s, p, e in zip(kernel, dilation, stride, padding, extra, strict=True):
            # The output has (H - 1) s + 1 elements, and so many more or less.
            slack = d * (k - 1) - 2 * p + e
            sizes.append(size(draw, max(1, 1 - slack // max(s, 1)), wild))
        arguments = {
            "out_channels": out_channels,
            "kernel_size": written(draw, kernel),
            "stride": written(draw, stride),
            "padding": written(draw, padding),
            "output_padding": written(draw, extra),
            "groups": groups,
            "bias": draw(st.booleans()),
            "dilation": written(draw, dilation),
            "padding_mode": "reflect" if wild and draw(st.integers(0, 9)) == 0 else "zeros",
        }
        if draw(st.booleans()):
            arguments["in_channels"] = integer(draw, channels, channels, wild, 1)
        return Case(op, chosen(draw, arguments, DEFAULTS), ((draw(st.integers(1, 3)), channels, *sizes),))

    return transposed


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"in_channels": case.shapes[0][1]}


def _narrower(case: Case) -> bool:
    if np.min(case.arguments.get("dilation", 1)) < 1:
        return True  # torch looks at it in some of its engines only
    (y,) = run(case.module(), [torch.zeros(shape) for shape in case.shapes])
    return y.numel() == 0  # the same holds of tensors without elements


FAMILY = Family(
    strategies={f"ConvTranspose{rank}d": _transposed(f"ConvTranspose{rank}d", rank) for rank in (1, 2, 3)},
    inferred=_inferred,
    openable=every_dimension_but(1),
    narrower=_narrower,
)
