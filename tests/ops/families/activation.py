"""How smooth activations are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.ops.cases import Case
from tests.ops.drawing import axis, chosen, shape
from tests.ops.family import Family, Strategy

REALS = st.floats(-3, 3, width=16)
HUGE = st.sampled_from([1e39, -1e300])  # which float32 cannot hold


def pointwise(
    op: str,
    drawn: Mapping[str, SearchStrategy[Any]] = {},
    defaults: Mapping[str, Any] = {},
    beyond: Mapping[str, SearchStrategy[Any]] = {},
) -> Strategy:
    """Any shape; arguments from `drawn`, now and then, in a wild draw, from `beyond`."""

    @st.composite
    def cases(draw: DrawFn, wild: bool) -> Case:
        arguments = {name: draw(values) for name, values in drawn.items()}
        for name, values in beyond.items() if wild else ():
            if draw(st.integers(0, 3)) == 0:
                arguments[name] = draw(values)
        return Case(op, chosen(draw, arguments, defaults), (shape(draw, range(1, 6)),))

    return cases


def inplace(op: str) -> Strategy:
    """Any shape, with or without `inplace`."""
    return pointwise(op, {"inplace": st.booleans()}, {"inplace": False})


@st.composite
def _glu(draw: DrawFn, wild: bool) -> Case:
    sizes = list(shape(draw, range(1, 6), 4))
    dim = axis(draw, len(sizes), wild)
    if -len(sizes) <= dim < len(sizes) and not (wild and draw(st.booleans())):
        sizes[dim] = 2 * draw(st.integers(1, 3))
    return Case("GLU", chosen(draw, {"dim": dim}, {"dim": -1}), (tuple(sizes),))


def _openable(case: Case) -> tuple[tuple[str | None, ...], ...]:
    # Nothing says here that a symbolic size is even.
    ((*sizes,),) = case.shapes
    halved = case.arguments.get("dim", -1) % len(sizes) if case.op == "GLU" else None
    return (tuple(None if axis == halved else f"d{axis}" for axis in range(len(sizes))),)


_FORMS = st.sampled_from(["none", "tanh"])
_NONZERO = REALS.filter(lambda number: abs(number) > 0.05)

FAMILY = Family(
    strategies={
        "Sigmoid": pointwise("Sigmoid"),
        "LogSigmoid": pointwise("LogSigmoid"),
        "Tanh": pointwise("Tanh"),
        "Tanhshrink": pointwise("Tanhshrink"),
        "Softsign": pointwise("Softsign"),
        "Softplus": pointwise(
            "Softplus",
            {
                "beta": st.just(1.0) | _NONZERO,
                "threshold": st.sampled_from([20.0, 21.0, 5.0, 0.5, 0.0, -1.0]),
            },
            {"beta": 1.0, "threshold": 20.0},
            {"beta": HUGE, "threshold": HUGE},
        ),
        "SiLU": inplace("SiLU"),
        "Mish": inplace("Mish"),
        "GELU": pointwise(
            "GELU", {"approximate": st.sampled_from(["none", "tanh"])}, {"approximate": "none"}
        ),
        "GLU": _glu,
    },
    openable=_openable,
)
