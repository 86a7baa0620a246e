"""How the function pad is drawn, and what all paddings share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch.nn import functional

from tests.ops.cases import Case, Sizes
from tests.ops.drawing import ALL_DTYPES, DTYPES, chosen, integer, shape, size
from tests.ops.family import Family

MODES = ("constant", "reflect", "replicate", "circular")
LARGEST = float(np.finfo(np.float32).max)
LIMITS: dict[str, tuple[float, float]] = {
    "float32": (-LARGEST, LARGEST),
    "int64": (-(2**63), 2**63 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "bool": (0, 1),
}


def amounts_and_sizes(draw: DrawFn, mode: str, axes: int, wild: bool) -> tuple[list[int], Sizes]:
    """What pads the last axes, in torch's order, and sizes, in the tensor's, that it fits."""
    amounts: list[int] = []
    sizes: list[int] = []
    for _ in range(axes):
        before, after = (draw(st.integers(-2, 3)) for _ in range(2))
        taken = -min(before, 0) - min(after, 0)
        widest = max(before, after, 0)
        least = {"reflect": max(taken, widest) + 1, "circular": taken + max(widest, 1)}.get(mode, taken + 1)
        amounts += [before, after]
        sizes.insert(0, size(draw, least, wild))
    return amounts, tuple(sizes)


def number(draw: DrawFn, dtype: str, wild: bool) -> int | float:
    """A value that the type holds; in a wild draw also one that it does not."""
    if dtype == "float32":
        return draw(
            st.integers(-9, 9)
            | st.floats(-9, 9)
            | (st.sampled_from([1e39, -1e300]) if wild else st.nothing())
        )
    if dtype == "bool":
        return draw(st.integers(0, 1))
    beyond = st.sampled_from([1.5, 2.0, 2**31, -(2**31) - 1]) if wild else st.nothing()
    return draw(st.integers(-9, 9) | st.just(2**31 - 1) | beyond)


def leaves_nothing(amounts: Sequence[int], sizes: Sizes) -> bool:
    """Whether negative padding takes all of an axis away, or circular padding reads what is not there."""
    ends = list(zip(amounts[::2], amounts[1::2], strict=False))[::-1]
    trailing = sizes[len(sizes) - len(ends) :]
    return any(
        length + min(before, 0) + min(after, 0) < 1
        for (before, after), length in zip(ends, trailing, strict=False)
    )


def reads_beyond(mode: str, amounts: Sequence[int], sizes: Sizes) -> bool:
    """Whether circular padding copies elements that negative padding took away: torch's are undefined."""
    ends = list(zip(amounts[::2], amounts[1::2], strict=False))[::-1]
    trailing = sizes[len(sizes) - len(ends) :]
    return mode == "circular" and any(
        length + min(before, 0) + min(after, 0) < max(before, after)
        for (before, after), length in zip(ends, trailing, strict=False)
    )


def unheld(value: int | float | None, dtype: str) -> bool:
    """Whether the type does not hold a value: torch rounds some, and does not look where it adds nothing."""
    if value is None:
        return False
    least, most = LIMITS[dtype]
    return not least <= value <= most or (isinstance(value, float) and dtype != "float32")


@st.composite
def _pad(draw: DrawFn, wild: bool) -> Case:
    mode = draw(st.sampled_from(MODES))
    if mode == "constant":
        axes = draw(st.integers(0, 4))
        leading = draw(st.integers(max(0, 1 - axes), 2))
    else:
        axes = draw(st.integers(1, 3))
        leading = integer(draw, 1, 2, wild, 1)
    amounts, sizes = amounts_and_sizes(draw, mode, axes, wild)
    if leading:
        sizes = (*shape(draw, (leading,), 3), *sizes)
    if wild and draw(st.integers(0, 7)) == 0:
        amounts += draw(st.sampled_from([[1], [1, 1], [0, 0, 1]]))
    dtype = draw(st.sampled_from(ALL_DTYPES if wild or mode in ("constant", "circular") else DTYPES))
    value = (
        number(draw, dtype, wild) if mode == "constant" or (wild and draw(st.integers(0, 3)) == 0) else None
    )
    arguments = {"pad": amounts, "mode": mode, "value": value}
    return Case("Pad", chosen(draw, arguments, {"mode": "constant", "value": None}), (sizes,), dtype)


def _narrower(case: Case) -> bool:
    arguments = case.arguments
    mode, amounts, value = arguments.get("mode", "constant"), arguments["pad"], arguments.get("value")
    (sizes,) = case.shapes
    if leaves_nothing(amounts, sizes) or reads_beyond(mode, amounts, sizes):
        return True
    return unheld(value, case.dtype)


def _called(x: torch.Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None) -> torch.Tensor:
    return functional.pad(x, list(pad), mode=mode, value=value)


def _copying(case: Case) -> bool:
    return bool(case.arguments.get("mode", "constant") != "constant")


FAMILY = Family(
    strategies={"Pad": _pad},
    functions={"Pad": _called},
    signatures={"Pad": (functional.pad, {"pad": ..., "mode": "constant", "value": None})},
    narrower=_narrower,
    copying=_copying,
)
