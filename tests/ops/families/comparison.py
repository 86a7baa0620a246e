"""How comparisons, logic and choices are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Array, Case, Sizes
from tests.ops.drawing import ALL_DTYPES, shape, stretched
from tests.ops.families.arithmetic import BEYOND, held
from tests.ops.family import Family, Strategy, broadcast

COMPARISONS = {
    "Equal": torch.eq,
    "NotEqual": torch.ne,
    "Less": torch.lt,
    "LessEqual": torch.le,
    "Greater": torch.gt,
    "GreaterEqual": torch.ge,
}
LOGIC = {"LogicalAnd": torch.logical_and, "LogicalOr": torch.logical_or, "LogicalXor": torch.logical_xor}
OF_TRUTH = ("bool", "int64", "int32")
REAL_NUMBERS = st.sampled_from([0, 1, -2, 0.5, -1.5, 0.1, 16777217])


def _coarse(generator: np.random.Generator, shapes: tuple[Sizes, ...]) -> Sequence[Array]:
    """Elements of few values, so that many are equal, and many are 0."""
    return [generator.integers(-4, 5, shape) / 2 for shape in shapes]


def _comparison(op: str) -> Strategy:
    @st.composite
    def comparison(draw: DrawFn, wild: bool) -> Case:
        dtype = draw(st.sampled_from(ALL_DTYPES))
        count = 2 if dtype == "bool" and not wild else draw(st.integers(1, 2))
        arguments: dict[str, Any] = {}
        if (count == 1) != (wild and draw(st.integers(0, 5)) == 0):
            numbers = REAL_NUMBERS if dtype == "float32" or wild else st.integers(-3, 3)
            arguments["other"] = draw(numbers | BEYOND if wild else numbers)
        return Case(op, arguments, stretched(draw, count, range(1, 5), wild), dtype, values=_coarse)

    return comparison


def _logic(op: str) -> Strategy:
    @st.composite
    def logic(draw: DrawFn, wild: bool) -> Case:
        shapes = stretched(draw, 2, range(1, 5), wild)
        dtype = draw(st.sampled_from(ALL_DTYPES if wild else OF_TRUTH))
        return Case(op, {}, shapes, dtype, values=_coarse)

    return logic


@st.composite
def logical_not(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES if wild else OF_TRUTH))
    return Case("LogicalNot", {}, (shape(draw, range(1, 5)),), dtype, values=_coarse)


@st.composite
def where(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES))
    tensors = draw(st.sets(st.sampled_from(["input", "other"])))
    if dtype == "bool" and not wild:
        tensors = {"input", "other"}
    numbers = REAL_NUMBERS if dtype == "float32" or wild or not tensors else st.integers(-9, 9)
    arguments = {
        name: draw(numbers | BEYOND if wild else numbers)
        for name in ("input", "other")
        if (name not in tensors) != (wild and draw(st.integers(0, 5)) == 0)
    }
    names = ("condition", *sorted(tensors))
    # In order, the first tensor is `input`.
    in_order = (wild or tensors != {"other"}) and draw(st.booleans())
    condition = dtype if wild and draw(st.integers(0, 5)) == 0 else "bool"
    if not tensors:  # then the numbers decide the type
        dtype = "float32" if any(isinstance(number, float) for number in arguments.values()) else "int64"
    return Case(
        "Where",
        arguments,
        stretched(draw, len(names), range(1, 5), wild),
        dtype,
        dtypes=(condition, *(dtype for _ in tensors)),
        names=() if in_order else names,
    )


def _where(condition: Tensor, input: Any = None, other: Any = None) -> Tensor:
    return torch.where(condition, input, other)


def _narrower(case: Case) -> bool:
    """What torch promotes to another type, or wraps around; real numbers as truth values."""
    if case.op.startswith("Logical"):
        return case.dtype == "float32"
    numbers = [case.arguments[name] for name in ("input", "other") if name in case.arguments]
    if case.op == "Where" and len(case.shapes) == 1:
        real = any(isinstance(number, float) for number in numbers)
        return not held("float32" if real else "int64", numbers)
    return bool(numbers) and (case.dtype == "bool" or not held(case.dtype, numbers))


FAMILY = Family(
    strategies={
        **{op: _comparison(op) for op in COMPARISONS},
        **{op: _logic(op) for op in LOGIC},
        "LogicalNot": logical_not,
        "Where": where,
    },
    functions={**COMPARISONS, **LOGIC, "LogicalNot": torch.logical_not, "Where": _where},
    signatures={
        # What stands for a further input is none where there is one.
        **{op: (function, {"other": None}) for op, function in COMPARISONS.items()},
        **{op: (function, {}) for op, function in LOGIC.items()},
        "LogicalNot": (torch.logical_not, {}),
        "Where": (torch.where, {"input": None, "other": None}),
    },
    openable=broadcast,
    narrower=_narrower,
)
