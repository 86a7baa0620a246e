"""One operation on inputs of given sizes: as a spec, as torch itself has it, as numbers to run on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netspec.ir.graph import Graph, Node
from netspec.pipeline import check_text
from tests.ops.family import family_of

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = tuple[int, ...]
Symbols = tuple[str | None, ...]
Range = tuple[float, float]

LAYER = "layer"
INTEGERS = (-99, 99)  # what an integer input holds where the case does not say


@dataclass(frozen=True)
class Case:
    """An operation, its arguments as a spec writes them, and its inputs.

    shapes: one an input that is given.
    symbols: the names of the dimensions that a spec leaves open, input by input; none where it is empty. All
        dimensions of one name have one size, and in an argument such a name stands for that size.
    dtypes: one an input, where they are not all `dtype`.
    names: which of the operation's inputs are given, by name; in order, where it is empty.
    ports: further outputs to compare, beside the first.
    ranges: (lowest, highest) of an input's elements, or None; one an input. Without it integers are up to
        99, real numbers normal.
    values: gives the inputs themselves, where no range can: called with a random generator and their shapes.
    """

    op: str
    arguments: Mapping[str, Any]
    shapes: tuple[Sizes, ...]
    dtype: str = "float32"
    symbols: tuple[Symbols, ...] = ()
    dtypes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    ranges: tuple[Range | None, ...] = ()
    values: Callable[[np.random.Generator, tuple[Sizes, ...]], Sequence[Array]] | None = None

    @property
    def inputs(self) -> list[str]:
        """The inputs' names in the spec."""
        return [f"x{number}" for number in range(len(self.shapes))]

    @property
    def input_dtypes(self) -> tuple[str, ...]:
        """The elements' type of every input."""
        return self.dtypes or (self.dtype,) * len(self.shapes)

    @property
    def sizes(self) -> dict[str, int]:
        """The size of every symbol."""
        return {
            symbol: size
            for shape, symbols in zip(self.shapes, self.symbols, strict=False)
            for size, symbol in zip(shape, symbols, strict=True)
            if symbol is not None
        }

    def static(self) -> Case:
        """The same with every size a number."""
        return replace(self, arguments=_bound(self.arguments, self.sizes), symbols=())

    def at(self, sizes: Mapping[str, int]) -> Case:
        """The same at other sizes of its symbols."""
        shapes = (
            tuple(size if symbol is None else sizes[symbol] for size, symbol in zip(*pair, strict=True))
            for pair in zip(self.shapes, self.symbols, strict=True)
        )
        return replace(self, shapes=tuple(shapes))

    def of_dtype(self, dtype: str) -> Case:
        """The same with its real numbers of another type."""
        reals = tuple(dtype if name == "float32" else name for name in self.input_dtypes)
        return replace(self, dtype=dtype, dtypes=reals if self.dtypes else ())

    def spec(self) -> str:
        """A spec of this one layer, as JSON."""
        shapes: Sequence[Sequence[int | str]] = self.shapes
        if self.symbols:
            pairs = zip(self.shapes, self.symbols, strict=True)
            shapes = [[symbol or size for size, symbol in zip(*pair, strict=True)] for pair in pairs]
        inputs = {
            name: {"shape": list(shape), "dtype": dtype}
            for name, shape, dtype in zip(self.inputs, shapes, self.input_dtypes, strict=True)
        }
        layer: dict[str, Any] = {self.op: dict(self.arguments), "name": LAYER}
        if self.inputs:
            named = dict(zip(self.names, self.inputs, strict=True)) if self.names else self.inputs
            layer["from"] = named
        outputs = {"y": LAYER} | {f"y{place}": f"{LAYER}.{port}" for place, port in enumerate(self.ports, 1)}
        document = {"netspec": 1, "name": "one", "inputs": inputs, "layers": [layer], "outputs": outputs}
        return json.dumps(document)

    def graph(self) -> Graph:
        """The checked graph; DiagnosticError where netspec refuses the case."""
        return check_text(self.spec(), "case.json").graph

    def module(self, *, as_exported: bool = False) -> nn.Module:
        """The operation as torch has it, in evaluation mode; raises what torch raises at its arguments.

        With `as_exported`, real arguments are rounded to float32, which is what an ONNX file holds.
        """
        written = _bound({**family_of(self.op).inferred(self), **self.arguments}, self.sizes)
        dtype = self._real_dtype()
        rounded = as_exported and dtype not in (None, "float64")
        arguments = {name: _argument(value, rounded) for name, value in written.items()}
        made = family_of(self.op).functions.get(self.op) or getattr(nn, self.op)
        of_class = isinstance(made, type) and issubclass(made, nn.Module)
        with warnings.catch_warnings():
            # torch warns where a kernel has no elements, and then refuses to run it.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            module = made(**arguments) if of_class else _Function(made, arguments)
        if self.names:
            module.register_forward_pre_hook(_by_name(self.names), with_kwargs=True)
        return (module.to(getattr(torch, dtype)) if dtype else module).eval()

    def _real_dtype(self) -> str | None:
        """The type of the real numbers that it computes with; None where there are none."""
        return next((name for name in (*self.dtypes, self.dtype) if "float" in name), None)

    def compared(self, node: Node) -> list[int]:
        """Which of the operation's outputs the spec gives out, in its order."""
        ports = node.op.ports(*node.input_types)
        return [0, *(ports.index(port) for port in self.ports)]

    def feeds(self, seed: int = 0, scale: float = 1.0) -> list[Array]:
        """Inputs without ties, as far as their dtypes and ranges allow."""
        generator = np.random.default_rng(seed)
        if self.values is not None:
            given = self.values(generator, self.shapes)
            return [np.asarray(x).astype(dtype) for x, dtype in zip(given, self.input_dtypes, strict=True)]
        ranges = self.ranges or (None,) * len(self.shapes)
        drawn = zip(self.shapes, self.input_dtypes, ranges, strict=True)
        return [_drawn(generator, shape, dtype, limits, scale) for shape, dtype, limits in drawn]


