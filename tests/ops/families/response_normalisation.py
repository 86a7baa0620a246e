"""How normalisation by neighbouring channels is drawn."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, integer, shape
from tests.ops.family import Family

DEFAULTS = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}


@st.composite
def _local_response_norm(draw: DrawFn, wild: bool) -> Case:
    arguments = {
        "size": integer(draw, 1, 6, wild, 1),
        "alpha": draw(st.sampled_from([1e-4, 1.0, 0.3])),
        "beta": draw(st.sampled_from([0.75, 0.5, 1.0, 2.0])),
        "k": draw(st.sampled_from([1.0, 2.0, 0.1])),
    }
    sizes = shape(draw, range(1, 6) if wild else range(3, 6))
    return Case("LocalResponseNorm", chosen(draw, arguments, DEFAULTS), (sizes,))


FAMILY = Family(
    strategies={"LocalResponseNorm": _local_response_norm},
    inferred=lambda case: DEFAULTS,
)
