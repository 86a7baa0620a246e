"""How dense layers are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import chosen, integer, shape
from tests.ops.family import Family


@st.composite
def linear(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, (1, 2, 2, 3, 4, 5))
    arguments: dict[str, Any] = {
        "out_features": integer(draw, 1, 6, wild, 1),
        "bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        arguments["in_features"] = integer(draw, sizes[-1], sizes[-1], wild, 1)
    return Case("Linear", chosen(draw, arguments, {"bias": True}), (sizes,))


@st.composite
def bilinear(draw: DrawFn, wild: bool) -> Case:
    leading = shape(draw, (0, 1, 1, 2, 3))
    others = list(leading)
    if wild and others and draw(st.integers(0, 3)) == 0:
        others[draw(st.integers(0, len(others) - 1))] += 1
    if wild and draw(st.integers(0, 7)) == 0:
        others.append(2)
    features = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    arguments: dict[str, Any] = {"out_features": draw(st.integers(1, 4)), "bias": draw(st.booleans())}
    for name, count in zip(("in1_features", "in2_features"), features, strict=True):
        if draw(st.booleans()):
            arguments[name] = integer(draw, count, count, wild, 1)
    shapes = (*leading, features[0]), (*others, features[1])
    return Case("Bilinear", chosen(draw, arguments, {"bias": True}), shapes)


def _inferred(case: Case) -> Mapping[str, Any]:
    if case.op == "Bilinear":
        return {"in1_features": case.shapes[0][-1], "in2_features": case.shapes[1][-1]}
    return {"in_features": case.shapes[0][-1]}


def _openable(case: Case) -> tuple[Symbols, ...]:
    """What comes before the features, which is the same in every input."""
    return tuple((*(f"d{axis}" for axis in range(len(sizes) - 1)), None) for sizes in case.shapes)


def _of_two_vectors(case: Case) -> int:
    """x1^T A, then its product with x2, for every output."""
    (*leading, first), (*_, second) = case.shapes
    return math.prod(leading) * int(case.arguments["out_features"]) * (first * second + second)


def _of_one_vector(case: Case) -> int | None:
    """torch does not count the product of a matrix and one vector."""
    sizes = case.shapes[0]
    return int(case.arguments["out_features"]) * sizes[0] if len(sizes) == 1 else None


def _narrower(case: Case) -> bool:
    return bool(case.arguments["out_features"] == 0)  # tensors without elements


FAMILY = Family(
    strategies={"Linear": linear, "Bilinear": bilinear},
    inferred=_inferred,
    openable=_openable,
    narrower=_narrower,
    macs={"Linear": _of_one_vector, "Bilinear": _of_two_vectors},
)
