"""A Linear and the normalisation behind it: written so that onnxruntime makes one product of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from netspec.ir.dim import symbol
from netspec.ir.graph import Graph
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Emitter
from netspec.onnx_backend.export import export
from netspec.onnx_backend.joining import join_normalised
from netspec.onnx_backend.lower import lower
from tests.onnx_backend.networks import Network, draw, operation

JOINED = ["Transpose", "MatMul", "Sub", "BatchNormalization"]
APART = ["Gemm", "BatchNormalization"]


def pair(*between: str, bias: bool = True, dtype: DType = DType.FLOAT32) -> Network:
    """Linear, the operations `between`, each under its name in lower case, and BatchNorm1d."""
    network = Network(x=TensorType((symbol("batch"), 6), dtype))
    network.layer("fc", operation("Linear", out_features=5, bias=bias))
    for name in between:
        network.layer(name.lower(), operation(name))
    return network.layer("norm", operation("BatchNorm1d"))


def operators(graph: Graph) -> list[str]:
    return [node.op_type for node in lower(graph, 18).nodes]


def test_the_bias_goes_into_the_mean_and_the_weights_stay_as_they_are() -> None:
    lowered = lower(pair().graph(y="norm"), 18)
    assert [(node.op_type, node.name, node.inputs, node.outputs) for node in lowered.nodes] == [
        ("Transpose", "fc/Transpose", ("fc.weight",), ("fc/Transpose",)),
        ("MatMul", "fc/MatMul", ("x", "fc/Transpose"), ("fc/MatMul",)),
        ("Sub", "norm/Sub", ("norm.running_mean", "fc.bias"), ("norm/Sub",)),
        (
            "BatchNormalization",
            "norm",
            ("fc/MatMul", "norm.weight", "norm.bias", "norm/Sub", "norm.running_var"),
            ("y",),
        ),
    ]
    assert "fc" not in lowered.carriers, "no tensor of the file is what the Linear alone gives"
    assert "fc" not in lowered.types
    assert list(lowered.weights) == [
        *("fc.weight", "fc.bias", "norm.running_mean", "norm.running_var", "norm.weight", "norm.bias")
    ]


def test_without_a_bias_nothing_is_taken_off_the_mean() -> None:
    graph = pair(bias=False).graph(y="norm")
    assert operators(graph) == ["Transpose", "MatMul", "BatchNormalization"]


def test_what_evaluation_leaves_out_does_not_stand_between_them() -> None:
    graph = pair("Dropout", "Identity").graph(y="norm")
    assert operators(graph) == JOINED
    assert not {"fc", "dropout", "identity"} & lower(graph, 18).carriers.keys()


ALONE = {
    "an output": pair().graph(y="norm", before="fc"),
    "read by another layer": pair().layer("other", operation("ReLU"), "fc").graph(y="norm", z="other"),
    "a layer between them": pair("Sigmoid").graph(y="norm"),
    "float16": pair(dtype=DType.FLOAT16).graph(y="norm"),
}


@pytest.mark.parametrize("graph", ALONE.values(), ids=ALONE)
def test_they_stay_apart_where_the_linear_alone_is_wanted(graph: Graph) -> None:
    assert [op for op in operators(graph) if op in APART][:2] == APART
    assert "fc" in lower(graph, 18).carriers


OTHERWISE = {
    "a factor": ({"transB": 1, "alpha": 2.0}, {"epsilon": 1e-5}, "weight"),
    "a weight that is computed": ({"transB": 1}, {"epsilon": 1e-5}, "%9"),
    "a normalisation that trains": ({"transB": 1}, {"epsilon": 1e-5, "training_mode": 1}, "weight"),
}


@pytest.mark.parametrize(("gemm", "norm", "weight"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_a_plugin_writes_in_another_way_is_left_alone(gemm, norm, weight) -> None:
    emitter = Emitter(18)
    y = emitter.node("Gemm", "x", weight, "bias", **gemm)
    emitter.node("BatchNormalization", y, "scale", "shift", "mean", "variance", **norm)
    before = list(emitter.emitted)
    assert join_normalised(emitter, {}, {y: TensorType((2, 5))}, ()) == set()
    assert emitter.emitted == before


def test_what_one_layer_has_inside_is_left_alone() -> None:
    emitter = Emitter(18)
    y = emitter.node("Gemm", "x", "weight", "bias", transB=1)
    emitter.node("BatchNormalization", y, "scale", "shift", "mean", "variance", epsilon=1e-5)
    assert join_normalised(emitter, {}, {}, ()) == set()
    assert [node.op_type for node in emitter.emitted] == APART


def test_names_that_a_layer_has_given_already_are_not_given_again() -> None:
    emitter = Emitter(18)
    x = emitter.node("Transpose", "x", perm=[1, 0])
    y = emitter.node("Gemm", x, "weight", "bias", transB=1)
    emitter.node("BatchNormalization", y, "scale", "shift", "mean", "variance", epsilon=1e-5)
    names = {x: "fc/Transpose", y: "fc"}
    for node, name in zip(emitter.emitted, ("fc/Transpose", "fc", "norm"), strict=True):
        node.name = name
    assert join_normalised(emitter, names, {y: TensorType((2, 5))}, ()) == {y}
    assert [node.name for node in emitter.emitted] == [
        *("fc/Transpose", "fc/Transpose_2", "fc/MatMul", "norm/Sub", "norm")
    ]


def test_two_normalisations_of_one_linear_stay_apart_from_it() -> None:
    network = pair().layer("again", operation("BatchNorm1d"), "fc")
    assert operators(network.graph(y="norm", z="again")) == [*APART, "BatchNormalization"]


def test_an_output_may_have_the_name_of_what_is_no_longer_there() -> None:
    lowered = lower(pair().graph(fc="norm"), 18)
    assert [node.op_type for node in lowered.nodes] == JOINED
    assert lowered.nodes[-1].outputs == ("fc",)


@pytest.mark.parametrize("bias", [True, False])
def test_onnxruntime_makes_one_product_of_them(bias: bool, tmp_path: Path) -> None:
    graph = pair(bias=bias).layer("relu", operation("ReLU")).graph(y="relu")
    weights = draw(graph)
    path = tmp_path / "pair.onnx"
    export(graph, weights, path)
    onnx.checker.check_model(str(path), full_check=True)

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx").graph.node
    assert [node.op_type for node in optimised] == ["FusedGemm"]

    x = np.random.default_rng(1).standard_normal((7, 6)).astype("f")
    w = {name: array.astype("d") for name, array in weights.items()}
    y = x @ w["fc.weight"].T + w.get("fc.bias", 0)
    y = (y - w["norm.running_mean"]) / np.sqrt(w["norm.running_var"] + 1e-5)
    y = y * w["norm.weight"] + w["norm.bias"]
    np.testing.assert_allclose(session.run(None, {"x": x})[0], np.maximum(y, 0), rtol=1e-5, atol=1e-5)
