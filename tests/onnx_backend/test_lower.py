"""Names of nodes and tensors, ports, and the outputs of a graph."""

from __future__ import annotations

from typing import Any

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Emitter, Weights
from netspec.onnx_backend.lower import lower
from netspec.onnx_backend.opset import UnsupportedOpset
from netspec.ops.base import Fault, Op
from tests.onnx_backend.networks import SPAN, Network, operation


class Split(Op):
    """Two halves; the second is left out where nothing reads it."""

    def ports(self, *inputs: Any) -> tuple[str, ...]:
        return ("left", "right")

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        half = x.with_shape((x.known[0], x.known[1] // 2))
        return half, half

    def lower(self, graph: Emitter, x: str, weights: Weights) -> tuple[str, str]:
        left, right = graph.nodes("Split", x, outputs=2, axis=1)
        return left, right if graph.is_read(1) else ""


class Twice(Op):
    """2 (x + x), and x again on a second port."""

    def ports(self, *inputs: Any) -> tuple[str, ...]:
        return ("output", "input")

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        return x, x

    def lower(self, graph: Emitter, x: str, weights: Weights) -> tuple[str, str]:
        total = graph.node("Add", x, x)
        return graph.node("Add", graph.node("Mul", total, graph.constant(1, DType.FLOAT32)), total), x


class Broken(Op):
    """Cannot be lowered."""

    def infer(self, x: TensorType) -> TensorType:
        return x

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        raise Fault(UnsupportedOpset(opset=graph.opset, oldest=17, newest=18, runtime="this"))


def listing(graph, opset=18):
    """Every node as `name: outputs = type(inputs)`."""
    return [
        f"{node.name}: {', '.join(node.outputs)} = {node.op_type}({', '.join(node.inputs)})"
        for node in lower(graph, opset).nodes
    ]


def relu(name="r"):
    return Network(x=("N", 4)).layer(name, operation("ReLU"))


def test_a_layer_of_one_node_bears_its_name():
    assert listing(relu().layer("s", operation("Sigmoid")).graph(s="s")) == [
        "r: r = Relu(x)",
        "s: s = Sigmoid(r)",
    ]


def test_a_layer_of_several_nodes_names_the_last_and_numbers_the_others():
    graph = Network(x=("N", 4)).layer("t", Twice()).layer("u", Twice(), "t.input").graph(y="u", z="t")
    assert listing(graph) == [
        "t/Add: t/Add = Add(x, x)",
        "t/Mul: t/Mul = Mul(t/Add, constant/1)",
        "t: z = Add(t/Mul, t/Add)",
        "u/Add: u/Add = Add(x, x)",
        "u/Mul: u/Mul = Mul(u/Add, constant/1)",
        "u: y = Add(u/Mul, u/Add)",
    ]


def test_ports_bear_the_names_of_their_values():
    split = Network(x=("N", 4)).layer("s", Split())
    both = split.layer("a", operation("Add"), "s", "s.right").graph(out="a")
    assert listing(both) == ["s: s, s.right = Split(x)", "a: out = Add(s, s.right)"]
    assert list(lower(both, 18).types) == ["s", "s.right", "out"]


def test_a_port_that_nothing_reads():
    graph = Network(x=("N", 4)).layer("s", Split()).graph(out="s")
    assert listing(graph) == ["s: out, s/port.1 = Split(x)"]
    assert list(lower(graph, 18).types) == ["out"]


def test_layers_without_effect_vanish():
    graph = relu().layer("d", operation("Dropout", p=0.5)).layer("s", operation("Sigmoid")).graph(s="s")
    assert listing(graph) == ["r: r = Relu(x)", "s: s = Sigmoid(r)"]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"r": "r"}, ["r: r = Relu(x)"]),
        ({"y": "r"}, ["r: y = Relu(x)"]),
        ({"y": "x"}, ["r: r = Relu(x)", "y/output: y = Identity(x)"]),
        ({"y": "r", "z": "r"}, ["r: y = Relu(x)", "z/output: z = Identity(y)"]),
        ({"y": "d", "z": "r"}, ["r: y = Relu(x)", "z/output: z = Identity(y)"]),
    ],
)
def test_outputs_need_an_identity_only_where_a_tensor_would_need_two_names(outputs, expected):
    network = relu()
    network.layer("d", operation("Dropout", p=0.5))
    assert listing(network.graph(**outputs)) == expected


def test_an_output_that_bears_another_layers_name():
    graph = relu("a").layer("b", operation("Sigmoid")).graph(a="b")
    assert listing(graph) == ["a: a/output = Relu(x)", "b: a = Sigmoid(a/output)"]
    swapped = relu("a").layer("b", operation("Sigmoid")).graph(a="b", b="a")
    assert listing(swapped) == ["a: b = Relu(x)", "b: a = Sigmoid(b)"]


def test_an_output_cannot_bear_the_name_of_an_input():
    with pytest.raises(DiagnosticError, match="output x has the name of an input") as caught:
        lower(relu().graph(x="r"), 18)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span is SPAN
    assert diagnostic.fill(diagnostic.help) == "name the output otherwise: `outputs: {x_out: …}`"


def test_a_fault_in_lowering_is_placed_at_the_layer():
    with pytest.raises(DiagnosticError, match="opset 18") as caught:
        lower(Network(x=("N", 4)).layer("b", Broken()).graph(y="b"), 18)
    assert caught.value.diagnostics[0].span is SPAN
