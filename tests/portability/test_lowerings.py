"""Forms of the exported graph that some runtime needs, and that no other is the worse for."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.export import export
from netspec.onnx_backend.lower import lower
from tests.onnx_backend.networks import Network, draw, operation

LOWEST = np.finfo(np.float32).min


class ReduceMax(OpRun):
    """The largest element as OpenVINO and tract begin it: not with -inf but with the lowest finite number."""

    op_domain = ""

    def _run(self, x, axes, keepdims=1, noop_with_empty_axes=0):
        return (np.max(x, axis=tuple(axes), keepdims=bool(keepdims), initial=np.finfo(x.dtype).min),)


def nodes(graph, opset=18):
    return lower(graph, opset).nodes


@pytest.fixture(scope="module")
def attention(tmp_path_factory):
    """An attention layer with a float mask, as a file."""
    network = Network(q=(1, 3, 4), k=(1, 5, 4), v=(1, 5, 4), mask=(3, 5))
    network.layer("attention", operation("ScaledDotProductAttention"), "q", "k", "v", "mask")
    path = tmp_path_factory.mktemp("attention") / "attention.onnx"
    export(network.graph(y="attention"), {}, path)
    return onnx.load(path)


@pytest.mark.parametrize("overrides", [[], [ReduceMax]], ids=["standard", "finite maxima"])
def test_a_query_that_may_see_nothing_gives_zeros_and_any_other_none(attention, overrides) -> None:
    generator = np.random.default_rng(0)
    feeds = {name: generator.standard_normal((1, rows, 4)).astype("f") for name, rows in (("q", 3), ("k", 5))}
    feeds["v"] = generator.standard_normal((1, 5, 4)).astype("f")
    feeds["mask"] = np.zeros((3, 5), "f")
    feeds["mask"][0] = -np.inf
    feeds["mask"][1] = LOWEST  # finite: every key is seen alike
    with np.errstate(invalid="ignore"):
        (given,) = ReferenceEvaluator(attention, new_ops=overrides).run(None, feeds)
    y = np.asarray(given)
    assert not y[0, 0].any()
    np.testing.assert_allclose(y[0, 1], feeds["v"][0].mean(axis=0), atol=1e-6)
    assert np.isfinite(y[0, 2]).all()


def test_channels_are_shuffled_along_an_axis_counted_from_behind() -> None:
    network = Network(x=("batch", 12, "H", "W")).layer("shuffle", operation("ChannelShuffle", groups=3))
    (gather,) = nodes(network.graph(y="shuffle"))
    assert (gather.op_type, gather.attributes["axis"]) == ("Gather", -3)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
def test_a_recurrence_is_given_the_states_that_it_begins_with(operator) -> None:
    network = Network(x=("length", "batch", 3))
    network.layer("memory", operation(operator, hidden_size=4, num_layers=2, bidirectional=True))
    found = [node for node in nodes(network.graph(y="memory")) if node.op_type == operator]
    assert len(found) == 2
    for node in found:
        assert all(node.inputs[5:]), node.inputs
        assert len(node.inputs) == (7 if operator == "LSTM" else 6)


@pytest.mark.parametrize("operator", ["GRU", "LSTM"])
def test_gates_are_reordered_by_indices_of_two_dimensions(operator) -> None:
    """Of constants gathered by a vector OpenCV 4 takes one dimension off."""
    network = Network(x=("length", "batch", 3)).layer("memory", operation(operator, hidden_size=4))
    lowered = lower(network.graph(y="memory"), 18)
    shapes = {constant.name: constant.shape for constant in lowered.constants}
    found = [
        node for node in lowered.nodes if node.op_type == "Gather" and node.name.startswith("memory/Gather")
    ]
    assert [shapes[node.inputs[1]] for node in found if node.attributes["axis"] == 1] == [
        (1, 3 if operator == "GRU" else 4)
    ] * 3


MEASURED = {
    "Flatten": {"start_dim": 2},
    "Roll": {"shifts": 1, "dims": -1},
    "MaxPool2d": {"kernel_size": 2, "return_indices": True},
    "AvgPool2d": {"kernel_size": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    "AdaptiveAvgPool2d": {"output_size": 3},
    "Upsample": {"scale_factor": 2},
}


@pytest.mark.parametrize("name", MEASURED)
def test_no_shape_is_cut_by_its_own_attributes(name) -> None:
    """OpenCV 4 overlooks `start` and `end`, which Shape has from opset 15 on."""
    network = Network(x=("batch", 3, "H", "W")).layer("layer", operation(name, **MEASURED[name]))
    network.layer("rolled", operation("Roll", shifts=1, dims=0), "layer")
    found = [node for node in nodes(network.graph(y="rolled", z="layer")) if node.op_type == "Shape"]
    assert found
    assert not any(node.attributes for node in found)


def test_the_mean_of_a_volume_is_a_reduction() -> None:
    network = Network(x=("batch", 3, "T", "H", "W")).layer(
        "mean", operation("AdaptiveAvgPool3d", output_size=1)
    )
    assert [node.op_type for node in nodes(network.graph(y="mean"))] == ["ReduceMean"]


def test_gelu_halves_first_and_takes_the_root_of_a_vector(tmp_path) -> None:
    network = Network(x=("batch", 8)).layer("gelu", operation("GELU"))
    graph = network.graph(y="gelu")
    lowered = lower(graph, 18)
    shapes = {constant.name: constant.shape for constant in lowered.constants}
    products = [node for node in lowered.nodes if node.op_type == "Mul"]
    (root,) = (node for node in lowered.nodes if node.op_type == "Sqrt")
    assert products[0].inputs[0] == "x"
    assert shapes[root.inputs[0]] == (1,)
    path = tmp_path / "gelu.onnx"
    export(graph, draw(graph), path)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    assert [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node] == ["Gelu"]


def test_gelu_of_a_scalar_is_a_scalar(tmp_path) -> None:
    network = Network(x=TensorType((), DType.FLOAT32)).layer("gelu", operation("GELU"))
    path = tmp_path / "gelu.onnx"
    export(network.graph(y="gelu"), {}, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.array(1, np.float32)})
    assert y.shape == ()
    assert y == pytest.approx(0.8413447)
