"""How sums, products and their like are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Array, Case, Sizes
from tests.ops.drawing import ALL_DTYPES, DTYPES, stretched
from tests.ops.family import Family, Strategy, broadcast

NUMBERS = st.integers(-9, 9) | st.floats(-9, 9)
BEYOND = st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**40, -1e39, 1e300, 2**63 - 1, -(2**63)])
EXPONENTS = st.sampled_from([0, 1, 2, 3, -1, -2, 0.5, -0.5, 1.5, 0.1]) | st.floats(
    -3, 3, width=32, allow_subnormal=False
)


def _number(draw: DrawFn, dtype: str, wild: bool) -> int | float:
    numbers = NUMBERS if dtype == "float32" or wild else st.integers(-9, 9)
    return draw(numbers | BEYOND if wild else numbers)


def _combination(op: str, number: bool = True) -> Strategy:
    @st.composite
    def combination(draw: DrawFn, wild: bool) -> Case:
        dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
        arguments: dict[str, Any] = {}
        count = draw(st.integers(1 if number or wild else 2, 3))
        if number and (count == 1 or (wild and draw(st.integers(0, 5)) == 0)):
            arguments["other"] = _number(draw, dtype, wild)
        if op == "Add" and (count < 3 or wild) and draw(st.booleans()):
            arguments["alpha"] = _number(draw, dtype, wild)
        return Case(op, arguments, stretched(draw, count, range(1, 5), wild), dtype)

    return combination


@st.composite
def sub(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
    arguments: dict[str, Any] = {}
    count = draw(st.integers(1, 2))
    if (count == 1) != (wild and draw(st.integers(0, 5)) == 0):
        arguments["other"] = _number(draw, dtype, wild)
    if draw(st.booleans()):
        arguments["alpha"] = _number(draw, dtype, wild)
    return Case("Sub", arguments, stretched(draw, count, range(1, 5), wild), dtype)


def _without_zero(generator: np.random.Generator, shapes: tuple[Sizes, ...]) -> Sequence[Array]:
    first, *others = (generator.integers(-99, 100, shape) for shape in shapes)
    return [first, *(np.where(other == 0, 7, other % 19 - 9 + (other % 19 == 9)) for other in others)]


@st.composite
def div(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
    modes = ["trunc", "floor"] if dtype != "float32" and not wild else [None, "trunc", "floor"]
    arguments: dict[str, Any] = {}
    if (mode := draw(st.sampled_from(modes))) is not None:
        arguments["rounding_mode"] = mode
    count = draw(st.integers(1, 2))
    if (count == 1) != (wild and draw(st.integers(0, 5)) == 0):
        number = _number(draw, dtype, wild)
        # Beside subnormal numbers quotients overflow, and one is as little zero as the other.
        arguments["other"] = number if wild or abs(number) > 1e-3 else 0.5 if dtype == "float32" else 7
    shapes = stretched(draw, count, range(1, 5), wild)
    return Case("Div", arguments, shapes, dtype, values=None if dtype == "float32" else _without_zero)


@st.composite
def pow_(draw: DrawFn, wild: bool) -> Case:
    dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
    count = draw(st.integers(1, 2)) if dtype == "float32" or wild else 1
    arguments: dict[str, Any] = {}
    if (count == 1) != (wild and draw(st.integers(0, 5)) == 0):
        exponents = EXPONENTS if dtype == "float32" or wild else st.integers(0, 12)
        arguments["exponent"] = draw(exponents | BEYOND if wild else exponents)
    shapes = stretched(draw, count, range(1, 5), wild)
    ranges = ((0.1, 9.0), (-9.0, 9.0))[:count] if dtype == "float32" and draw(st.booleans()) else ()
    return Case("Pow", arguments, shapes, dtype, ranges=ranges)


def _add(*tensors: Tensor, other: float | None = None, alpha: float = 1) -> Tensor:
    first, *others = _operands(tensors, other)
    if len(others) > 1 and alpha != 1:
        raise ValueError("torch.add takes two summands")
    y: Tensor = first
    for summand in others:
        y = torch.add(y, summand, alpha=alpha)
    return y


def _mul(*tensors: Tensor, other: float | None = None) -> Tensor:
    first, *others = _operands(tensors, other)
    y: Tensor = first
    for factor in others:
        y = torch.mul(y, factor)
    return y


def _operands(tensors: Sequence[Tensor], other: float | None) -> tuple[Any, ...]:
    if (len(tensors) > 1) == (other is not None):
        raise ValueError("torch takes two tensors, or a tensor and a number")
    return (*tensors,) if other is None else (*tensors, other)


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def folded(*tensors: Tensor) -> Tensor:
        if len(tensors) < 2:
            raise ValueError("torch takes two tensors")
        return reduce(function, tensors)

    return folded


def held(dtype: str, numbers: Sequence[float]) -> bool:
    """Whether an element type has these numbers, or to a real one what they are rounded to."""
    if dtype == "float32":
        return all(abs(number) <= float(np.finfo(np.float32).max) for number in numbers)
    if any(isinstance(number, float) for number in numbers):
        return False
    limits = np.iinfo(dtype)
    return all(limits.min <= number <= limits.max for number in numbers)


def _narrower(case: Case) -> bool:
    """What torch promotes to another type, or wraps around."""
    arguments = case.arguments
    numbers = [arguments[name] for name in ("other", "alpha", "exponent") if name in arguments]
    if case.dtype == "bool" or not held(case.dtype, numbers):
        return True
    if case.op == "Div":
        rounds = "rounding_mode" in arguments
        return arguments.get("other") == 0 or (case.dtype != "float32" and not rounds)
    # Runtimes compute powers of integers in real numbers.
    return case.op == "Pow" and case.dtype != "float32" and len(case.shapes) > 1


SIGNATURES: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
    # What stands for a further input is none where there is one.
    "Add": (torch.add, {"other": None, "alpha": 1}),
    "Sub": (torch.sub, {"other": None, "alpha": 1}),
    "Mul": (torch.mul, {"other": None}),
    "Div": (torch.div, {"other": None, "rounding_mode": None}),
    "Pow": (torch.pow, {"exponent": None}),
    "Maximum": (torch.maximum, {}),
    "Minimum": (torch.minimum, {}),
}

FAMILY = Family(
    strategies={
        "Add": _combination("Add"),
        "Sub": sub,
        "Mul": _combination("Mul"),
        "Div": div,
        "Pow": pow_,
        "Maximum": _combination("Maximum", number=False),
        "Minimum": _combination("Minimum", number=False),
    },
    functions={
        "Add": _add,
        "Sub": torch.sub,
        "Mul": _mul,
        "Div": torch.div,
        "Pow": torch.pow,
        "Maximum": _folded(torch.maximum),
        "Minimum": _folded(torch.minimum),
    },
    signatures=SIGNATURES,
    openable=broadcast,
    narrower=_narrower,
)
