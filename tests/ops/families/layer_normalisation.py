"""How normalisations of the last dimensions are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import chosen, shape
from tests.ops.family import Family, Strategy, every_dimension_but


def _norm(op: str, defaults: Mapping[str, Any]) -> Strategy:
    @st.composite
    def norm(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, range(1, 6))
        arguments: dict[str, Any] = {
            name: draw(st.booleans()) for name, default in defaults.items() if default is True
        }
        if draw(st.booleans()):
            arguments["eps"] = draw(st.sampled_from([1e-5, 1e-3, 0.1]))
        if draw(st.booleans()):
            written = list(sizes[-draw(st.integers(1, len(sizes))) :])
            if wild and draw(st.booleans()):
                written[draw(st.integers(0, len(written) - 1))] += draw(st.sampled_from([-1, 1]))
            if wild and draw(st.integers(0, 5)) == 0:
                written = [1, *sizes]
            alone = len(written) == 1 and draw(st.booleans())
            arguments["normalized_shape"] = written[0] if alone else written
        return Case(op, chosen(draw, arguments, defaults), (sizes,))

    return norm


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"normalized_shape": case.shapes[0][-1], "eps": 1e-5 if case.op == "LayerNorm" else 2.0**-23}


def _openable(case: Case) -> tuple[Symbols, ...]:
    written = case.arguments.get("normalized_shape", 0)
    count = len(written) if isinstance(written, list) else 1
    return every_dimension_but(*range(-count, 0))(case)


FAMILY = Family(
    strategies={
        "LayerNorm": _norm("LayerNorm", {"eps": 1e-5, "elementwise_affine": True, "bias": True}),
        "RMSNorm": _norm("RMSNorm", {"elementwise_affine": True}),
    },
    inferred=_inferred,
    openable=_openable,
)
