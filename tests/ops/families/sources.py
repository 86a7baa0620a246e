"""How tensors are drawn that come from the spec itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from netspec.ir.graph import Graph
from netspec.pipeline import check_text
from tests.ops.cases import LAYER, Case
from tests.ops.drawing import chosen, shape
from tests.ops.family import Family

REALS = ("float32", "float32", "float64", "float16")


@dataclass(frozen=True)
class SourceCase(Case):
    """A layer without inputs. A file has one all the same, which is given out as it is, and then left out."""

    def graph(self) -> Graph:
        layer = {self.op: dict(self.arguments), "name": LAYER}
        outputs = {"y": LAYER, "z": "x"}
        document = {"netspec": 1, "name": "one", "inputs": {"x": [1]}, "layers": [layer], "outputs": outputs}
        graph = check_text(json.dumps(document), "case.json").graph
        return replace(graph, inputs=(), outputs=graph.outputs[:1])


@st.composite
def parameter(draw: DrawFn, wild: bool) -> Case:
    sizes: list[float] = list(shape(draw, range(5)))
    if wild and sizes and draw(st.booleans()):
        sizes[0] = draw(st.sampled_from([0, -1, 1.5]))
    dtypes = (*REALS, "int64", "bool") if wild else REALS
    arguments = {"shape": sizes, "dtype": draw(st.sampled_from(dtypes))}
    return SourceCase("Parameter", chosen(draw, arguments, {"dtype": "float32"}), (), "int64")


@st.composite
def constant(draw: DrawFn, wild: bool) -> Case:
    kinds: list[tuple[st.SearchStrategy[Any], tuple[str, ...]]] = [
        (st.booleans(), ("bool",)),
        (st.integers(-9, 9), ("int64", "int32", *REALS)),
        (st.integers(-(2**24), 2**24), ("int64", "int32", "float32", "float64")),
        (st.floats(-9, 9) | st.integers(-9, 9).map(float), REALS),
    ]
    kind, dtypes = draw(st.sampled_from(kinds))
    if wild:
        kind |= st.sampled_from([2**31, 2**63, 1e39, -1e300, 70000.0, True, 0.5, "a"])
        dtypes = ("bool", "int64", "int32", *REALS)
    value = draw(_nested(kind, shape(draw, range(4), 3)))
    if wild and isinstance(value, list) and draw(st.integers(0, 5)) == 0:
        further: Any = draw(st.sampled_from([[], 1, [1]]))
        value = [*value, further]
    arguments: dict[str, Any] = {"value": value}
    if draw(st.booleans()):
        arguments["dtype"] = draw(st.sampled_from(dtypes))
    return SourceCase("Constant", arguments, (), "int64")


def _nested(kind: st.SearchStrategy[Any], sizes: tuple[int, ...]) -> st.SearchStrategy[Any]:
    if not sizes:
        return kind
    return st.lists(_nested(kind, sizes[1:]), min_size=sizes[0], max_size=sizes[0])


class _Parameter(nn.Module):
    def __init__(self, shape: tuple[int, ...], dtype: str = "float32") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape, dtype=getattr(torch, dtype)))

    def forward(self) -> Tensor:
        return self.weight.clone()


class _Constant(nn.Module):
    def __init__(self, value: Any, dtype: str | None = None) -> None:
        super().__init__()
        self.register_buffer("tensor", _tensor(value, dtype), persistent=False)

    def forward(self) -> Any:
        return self.tensor


def _tensor(value: Any, dtype: str | None) -> Tensor:
    """torch.tensor, but that a real number is rounded once: torch itself goes through float32."""
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return torch.from_numpy(np.array(value, np.float16))
    return torch.tensor(value, dtype=None if dtype is None else getattr(torch, dtype))


def _narrower(case: Case) -> bool:
    """torch takes truth values for numbers and numbers for truth values, cuts fractions off, and makes
    infinity of what is too large; tensors without elements are not ours."""
    if case.op == "Parameter":
        return 0 in case.arguments["shape"]
    leaves = list(_leaves(case.arguments["value"]))
    kinds = {type(leaf) for leaf in leaves}
    if not leaves or (bool in kinds and len(kinds) > 1):
        return True
    natural = "bool" if bool in kinds else "float32" if float in kinds else "int64"
    dtype = case.arguments.get("dtype") or natural
    if (dtype == "bool") != (bool in kinds):
        return True
    if dtype == "bool":
        return False
    if "float" in dtype:
        largest = float(np.finfo(dtype).max)
        return any(abs(leaf) > largest for leaf in leaves)
    limits = np.iinfo(dtype)
    return float in kinds or any(not limits.min <= leaf <= limits.max for leaf in leaves)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for row in value:
            yield from _leaves(row)
    else:
        yield value


FAMILY = Family(
    strategies={"Parameter": parameter, "Constant": constant},
    functions={"Parameter": _Parameter, "Constant": _Constant},
    signatures={
        "Parameter": (nn.Parameter, {"shape": ..., "dtype": "float32"}),
        "Constant": (torch.tensor, {"value": ..., "dtype": None}),
    },
    narrower=_narrower,
)
