"""How normalisations of each channel are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, integer, shape
from tests.ops.family import Family, Strategy, every_dimension_but


def _norm(op: str, ranks: Sequence[int], on: bool) -> Strategy:
    """Batch normalisations learn and track by default, instance normalisations do neither."""
    defaults = {"eps": 1e-5, "momentum": 0.1, "affine": on, "track_running_stats": on, "bias": True}

    @st.composite
    def norm(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, ranks, 4)
        flags = {name: draw(st.booleans()) for name in ("affine", "track_running_stats", "bias")}
        arguments: dict[str, Any] = {
            "eps": draw(st.sampled_from([1e-5, 1e-3, 0.1] + ([1e39] if wild else []))),
            "momentum": draw(st.sampled_from([0.1, 0.9, 1.0, None])),
            **flags,
        }
        if not wild and not flags["track_running_stats"]:  # a variance of one number is refused
            many = 0 if op.startswith("Batch") else 2
            sizes = tuple(size + (axis == many) for axis, size in enumerate(sizes))
        if draw(st.booleans()):
            # torch warns of a number that says nothing.
            beyond = wild and (flags["affine"] or op.startswith("Batch"))
            arguments["num_features"] = integer(draw, sizes[1], sizes[1], beyond, 1)
        return Case(op, chosen(draw, arguments, defaults), (sizes,))

    return norm


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"num_features": case.shapes[0][1], "eps": 1e-5}


def _narrower(case: Case) -> bool:
    if case.arguments.get("eps", 0) > float(np.finfo(np.float32).max):
        return True  # of which torch makes infinity, and zeros of its input
    # Where torch owns no tensor of so many features, it does not look at their number.
    return bool(case.arguments.get("num_features", case.shapes[0][1]) != case.shapes[0][1])


FAMILY = Family(
    strategies={
        "BatchNorm1d": _norm("BatchNorm1d", (2, 3), on=True),
        "BatchNorm2d": _norm("BatchNorm2d", (4,), on=True),
        "BatchNorm3d": _norm("BatchNorm3d", (5,), on=True),
        "InstanceNorm1d": _norm("InstanceNorm1d", (3,), on=False),
        "InstanceNorm2d": _norm("InstanceNorm2d", (4,), on=False),
        "InstanceNorm3d": _norm("InstanceNorm3d", (5,), on=False),
    },
    inferred=_inferred,
    openable=every_dimension_but(1),
    narrower=_narrower,
)
