"""Graphs made by hand and weights drawn for them, without a spec and without torch; what reading refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.diagnostics import DiagnosticError, Source, Span
from netspec.ir.dim import Bounds, Size, symbol
from netspec.ir.graph import Graph, GraphInput, GraphOutput, Node, Preprocess, Value
from netspec.ir.tensor import TensorType
from netspec.onnx_backend.read import read_model
from netspec.ops.base import Op
from netspec.ops.catalogue import find

Array = np.ndarray[Any, np.dtype[Any]]

SPAN = Span(Source("hand.yaml", "netspec: 1\n"), 0, 7)


def operation(name: str, **arguments: Any) -> Op:
    """An operation of the catalogue."""
    found = find(name)
    assert found is not None, name
    return found(**arguments)


class Network:
    """A graph that grows layer by layer."""

    def __init__(self, **inputs: Sequence[Size | str] | TensorType) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[GraphInput] = []
        self.values: dict[str, Value] = {}
        self.symbols: dict[str, Bounds] = {}
        for name, shape in inputs.items():
            kind = shape if isinstance(shape, TensorType) else TensorType(tuple(map(self._size, shape)))
            self.values[name] = Value(name, kind)
            self.inputs.append(GraphInput(self.values[name], SPAN))

    def _size(self, size: Size | str) -> Size:
        if not isinstance(size, str):
            return size
        self.symbols.setdefault(size, Bounds())
        return symbol(size)

    def layer(self, name: str, op: Op, *inputs: str) -> Network:
        """Add a layer that reads the named values, or the last one."""
        read = tuple(self.values[i] for i in inputs or (list(self.values)[-1],))
        found = op.infer(*(value.type for value in read))
        types = found if isinstance(found, tuple) else (found,)
        names = [name, *(f"{name}.{port}" for port in op.ports(*(value.type for value in read))[1:])]
        given = tuple(Value(n, t) for n, t in zip(names, types, strict=True))
        self.nodes.append(Node(name, op, read, given, SPAN))
        for value in reversed(given):  # so that the first port is the last value
            self.values[value.name] = value
        return self

    def graph(
        self,
        *,
        name: str = "hand",
        preprocess: Preprocess | None = None,
        labels: tuple[str, ...] | None = None,
        **outputs: str,
    ) -> Graph:
        """The graph that gives the named values."""
        return Graph(
            name,
            tuple(GraphInput(i.value, i.span, preprocess) for i in self.inputs),
            tuple(self.nodes),
            tuple(GraphOutput(o, self.values[v], SPAN, labels) for o, v in outputs.items()),
            self.symbols,
            {"netspec": 1, "name": name, "layers": [node.name for node in self.nodes]},
        )


def draw(graph: Graph, seed: int = 0) -> Mapping[str, Array]:
    """Weights for a graph: normal, and positive where a variance is."""
    generator = np.random.default_rng(seed)
    drawn: dict[str, Array] = {}
    for node in graph.nodes:
        for weight in node.op.weights(*node.input_types):
            array = generator.standard_normal(weight.shape)
            if weight.name == "running_var":
                array = np.abs(array) + 0.5
            drawn[f"{node.name}.{weight.name}"] = array.astype(weight.dtype.value)
    return drawn


def lenet() -> Graph:
    """LeNet on 28 x 28 images with a symbolic batch."""
    network = Network(image=("batch", 1, 28, 28))
    network.layer("conv2d_1", operation("Conv2d", out_channels=6, kernel_size=5, padding=2))
    network.layer("sigmoid_1", operation("Sigmoid"))
    network.layer("avg_pool2d_1", operation("AvgPool2d", kernel_size=2))
    network.layer("conv2d_2", operation("Conv2d", out_channels=16, kernel_size=5))
    network.layer("sigmoid_2", operation("Sigmoid"))
    network.layer("avg_pool2d_2", operation("AvgPool2d", kernel_size=2))
    network.layer("flatten_1", operation("Flatten"))
    network.layer("linear_1", operation("Linear", out_features=120))
    network.layer("sigmoid_3", operation("Sigmoid"))
    network.layer("linear_2", operation("Linear", out_features=84))
    network.layer("sigmoid_4", operation("Sigmoid"))
    network.layer("logits", operation("Linear", out_features=10))
    return network.graph(name="lenet", logits="logits")


def refusal(path: Path, *, foreign: bool = False) -> str:
    """The code and text of the one diagnostic that reading gives."""
    with pytest.raises(DiagnosticError) as caught:
        read_model(path, foreign=foreign)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.fill(diagnostic.help)
    return f"{diagnostic.code} {diagnostic.text}"


def first(message):
    return message.graph.initializer[0]
