"""How changes of the elements' type are drawn."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from tests.ops.cases import Array, Case, Sizes
from tests.ops.drawing import ALL_DTYPES, shape
from tests.ops.family import Family


def _halves(generator: np.random.Generator, shapes: tuple[Sizes, ...]) -> list[Array]:
    """Numbers with fractions on both sides of zero, and zeros of both signs."""
    return [np.where(x == 0, -0.0, x / 2) for x in (generator.integers(-9, 10, size) for size in shapes)]


@st.composite
def cast(draw: DrawFn, wild: bool) -> Case:
    source = draw(st.sampled_from(ALL_DTYPES))
    target = draw(st.sampled_from(["float32", "float64", "float16", "int64", "int32", "bool"]))
    if wild:
        target = draw(st.sampled_from([target, "int8", "float"]))
    whole = source == "float32" and target in ("int64", "int32", "bool")
    values = _halves if whole and draw(st.booleans()) else None
    ranges = ((-9.0, 9.0),) if source == "float32" and target in ("float16", "int32", "int64") else ()
    return Case("Cast", {"dtype": target}, (shape(draw, range(1, 5)),), source, ranges=ranges, values=values)


class _Cast(nn.Module):
    """Tensor.to; of a module in float64 the real numbers are float64, as the oracle's are."""

    def __init__(self, dtype: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, dtype)

    def double(self) -> _Cast:
        if self.dtype.is_floating_point:
            self.dtype = torch.float64
        return super().double()

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


FAMILY = Family(
    strategies={"Cast": cast},
    functions={"Cast": _Cast},
    signatures={"Cast": (Tensor.to, {"dtype": ...})},
    # torch has element types that no spec has.
    narrower=lambda case: case.arguments["dtype"] in ("int8", "float"),
    computed=frozenset({"Cast"}),
)
