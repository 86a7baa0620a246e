"""How dropouts are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, shape
from tests.ops.family import Family, Strategy


def _dropout(op: str, ranks: Sequence[int], beyond: Sequence[int] = range(1, 6)) -> Strategy:
    @st.composite
    def dropout(draw: DrawFn, wild: bool) -> Case:
        choices = [0.0, 0.25, 0.5, 1.0] + ([-0.1, 1.1] if wild else [])
        arguments = {"p": draw(st.sampled_from(choices)), "inplace": draw(st.booleans())}
        sizes = shape(draw, beyond if wild else ranks)
        return Case(op, chosen(draw, arguments, {"p": 0.5, "inplace": False}), (sizes,))

    return dropout


@st.composite
def _stochastic_depth(draw: DrawFn, wild: bool) -> Case:
    arguments = {
        "p": draw(st.sampled_from([0.0, 0.2, 0.5, 1.0] + ([-0.1, 1.1] if wild else []))),
        "mode": draw(st.sampled_from(["batch", "row"] + (["channel"] if wild else []))),
    }
    return Case("StochasticDepth", arguments, (shape(draw, range(1, 6)),))


class _StochasticDepth(nn.Module):
    """By torch's own dropout, of a tensor of ones that has one element a draw."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        if mode not in ("batch", "row"):
            raise ValueError(mode)
        self.mode = mode
        self.kept = nn.Dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        draws = x.shape[0] if self.mode == "row" else 1
        factors: Tensor = self.kept(torch.ones(draws, dtype=x.dtype))
        return (x.movedim(0, -1) * factors).movedim(-1, 0)


SPATIAL = {"Dropout1d": 1, "Dropout2d": 2, "Dropout3d": 3}


def _narrower(case: Case) -> bool:
    rank = len(case.shapes[0])
    if case.op in SPATIAL:
        # Samples without a batch; of any other rank torch warns, or refuses it.
        return rank != SPATIAL[case.op] + 2
    return case.op == "FeatureAlphaDropout" and rank < 2  # which torch refuses to train on


FAMILY = Family(
    strategies={
        "Dropout": _dropout("Dropout", range(1, 6)),
        "Dropout1d": _dropout("Dropout1d", (3,)),
        "Dropout2d": _dropout("Dropout2d", (4,), (4,)),
        "Dropout3d": _dropout("Dropout3d", (5,), (4, 5)),
        "AlphaDropout": _dropout("AlphaDropout", range(1, 6)),
        "FeatureAlphaDropout": _dropout("FeatureAlphaDropout", range(2, 6)),
        "StochasticDepth": _stochastic_depth,
    },
    functions={"StochasticDepth": _StochasticDepth},
    signatures={"StochasticDepth": (_StochasticDepth, {"p": ..., "mode": ...})},
    narrower=_narrower,
)
