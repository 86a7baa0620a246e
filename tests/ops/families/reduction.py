"""How sums and means along dimensions are drawn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from tests.ops.cases import Case
from tests.ops.drawing import ALL_DTYPES, axis, chosen, shape
from tests.ops.family import Family, Strategy

DEFAULTS: dict[str, Any] = {"dim": None, "keepdim": False, "correction": 1, "p": "fro"}


def dims(draw: DrawFn, rank: int, wild: bool) -> int | list[int] | None:
    """No dimension, one, or several; in a wild draw one may be named twice."""
    kind = draw(st.sampled_from(["none", "one", "several"]))
    if kind == "none":
        return None
    if kind == "one":
        return axis(draw, rank, wild)
    several = draw(st.lists(st.integers(0, rank - 1), max_size=rank, unique=not wild))
    return [dim - rank if draw(st.booleans()) else dim for dim in several]


def _several(op: str, dtypes: tuple[str, ...]) -> Strategy:
    @st.composite
    def reduction(draw: DrawFn, wild: bool) -> Case:
        sizes = shape(draw, range(1, 5))
        arguments: dict[str, Any] = {"dim": dims(draw, len(sizes), wild), "keepdim": draw(st.booleans())}
        if op in ("Var", "Std"):
            arguments["correction"] = draw(st.integers(-1, 2))
            if not wild:
                sizes = tuple(size + 2 for size in sizes)
        if op == "Norm":
            numbers = [1, 2, 1.5, 3, 0.5] + ([0, -1] if wild else [])
            arguments["p"] = draw(st.sampled_from(["fro", *numbers]))
        dtype = draw(st.sampled_from(ALL_DTYPES if wild else dtypes))
        return Case(op, chosen(draw, arguments, DEFAULTS), (sizes,), dtype)

    return reduction


@st.composite
def prod(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5), 4)
    dim = axis(draw, len(sizes), wild) if draw(st.booleans()) else None
    arguments: dict[str, Any] = {} if dim is None else {"dim": dim}
    if dim is not None or wild:
        arguments |= chosen(draw, {"keepdim": draw(st.booleans())}, DEFAULTS)
    return Case("Prod", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)), ranges=((-3, 3),))


@st.composite
def cum_sum(draw: DrawFn, wild: bool) -> Case:
    sizes = shape(draw, range(1, 5))
    arguments = {"dim": axis(draw, len(sizes), wild)}
    return Case("CumSum", arguments, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


def _warned(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, where a warning of torch is a refusal: a variance of too few values is NaN."""

    def refusing(x: Tensor, **arguments: Any) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return function(x, **arguments)
            except UserWarning as warning:
                raise ValueError(str(warning)) from warning

    return refusing


def _over(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, where dim is none if it is left out, which torch would not have beside a keepdim."""

    def reduction(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        return function(x, dim=dim, keepdim=keepdim)

    return reduction


def _norm(x: Tensor, p: float | str = "fro", dim: Any = None, keepdim: bool = False) -> Tensor:
    y: Tensor = torch.linalg.vector_norm(x, 2 if p == "fro" else p, dim, keepdim)
    return y


def _prod(x: Tensor, **arguments: Any) -> Tensor:
    if "dim" not in arguments and arguments.get("keepdim") is False:
        arguments = {}  # torch has no keepdim without dim, not even a false one
    return torch.prod(x, **arguments)


def _narrower(case: Case) -> bool:
    """Counting the elements that are not 0, and roots of what vanishes where one is."""
    return case.arguments.get("p") in (0, -1)


FAMILY = Family(
    strategies={
        "Mean": _several("Mean", ("float32",)),
        "Sum": _several("Sum", ALL_DTYPES),
        "Prod": prod,
        "Var": _several("Var", ("float32",)),
        "Std": _several("Std", ("float32",)),
        "Norm": _several("Norm", ("float32",)),
        "CumSum": cum_sum,
    },
    functions={
        "Mean": _over(torch.mean),
        "Sum": _over(torch.sum),
        "Prod": _prod,
        "Var": _warned(torch.var),
        "Std": _warned(torch.std),
        "Norm": _norm,
        "CumSum": torch.cumsum,
    },
    signatures={
        "Mean": (torch.mean, {"dim": None, "keepdim": False}),
        "Sum": (torch.sum, {"dim": None, "keepdim": False}),
        "Prod": (torch.prod, {"dim": None, "keepdim": False}),
        "Var": (torch.var, {"dim": None, "correction": 1, "keepdim": False}),
        "Std": (torch.std, {"dim": None, "correction": 1, "keepdim": False}),
        "Norm": (torch.norm, {"p": "fro", "dim": None, "keepdim": False}),
        "CumSum": (torch.cumsum, {"dim": ...}),
    },
    narrower=_narrower,
)
