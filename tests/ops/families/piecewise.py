"""How activations made of straight pieces are drawn."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import nn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, shape
from tests.ops.families.activation import HUGE, REALS, inplace, pointwise
from tests.ops.family import Family

_FLAG = st.booleans()


@st.composite
def _hardtanh(draw: DrawFn, wild: bool) -> Case:
    bounds = [draw(REALS), draw(REALS)]
    least, greatest = bounds if wild else (min(bounds), max(bounds) + 0.5)
    if wild and draw(st.integers(0, 7)) == 0:
        greatest = draw(HUGE)
    arguments = {"min_val": least, "max_val": greatest, "inplace": draw(_FLAG)}
    defaults = {"min_val": -1.0, "max_val": 1.0, "inplace": False}
    return Case("Hardtanh", chosen(draw, arguments, defaults), (shape(draw, range(1, 6)),))


FAMILY = Family(
    strategies={
        "ReLU6": inplace("ReLU6"),
        "Hardtanh": _hardtanh,
        "Hardsigmoid": inplace("Hardsigmoid"),
        "Hardswish": inplace("Hardswish"),
        "Hardshrink": pointwise("Hardshrink", {"lambd": REALS}, {"lambd": 0.5}, {"lambd": HUGE}),
        "Softshrink": pointwise(
            "Softshrink", {"lambd": st.floats(0, 3, width=16)}, {"lambd": 0.5}, {"lambd": HUGE | REALS}
        ),
        "Threshold": pointwise(
            "Threshold",
            {"threshold": REALS, "value": REALS, "inplace": _FLAG},
            {"inplace": False},
            {"threshold": HUGE, "value": HUGE},
        ),
    },
    # torch also has older names for the two bounds, and warns of them.
    signatures={"Hardtanh": (nn.Hardtanh, {"min_val": -1.0, "max_val": 1.0, "inplace": False})},
)