def _drawn(
    generator: np.random.Generator, shape: Sizes, dtype: str, limits: Range | None, scale: float
) -> Array:
    if dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    if "int" in dtype:
        low, high = limits or INTEGERS
        return np.asarray(generator.integers(int(low), int(high) + 1, shape)).astype(dtype)
    if limits:
        return np.asarray(generator.uniform(*limits, shape)).astype(dtype)
    return np.asarray(scale * generator.standard_normal(shape)).astype(dtype)


def _bound(value: Any, sizes: Mapping[str, int]) -> Any:
    """A value with the symbols that stand in it replaced by their sizes."""
    if isinstance(value, Mapping):
        return {name: _bound(item, sizes) for name, item in value.items()}
    if isinstance(value, list):
        return [_bound(item, sizes) for item in value]
    return sizes.get(value, value) if isinstance(value, str) else value


def _argument(value: Any, as_exported: bool) -> Any:
    if isinstance(value, list):
        return tuple(_argument(item, as_exported) for item in value)
    number = isinstance(value, float) or (isinstance(value, int) and abs(value) > 2**24)
    return float(np.float32(value)) if as_exported and number else value


class _Function(nn.Module):
    """A function of torch with its arguments."""

    def __init__(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.function = function
        self.arguments = arguments

    def forward(self, *tensors: Tensor, **named: Tensor) -> Any:
        return self.function(*tensors, **named, **self.arguments)


def _by_name(names: Sequence[str]) -> Any:
    """A hook that hands a module its inputs by name."""

    def hook(module: nn.Module, tensors: tuple[Tensor, ...], named: dict[str, Any]) -> Any:
        return (), named | dict(zip(names, tensors, strict=True))

    return hook


def layer_of(graph: Graph) -> Node:
    """The layer that a case is about; what prepares its inputs may stand before it."""
    return graph.by_name[LAYER]


def run(module: nn.Module, feeds: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of a module on copies of its inputs, nested ones in order, absent ones left out."""
    with torch.no_grad(), warnings.catch_warnings():
        # Softmax without `dim`: what it then takes is torch's own rule, and may be so.
        warnings.filterwarnings("ignore", "Implicit dimension choice")
        return tuple(_flat(module(*(feed.clone() for feed in feeds))))


def _flat(given: Any) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        yield given
    elif given is not None:
        for item in given:
            yield from _flat(item)


def draw_weights(module: nn.Module, seed: int = 1) -> dict[str, Array]:
    """Weights by their names in the module: normal, but positive where a variance or a count is."""
    generator = np.random.default_rng(seed)
    drawn: dict[str, Array] = {}
    for name, tensor in module.state_dict().items():
        array = np.asarray(generator.standard_normal(tuple(tensor.shape)))
        if name.rpartition(".")[2] in ("running_var", "num_batches_tracked"):
            array = np.abs(array) + 0.5
        elif "weight_hh" in name:
            array = array / 2  # what is fed back must not grow, or it magnifies every rounding
        drawn[name] = array.astype(str(tensor.dtype).removeprefix("torch."))
    return drawn


def with_weights(module: nn.Module, weights: Mapping[str, Array]) -> nn.Module:
    """The module, with copies of these weights."""
    module.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return module
