"""Small networks, made by hand: graphs, their weights, their exported files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netspec.diagnostics import Source, Span
from netspec.ir.dim import Bounds, Size, symbol
from netspec.ir.graph import Graph, GraphInput, GraphOutput, Node, Preprocess, Value
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.export import export
from netspec.ops.base import Op
from netspec.ops.catalogue import find
from netspec.torch_backend.build import build
from netspec.verify.tolerance import Array

NOWHERE = Span(Source("test", ""), 0, 0)


def op(name: str, **arguments: Any) -> Op:
    """An operation of the catalogue, with arguments as a spec has them."""
    found = find(name)
    assert found is not None
    return found.model_validate(arguments)


class Network:
    """A graph as it grows; `add` appends a layer and returns its first output."""

    def __init__(self, **bounds: Bounds) -> None:
        self.bounds = bounds or {"batch": Bounds()}
        self.inputs: list[GraphInput] = []
        self.nodes: list[Node] = []

    def input(
        self,
        name: str,
        *shape: int | str,
        dtype: DType = DType.FLOAT32,
        preprocess: Preprocess | None = None,
    ) -> Value:
        sizes: list[Size] = [
            symbol(size, self.bounds[size].multiple_of) if isinstance(size, str) else size for size in shape
        ]
        value = Value(name, TensorType(tuple(sizes), dtype))
        self.inputs.append(GraphInput(value, NOWHERE, preprocess))
        return value

    def add(self, name: str, op: Op, *inputs: Value) -> Value:
        given = op.infer(*(value.type for value in inputs))
        types = (given,) if isinstance(given, TensorType) else given
        names = [name, *(f"{name}.{port}" for port in op.ports(*(value.type for value in inputs))[1:])]
        outputs = tuple(Value(*pair) for pair in zip(names, types, strict=True))
        self.nodes.append(Node(name, op, inputs, outputs, NOWHERE))
        return outputs[0]

    def graph(self, **outputs: Value) -> Graph:
        given = tuple(GraphOutput(name, value, NOWHERE) for name, value in outputs.items())
        resolved = {"netspec": 1, "name": "small"}
        return Graph("small", tuple(self.inputs), tuple(self.nodes), given, self.bounds, resolved)


def chain(shape: tuple[int | str, ...], *ops: Op, **bounds: Bounds) -> Graph:
    """Layers one behind the other, named layer1, layer2, …; the input is x, the output y."""
    network = Network(**bounds)
    value = network.input("x", *shape)
    for number, op in enumerate(ops, start=1):
        value = network.add(f"layer{number}", op, value)
    return network.graph(y=value)


def weights_of(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """The initial weights; running statistics are drawn, so that they matter."""
    weights: dict[str, Array] = {
        name: tensor.numpy() for name, tensor in build(graph, seed=seed).state_dict().items()
    }
    draw = np.random.default_rng(seed)
    for name, array in weights.items():
        if name.endswith("running_mean"):
            weights[name] = draw.normal(size=array.shape).astype(np.float32)
        elif name.endswith("running_var"):
            weights[name] = draw.uniform(0.5, 2, array.shape).astype(np.float32)
    return weights


def exported(graph: Graph, weights: Mapping[str, Array], folder: Path, opset: int = 18) -> Path:
    """The file of a network."""
    path = folder / "small.onnx"
    export(graph, weights, path, opset=opset)
    return path
