"""How similarities and distances are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import DTYPES, axis, chosen, stretched
from tests.ops.family import Family, broadcast


@st.composite
def cosine_similarity(draw: DrawFn, wild: bool) -> Case:
    shapes = stretched(draw, 2, range(1, 5), wild)
    rank = max(map(len, shapes))
    arguments = {"dim": axis(draw, rank, wild), "eps": draw(st.sampled_from([1e-8, 1e-3, 2.5, 0.0]))}
    arguments = chosen(draw, arguments, {"dim": 1, "eps": 1e-8})
    if not wild and rank == 1:
        arguments.setdefault("dim", 0)
    return Case("CosineSimilarity", arguments, shapes, draw(st.sampled_from(DTYPES if wild else ["float32"])))


@st.composite
def pairwise_distance(draw: DrawFn, wild: bool) -> Case:
    arguments: dict[str, Any] = {
        "p": draw(st.sampled_from([2.0, 1.0, 3.0, 1.5, 0.5] + ([0.0, -1.0] if wild else []))),
        "eps": draw(st.sampled_from([1e-6, 1e-3, 0.1, 0.0])),
        "keepdim": draw(st.booleans()),
    }
    arguments = chosen(draw, arguments, {"p": 2.0, "eps": 1e-6, "keepdim": False})
    shapes = stretched(draw, 2, range(1, 5), wild)
    return Case("PairwiseDistance", arguments, shapes, draw(st.sampled_from(DTYPES if wild else ["float32"])))


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"eps": 1e-8 if case.op == "CosineSimilarity" else 1e-6}


def _narrower(case: Case) -> bool:
    """Counting the differences that are not 0, and roots of what vanishes where one is."""
    # torch takes distances of integers where eps makes real numbers of them.
    integers = case.op == "PairwiseDistance" and case.dtype != "float32"
    return integers or case.arguments.get("p", 1.0) <= 0


FAMILY = Family(
    strategies={"CosineSimilarity": cosine_similarity, "PairwiseDistance": pairwise_distance},
    inferred=_inferred,
    openable=broadcast,
    narrower=_narrower,
)
