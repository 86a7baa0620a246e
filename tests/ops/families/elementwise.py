"""How functions of each element are drawn."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case
from tests.ops.drawing import ALL_DTYPES, DTYPES, chosen, integer, shape
from tests.ops.families.arithmetic import BEYOND, NUMBERS, held
from tests.ops.family import Family, Strategy

REAL = {
    "Sqrt": torch.sqrt,
    "Rsqrt": torch.rsqrt,
    "Reciprocal": torch.reciprocal,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Erf": torch.erf,
}
OF_INTEGERS = {
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Sign": torch.sign,
    "Square": torch.square,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
}


def _function(op: str) -> Strategy:
    @st.composite
    def function(draw: DrawFn, wild: bool) -> Case:
        dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES if op in OF_INTEGERS else ["float32"]))
        ranges = ((0.0, 9.0),) if draw(st.booleans()) else ()
        return Case(op, {}, (shape(draw, range(1, 6)),), dtype, ranges=ranges)

    return function


@st.composite
def round_(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
    decimals = integer(draw, -3, 3, wild, 9) if dtype == "float32" or wild else 0
    return Case(
        "Round", chosen(draw, {"decimals": decimals}, {"decimals": 0}), (shape(draw, range(1, 5)),), dtype
    )


@st.composite
def clamp(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
    numbers = NUMBERS if dtype == "float32" or wild else st.integers(-9, 9)
    given = draw(st.sets(st.sampled_from(["min", "max"]), min_size=0 if wild else 1))
    arguments: dict[str, Any] = {
        name: draw(numbers | BEYOND if wild else numbers) for name in ("min", "max") if name in given
    }
    if len(arguments) == 2 and not wild:
        arguments["min"], arguments["max"] = sorted(arguments.values())
    return Case("Clamp", arguments, (shape(draw, range(1, 5)),), dtype)


def _round(x: Tensor, decimals: int = 0) -> Tensor:
    return torch.round(x, decimals=decimals) if decimals else torch.round(x)  # which takes integers too


def _narrower(case: Case) -> bool:
    """What torch promotes to another type, or cannot round exactly."""
    if case.dtype == "bool" or (case.op in REAL and case.dtype != "float32"):
        return True
    limits = [case.arguments[name] for name in ("min", "max") if name in case.arguments]
    swapped = len(limits) == 2 and limits[0] > limits[1]
    return swapped or not held(case.dtype, limits) or abs(case.arguments.get("decimals", 0)) > 10


FUNCTIONS = {**REAL, **OF_INTEGERS}

FAMILY = Family(
    strategies={**{op: _function(op) for op in FUNCTIONS}, "Round": round_, "Clamp": clamp},
    functions={**FUNCTIONS, "Round": _round, "Clamp": torch.clamp},
    signatures={
        **{op: (function, {}) for op, function in FUNCTIONS.items()},
        "Round": (torch.round, {"decimals": 0}),
        "Clamp": (torch.clamp, {"min": None, "max": None}),
    },
    narrower=_narrower,
)
