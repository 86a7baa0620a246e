"""How torch.nn's pad layers are drawn."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case
from tests.ops.drawing import ALL_DTYPES, DTYPES, integer, shape, written
from tests.ops.families.padding import amounts_and_sizes, leaves_nothing, number, reads_beyond, unheld
from tests.ops.family import Family, Strategy

MODES = {
    "ConstantPad": "constant",
    "ZeroPad": "constant",
    "ReflectionPad": "reflect",
    "ReplicationPad": "replicate",
    "CircularPad": "circular",
}


def _mode(op: str) -> str:
    return MODES[op[: -len("1d")]]


def _layer(op: str, axes: int) -> Strategy:
    @st.composite
    def layer(draw: DrawFn, wild: bool) -> Case:
        mode = _mode(op)
        amounts, sizes = amounts_and_sizes(draw, mode, axes, wild)
        leading = integer(draw, 0 if mode == "constant" else 1, 2, wild)
        if wild and draw(st.integers(0, 7)) == 0:
            leading, sizes = draw(st.sampled_from([(3, sizes), (0, sizes), (1, sizes[1:])]))
        if leading:
            sizes = (*shape(draw, (leading,), 3), *sizes)
        dtype = draw(st.sampled_from(ALL_DTYPES if wild or mode in ("constant", "circular") else DTYPES))
        arguments: dict[str, Any] = {"padding": written(draw, amounts)}
        if op.startswith("Constant"):
            arguments["value"] = number(draw, dtype, wild)
        return Case(op, arguments, (sizes or (1,),), dtype)

    return layer


def _amounts(case: Case) -> list[int]:
    written: int | list[int] = case.arguments["padding"]
    return [written] * 2 * int(case.op[-2]) if isinstance(written, int) else written


def _narrower(case: Case) -> bool:
    (sizes,) = case.shapes
    if leaves_nothing(_amounts(case), sizes) or reads_beyond(_mode(case.op), _amounts(case), sizes):
        return True
    return unheld(case.arguments.get("value"), case.dtype)


FAMILY = Family(
    strategies={f"{name}{axes}d": _layer(f"{name}{axes}d", axes) for name in MODES for axes in (1, 2, 3)},
    narrower=_narrower,
    copying=lambda case: _mode(case.op) != "constant",
)
