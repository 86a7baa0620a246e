"""One operation on inputs of given sizes: as a spec, as torch itself has it, as numbers to run on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netspec.ir.graph import Graph
from netspec.pipeline import check_text

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = tuple[int, ...]
Symbols = tuple[str | None, ...]

LAYER = "layer"


@dataclass(frozen=True)
class Case:
    """An operation, its arguments as a spec writes them, and its inputs.

    `symbols` names the dimensions that a spec leaves open, input by input; none where it is empty. All
    dimensions of one name have one size.
    """

    op: str
    arguments: Mapping[str, Any]
    shapes: tuple[Sizes, ...]
    dtype: str = "float32"
    symbols: tuple[Symbols, ...] = ()

    @property
    def inputs(self) -> list[str]:
        return [f"x{number}" for number in range(len(self.shapes))]

    @property
    def values(self) -> dict[str, int]:
        """The size of every symbol."""
        return {
            symbol: size
            for shape, symbols in zip(self.shapes, self.symbols, strict=False)
            for size, symbol in zip(shape, symbols, strict=True)
            if symbol is not None
        }

    def static(self) -> Case:
        """The same with every size a number."""
        return replace(self, symbols=())

    def at(self, values: Mapping[str, int]) -> Case:
        """The same at other sizes of its symbols."""
        shapes = (
            tuple(size if symbol is None else values[symbol] for size, symbol in zip(*pair, strict=True))
            for pair in zip(self.shapes, self.symbols, strict=True)
        )
        return replace(self, shapes=tuple(shapes))

    def spec(self) -> str:
        """A spec of this one layer, as JSON."""
        shapes: Sequence[Sequence[int | str]] = self.shapes
        if self.symbols:
            pairs = zip(self.shapes, self.symbols, strict=True)
            shapes = [[symbol or size for size, symbol in zip(*pair, strict=True)] for pair in pairs]
        inputs = {
            name: {"shape": list(shape), "dtype": self.dtype}
            for name, shape in zip(self.inputs, shapes, strict=True)
        }
        outputs = {"y": LAYER}
        if self.arguments.get("return_indices"):
            outputs["where"] = f"{LAYER}.indices"
        layer = {self.op: dict(self.arguments), "name": LAYER, "from": self.inputs}
        document = {"netspec": 1, "name": "one", "inputs": inputs, "layers": [layer], "outputs": outputs}
        return json.dumps(document)

    def graph(self) -> Graph:
        """The checked graph; DiagnosticError where netspec refuses the case."""
        return check_text(self.spec(), "case.json").graph

    def module(self, *, as_exported: bool = False) -> nn.Module:
        """The operation as torch has it, in evaluation mode; raises what torch raises at its arguments.

        With `as_exported`, real arguments are rounded to float32, which is what an ONNX file holds.
        """
        written = self._inferred() | dict(self.arguments)
        rounded = as_exported and self.dtype == "float32"
        arguments = {name: _argument(value, rounded) for name, value in written.items()}
        function = FUNCTIONS.get(self.op)
        with warnings.catch_warnings():
            # torch warns where a kernel has no elements, and then refuses to run it.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            module = _Function(function, arguments) if function else getattr(nn, self.op)(**arguments)
        dtype = getattr(torch, self.dtype)
        return module.to(dtype).eval() if dtype.is_floating_point else module.eval()

    def _inferred(self) -> dict[str, Any]:
        """What torch wants and a spec leaves out, and the real default, written out to be rounded."""
        axis = {"Conv2d": 1, "BatchNorm1d": 1, "BatchNorm2d": 1, "Linear": -1}.get(self.op)
        argument = {"Conv2d": "in_channels", "Linear": "in_features"}.get(self.op, "num_features")
        inferred = {} if axis is None else {argument: self.shapes[0][axis]}
        return inferred | ({"eps": 1e-5} if self.op.startswith("BatchNorm") else {})

    def feeds(self, seed: int = 0, scale: float = 1.0) -> list[Array]:
        """Inputs without ties, as far as the dtype allows."""
        generator = np.random.default_rng(seed)
        if self.dtype == "bool":
            return [generator.integers(0, 2, shape).astype(bool) for shape in self.shapes]
        if self.dtype.startswith("int"):
            return [generator.integers(-99, 100, shape).astype(self.dtype) for shape in self.shapes]
        return [(scale * generator.standard_normal(shape)).astype(self.dtype) for shape in self.shapes]


def _argument(value: Any, as_exported: bool) -> Any:
    if isinstance(value, list):
        return tuple(value)
    number = isinstance(value, float) or (isinstance(value, int) and abs(value) > 2**24)
    return float(np.float32(value)) if as_exported and number else value


class _Function(nn.Module):
    """A function of torch with its arguments."""

    def __init__(self, function: Callable[..., Tensor], arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.function = function
        self.arguments = arguments

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors, **self.arguments)


def _add(*tensors: Tensor, other: float | None = None, alpha: float = 1) -> Tensor:
    first, *others = _operands(tensors, other)
    if len(others) > 1 and alpha != 1:
        raise ValueError("torch.add takes two summands")
    y: Tensor = first
    for summand in others:
        y = torch.add(y, summand, alpha=alpha)
    return y


def _mul(*tensors: Tensor, other: float | None = None) -> Tensor:
    first, *others = _operands(tensors, other)
    y: Tensor = first
    for factor in others:
        y = torch.mul(y, factor)
    return y


def _operands(tensors: Sequence[Tensor], other: float | None) -> tuple[Any, ...]:
    if (len(tensors) > 1) == (other is not None):
        raise ValueError("torch takes two tensors, or a tensor and a number")
    return (*tensors,) if other is None else (*tensors, other)


def _concat(*tensors: Tensor, dim: int = 1) -> Tensor:
    return torch.cat(tensors, dim=dim)


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {"Add": _add, "Mul": _mul, "Concat": _concat}
"""What torch has as functions only."""


def run(module: nn.Module, feeds: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of a module on copies of its inputs."""
    with torch.no_grad(), warnings.catch_warnings():
        # Softmax without `dim`: what it then takes is torch's own rule, and may be so.
        warnings.filterwarnings("ignore", "Implicit dimension choice")
        given = module(*(feed.clone() for feed in feeds))
    return given if isinstance(given, tuple) else (given,)


def draw_weights(module: nn.Module, seed: int = 1) -> dict[str, Array]:
    """Weights by their names in the module: normal, and positive where a variance or a count is."""
    generator = np.random.default_rng(seed)
    drawn: dict[str, Array] = {}
    for name, tensor in module.state_dict().items():
        array = np.asarray(generator.standard_normal(tuple(tensor.shape)))
        if name in ("running_var", "num_batches_tracked"):
            array = np.abs(array) + 0.5
        drawn[name] = array.astype(str(tensor.dtype).removeprefix("torch."))
    return drawn


def with_weights(module: nn.Module, weights: Mapping[str, Array]) -> nn.Module:
    """The module, with copies of these weights."""
    module.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return module
