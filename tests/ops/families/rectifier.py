"""How rectifiers are drawn."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import chosen, shape
from tests.ops.families.activation import HUGE, REALS, inplace, pointwise
from tests.ops.family import Family, Strategy, every_dimension, every_dimension_but

_FLAG = st.booleans()


def _without_negative_inplace(strategy: Strategy) -> Strategy:
    """The same, but in place only of what torch then has a gradient for."""

    def kept(case: Case) -> Case:
        reals = [value for value in case.arguments.values() if isinstance(value, float)]
        if min(reals, default=0) >= 0:
            return case
        arguments = {name: value for name, value in case.arguments.items() if name != "inplace"}
        return replace(case, arguments=arguments)

    return lambda wild: strategy(wild).map(kept)


@st.composite
def _prelu(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 6))
    slopes = sizes[1] if len(sizes) > 1 and draw(st.booleans()) else 1
    if wild and draw(st.booleans()):
        slopes = draw(st.integers(0, 5))
    arguments = {"num_parameters": slopes, "init": draw(REALS)}
    return Case("PReLU", chosen(draw, arguments, {"num_parameters": 1, "init": 0.25}), (sizes,))


@st.composite
def _rrelu(draw: DrawFn, wild: bool) -> Case:
    bounds = [draw(REALS), draw(REALS)]
    lower, upper = bounds if wild else sorted(bounds)
    arguments = {"lower": lower, "upper": upper, "inplace": draw(_FLAG)}
    if draw(st.integers(0, 3)) == 0:
        arguments |= {"lower": 0.125, "upper": 1 / 3}
    defaults = {"lower": 0.125, "upper": 1 / 3, "inplace": False}
    return Case("RReLU", chosen(draw, arguments, defaults), (shape(draw, range(1, 6)),))


def _openable(case: Case) -> tuple[Symbols, ...]:
    of_channels = case.op == "PReLU" and case.arguments.get("num_parameters", 1) > 1
    return every_dimension_but(1)(case) if of_channels else every_dimension(case)


FAMILY = Family(
    strategies={
        "ReLU": inplace("ReLU"),
        "LeakyReLU": _without_negative_inplace(
            pointwise(
                "LeakyReLU",
                {"negative_slope": REALS, "inplace": _FLAG},
                {"negative_slope": 0.01, "inplace": False},
                {"negative_slope": HUGE},
            )
        ),
        "PReLU": _prelu,
        "RReLU": _without_negative_inplace(_rrelu),
        "ELU": _without_negative_inplace(
            pointwise(
                "ELU", {"alpha": REALS, "inplace": _FLAG}, {"alpha": 1.0, "inplace": False}, {"alpha": HUGE}
            )
        ),
        "CELU": pointwise(
            "CELU",
            # Of a negative alpha, large inputs are infinite.
            {"alpha": st.floats(0.125, 3, width=16), "inplace": _FLAG},
            {"alpha": 1.0, "inplace": False},
            {"alpha": HUGE | st.sampled_from([0.0, -1.0, 1e-50])},
        ),
        "SELU": inplace("SELU"),
    },
    openable=_openable,
)
