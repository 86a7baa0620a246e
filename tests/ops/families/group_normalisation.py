"""How normalisations of groups of channels are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, integer, shape
from tests.ops.family import Family, every_dimension_but


@st.composite
def _group_norm(draw: DrawFn, wild: bool) -> Case:
    groups = draw(st.integers(1, 3))
    first, *others = shape(draw, range(1, 5), 4)
    channels = groups * draw(st.integers(1, 3))
    if wild and draw(st.booleans()):
        channels = draw(st.integers(1, 5))
    if not wild and channels == groups:  # one value a group is refused
        others = [others[0] + 1, *others[1:]] if others else [2]
    arguments: dict[str, Any] = {
        "num_groups": groups,
        "eps": draw(st.sampled_from([1e-5, 1e-3, 0.1])),
        "affine": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        arguments["num_channels"] = integer(draw, channels, channels, wild, 1)
    defaults = {"eps": 1e-5, "affine": True, "bias": True}
    return Case("GroupNorm", chosen(draw, arguments, defaults), ((first, channels, *others),))


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"num_channels": case.shapes[0][1], "eps": 1e-5}


def _narrower(case: Case) -> bool:
    _, channels, *others = case.shapes[0]
    # Of one value nothing is left; torch minds only where the batch is of one sample too.
    alone = channels == case.arguments["num_groups"] and np.prod(others) == 1
    # Where torch owns no tensor of so many channels, it looks only at what the groups divide.
    return bool(alone or case.arguments.get("num_channels", channels) != channels)


FAMILY = Family(
    strategies={"GroupNorm": _group_norm},
    inferred=_inferred,
    openable=every_dimension_but(1),
    narrower=_narrower,
)
