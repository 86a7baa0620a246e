"""How softmax and its relatives are drawn."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import axis, chosen, shape
from tests.ops.family import Family, Strategy


def _along(op: str) -> Strategy:
    @st.composite
    def along(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, range(1, 6))
        dim = axis(draw, len(sizes), wild, 2) if draw(st.integers(0, 3)) else None
        return Case(op, chosen(draw, {"dim": dim}, {"dim": None}), (sizes,))

    return along


@st.composite
def _of_images(draw: DrawFn, wild: bool) -> Case:
    return Case("Softmax2d", {}, (shape(draw, range(1, 6) if wild else (4,)),))


def _narrower(case: Case) -> bool:
    return case.op == "Softmax2d" and len(case.shapes[0]) == 3  # an image without a batch


FAMILY = Family(
    strategies={
        "Softmax": _along("Softmax"),
        "Softmin": _along("Softmin"),
        "LogSoftmax": _along("LogSoftmax"),
        "Softmax2d": _of_images,
    },
    narrower=_narrower,
)
