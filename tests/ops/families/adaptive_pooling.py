"""How adaptive pools are drawn."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import chosen
from tests.ops.family import Family, Strategy


def _adaptive_pool(op: str, rank: int) -> Strategy:
    most = (7, 7, 4)[rank - 1]

    @st.composite
    def adaptive_pool(draw: DrawFn, wild: bool) -> Case:
        count = st.integers(1, most)
        asked = [draw(count if rank == 1 else st.none() | count) for _ in range(rank)]
        if draw(st.integers(0, 4)) == 0:
            asked = [1] * rank
        if wild and draw(st.integers(0, 5)) == 0:
            asked[0] = -1
        divided = draw(st.booleans())
        sizes = [
            draw(st.integers(1, 3)) * max(ask or 1, 1) if divided else draw(st.integers(1, most + 2))
            for ask in asked
        ]
        one = len(set(asked)) == 1 and asked[0] and draw(st.booleans())
        shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes)
        arguments = {"output_size": asked[0] if one else asked}
        if "Max" not in op:
            return Case(op, arguments, (shape,))
        arguments["return_indices"] = draw(st.booleans())
        ports = ("indices",) if arguments["return_indices"] else ()
        return Case(op, chosen(draw, arguments, {"return_indices": False}), (shape,), ports=ports)

    return adaptive_pool


RANKS = {f"Adaptive{kind}Pool{rank}d": rank for kind in ("Avg", "Max") for rank in (1, 2, 3)}
FAMILY = Family(
    strategies={op: _adaptive_pool(op, rank) for op, rank in RANKS.items()},
    selecting=frozenset(op for op in RANKS if "Max" in op),
)
