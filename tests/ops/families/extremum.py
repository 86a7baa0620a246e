"""How the largest and the smallest elements, and their places, are drawn."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case
from tests.ops.drawing import ALL_DTYPES, DTYPES, axis, chosen, shape
from tests.ops.families.reduction import dims
from tests.ops.family import Family, Strategy

PLACES = {"ArgMax": torch.argmax, "ArgMin": torch.argmin}
FEW = ((-3, 3),)  # integers among which many are equal


def _extreme(op: str) -> Strategy:
    """Max and Min: along one dimension they have indices."""

    @st.composite
    def extreme(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, range(1, 5))
        dim = axis(draw, len(sizes), wild) if draw(st.booleans()) else None
        arguments: dict[str, Any] = {} if dim is None else {"dim": dim}
        if dim is not None or wild:
            arguments |= chosen(draw, {"keepdim": draw(st.booleans())}, {"keepdim": False})
        dtype = draw(st.sampled_from(ALL_DTYPES))
        ports = () if dim is None else ("indices",)
        return Case(op, arguments, (sizes,), dtype, ports=ports, ranges=FEW if "int" in dtype else ())

    return extreme


def _value(op: str) -> Strategy:
    @st.composite
    def value(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, range(1, 5))
        dim = dims(draw, len(sizes), wild)
        arguments = {} if dim is None else {"dim": dim}
        arguments |= chosen(draw, {"keepdim": draw(st.booleans())}, {"keepdim": False})
        return Case(op, arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))

    return value


def _place(op: str) -> Strategy:
    @st.composite
    def place(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, range(1, 5))
        dim = axis(draw, len(sizes), wild) if draw(st.booleans()) else None
        arguments = {"dim": dim, "keepdim": draw(st.booleans())}
        dtype = draw(st.sampled_from(ALL_DTYPES if wild else DTYPES))
        arguments = chosen(draw, arguments, {"dim": None, "keepdim": False})
        return Case(op, arguments, (sizes,), dtype, ranges=FEW if "int" in dtype else ())

    return place


def _max(x: Tensor, **arguments: Any) -> Any:
    return torch.max(x, **_without_keepdim(arguments))


def _min(x: Tensor, **arguments: Any) -> Any:
    return torch.min(x, **_without_keepdim(arguments))


def _without_keepdim(arguments: dict[str, Any]) -> dict[str, Any]:
    """torch has no keepdim without dim, not even a false one."""
    return {} if "dim" not in arguments and arguments.get("keepdim") is False else arguments


FAMILY = Family(
    strategies={
        "Max": _extreme("Max"),
        "Min": _extreme("Min"),
        "AMax": _value("AMax"),
        "AMin": _value("AMin"),
        **{op: _place(op) for op in PLACES},
    },
    functions={"Max": _max, "Min": _min, "AMax": torch.amax, "AMin": torch.amin, **PLACES},
    signatures={
        "Max": (torch.max, {"dim": None, "keepdim": False}),
        "Min": (torch.min, {"dim": None, "keepdim": False}),
        "AMax": (torch.amax, {"dim": (), "keepdim": False}),
        "AMin": (torch.amin, {"dim": (), "keepdim": False}),
        **{op: (function, {"dim": None, "keepdim": False}) for op, function in PLACES.items()},
    },
)
