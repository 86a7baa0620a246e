"""How unpools are drawn: behind a pool, whose indices they take."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from tests.ops.cases import Case
from tests.ops.drawing import chosen
from tests.ops.families.pooling import pool
from tests.ops.family import Family, Strategy

DEFAULTS = {"padding": 0, "ceil_mode": False}


@dataclass(frozen=True)
class Unpooled(Case):
    """An unpool that reads the maxima of a pool, times -2, and where they stood."""

    pool: dict[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        return len(self.shapes[0]) - 2

    def spec(self) -> str:
        document = json.loads(super().spec())
        pooled = {f"MaxPool{self.rank}d": self.pool | {"return_indices": True}, "name": "pool"}
        other = {"Mul": {"other": -2}, "name": "other", "from": "pool"}
        (layer,) = document["layers"]
        layer["from"] = ["other", "pool.indices"]
        return json.dumps(document | {"layers": [pooled, other, layer]})

    def module(self, *, as_exported: bool = False) -> nn.Module:
        def listed(arguments: Any) -> dict[str, Any]:
            return {name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}

        pooling = getattr(nn, f"MaxPool{self.rank}d")(**listed(self.pool), return_indices=True)
        return _PoolAndUnpool(pooling, getattr(nn, self.op)(**listed(self.arguments)))


class _PoolAndUnpool(nn.Module):
    def __init__(self, pooling: nn.Module, unpooling: nn.Module) -> None:
        super().__init__()
        self.pooling = pooling
        self.unpooling = unpooling

    def forward(self, x: Tensor) -> Tensor:
        y, places = self.pooling(x)
        restored: Tensor = self.unpooling(y * -2, places, output_size=x.shape[2:])
        return restored


def _max_unpool(op: str, rank: int) -> Strategy:
    @st.composite
    def max_unpool(draw: DrawFn, wild: bool) -> Case:
        arguments, shape = pool(draw, rank, False)
        window = {name: value for name, value in arguments.items() if name != "ceil_mode"}
        pooled = chosen(draw, arguments, DEFAULTS)
        if wild and draw(st.booleans()):
            pooled["dilation"] = draw(st.integers(1, 2))
        if wild and draw(st.booleans()):
            name = draw(st.sampled_from(sorted(window)))
            window[name] = draw(st.integers(0 if name == "padding" else 1, 4))
        return Unpooled(op, chosen(draw, window, DEFAULTS), (shape,), pool=pooled)

    return max_unpool


def _narrower(case: Case) -> bool:
    """Where the pool, and not the unpool, is refused."""
    assert isinstance(case, Unpooled)
    pooling = getattr(nn, f"MaxPool{case.rank}d")
    y = pooling(**{name: tuple(v) if isinstance(v, list) else v for name, v in case.pool.items()})(
        torch.zeros(case.shapes[0])
    )
    return bool(y.isinf().any())  # the maximum of a window that lies in padding alone


FAMILY = Family(
    strategies={f"MaxUnpool{rank}d": _max_unpool(f"MaxUnpool{rank}d", rank) for rank in (1, 2, 3)},
    narrower=_narrower,
)
