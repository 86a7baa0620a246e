"""A whole data set through torch and through onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph
from netspec.onnx_backend.export import export
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from netspec.train.data.examples import Examples, Stream
from netspec.train.evaluating import evaluating
from netspec.train.evaluation import batches_of, evaluate_onnx, evaluated, predictions, recall, run_exactly
from netspec.verify.consistency import RuntimeRefuses
from netspec.verify.preprocess import preprocess
from tests.language.spec_text import graph

CPU = torch.device("cpu")
SCALED = "{image: {shape: [batch, 1, 6, 6], preprocess: {scale: 0.00392156862745098, mean: 0.3, std: 0.4}}}"
CLASSIFIER = """
- Conv2d: {out_channels: 4, kernel_size: 3}
- BatchNorm2d
- ReLU
- Dropout
- Flatten
- Linear: {out_features: 7}
"""


class Model(NamedTuple):
    graph: Graph
    module: nn.Module
    path: Path


def model(tmp_path: Path, layers: str = CLASSIFIER, inputs: str = SCALED, more: str = "") -> Model:
    """An exported network; its BatchNorm has seen something."""
    network = graph(layers, inputs=inputs, more=more)
    module = build(network, seed=3)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_mean"):
            tensor.fill_(0.125)
    module.eval()
    path = tmp_path / "net.onnx"
    export(network, arrays(module), path)
    return Model(network, module, path)


def images(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, *(shape or (1, 6, 6))), np.uint8)


def classes(count: int) -> np.ndarray:
    return np.random.default_rng(8).integers(0, 7, count)


def in_torch(network: Model, raw: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        rule = network.graph.inputs[0].preprocess
        outputs: torch.Tensor = network.module(torch.from_numpy(preprocess(raw, rule)))
    return outputs.numpy()


@pytest.mark.parametrize("count", [1, 4, 10, 11])
def test_every_example_is_evaluated_once_and_in_order(tmp_path, count):
    network = model(tmp_path)
    data = Examples((images(count),), classes(count))
    stages = []
    found = evaluate_onnx(
        network.path, network.graph, data, batch_size=4, progress=lambda stage, done: stages.append(done)
    )
    np.testing.assert_allclose(found.outputs, in_torch(network, data.inputs[0]), atol=1e-5)
    right = np.count_nonzero(found.outputs.argmax(1) == data.targets)
    assert found.figures["accuracy"] == pytest.approx(right / count)
    assert found.confusion is not None
    assert (found.confusion.sum(), np.trace(found.confusion)) == (count, right)
    assert stages == [start / count for start in range(0, count, min(4, count))]


def test_a_stream_of_several_sizes_gives_what_examples_give(tmp_path):
    inputs = "{image: {shape: [batch, 1, 6, 6], preprocess: {resize: [6, 6], scale: 0.004}}}"
    network = model(tmp_path, inputs=inputs)
    raw = [images(1, 1, 5 + index, 6 + 2 * index)[0] for index in range(10)]
    data = Stream(lambda index: (raw[index],), classes(5), np.array([9, 2, 4, 0, 7]))
    found = evaluate_onnx(network.path, network.graph, data, batch_size=2)
    expected = [in_torch(network, raw[index][None])[0] for index in (9, 2, 4, 0, 7)]
    np.testing.assert_allclose(found.outputs, expected, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("batch", ["3", "batch"])
def test_a_batch_of_a_size_that_the_network_asks_for_is_filled_up(tmp_path, batch, count):
    more = "dims: {batch: {multiple_of: 3}}" if batch == "batch" else ""
    network = model(tmp_path, inputs=f"{{image: [{batch}, 1, 6, 6]}}", more=more)
    data = Examples((images(count),), classes(count))
    sizes = [len(feeds.inputs["image"]) for feeds in batches_of(network.graph, data, 2)]
    assert sizes == [3] * -(-count // 3)
    found = evaluate_onnx(network.path, network.graph, data, batch_size=2)
    np.testing.assert_allclose(found.outputs, in_torch(network, data.inputs[0]), atol=1e-5)


def test_several_inputs_and_the_output_that_is_asked_for(tmp_path):
    network = model(
        tmp_path,
        "- {Add: , from: [a, b], name: sum}\n- {Linear: {out_features: 3}, name: scores}",
        "{a: [batch, 4], b: [batch, 4]}",
        "outputs: [sum, scores]",
    )
    drawn = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    data = Examples((drawn[0], drawn[1]), np.arange(5) % 3)
    both = [evaluate_onnx(network.path, network.graph, data, output=place).outputs for place in (0, 1)]
    np.testing.assert_allclose(both[0], drawn[0] + drawn[1], rtol=1e-6)
    assert both[1].shape == (5, 3)


def test_a_file_that_onnxruntime_refuses_is_told(tmp_path):
    network = model(tmp_path)
    network.path.write_bytes(b"no model")
    with pytest.raises(DiagnosticError) as raised:
        evaluate_onnx(network.path, network.graph, Examples((images(2),), classes(2)))
    assert isinstance(raised.value.diagnostics[0], RuntimeRefuses)


def test_numbers_as_targets_have_no_accuracy():
    outputs = np.zeros((3, 2), np.float32)
    found = evaluated(outputs, outputs, ("accuracy",))
    assert (found.figures, found.confusion) == ({}, None)


def test_top5_and_pixels_are_counted():
    outputs = np.zeros((1, 8, 2), np.float32)
    outputs[0, :, 0] = [7, 6, 5, 4, 3, 2, 1, 0]
    outputs[0, :, 1] = [0, 1, 2, 3, 4, 5, 6, 7]
    found = evaluated(outputs, np.array([[4, 2]]), ("accuracy", "top5"))
    assert found.figures == {"accuracy": 0.0, "top5": 0.5}
    assert found.confusion is not None
    assert np.argwhere(found.confusion).tolist() == [[2, 7], [4, 0]]


def test_too_many_classes_have_no_table():
    outputs = np.eye(2, 3000, dtype=np.float32)
    found = evaluated(outputs, np.array([0, 0]), ("accuracy", "per_class"))
    assert (found.figures, found.confusion) == ({"accuracy": 0.5}, None)


def test_recall_is_of_each_class():
    found = recall(np.array([[3, 1, 0], [0, 0, 0], [2, 0, 2]]))
    np.testing.assert_array_equal(found, [0.75, np.nan, 0.5])


def test_predictions_are_those_of_evaluation_in_float32(tmp_path):
    network = model(tmp_path)
    network.module.train()
    network.module.get_submodule("dropout_1").eval()
    raw = preprocess(images(10), network.graph.inputs[0].preprocess)
    batches = [(torch.from_numpy(raw[:6]),), (torch.from_numpy(raw[6:]),)]
    state = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    with torch.autocast("cpu", torch.bfloat16):
        found = predictions(network.module, batches)
    assert (found.dtype, found.shape, found.requires_grad) == (torch.float32, (10, 7), False)
    assert network.module.training
    assert not network.module.get_submodule("dropout_1").training
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.module.state_dict().items())
    network.module.eval()
    with torch.no_grad():
        torch.testing.assert_close(found, network.module(torch.from_numpy(raw)), rtol=1e-5, atol=1e-6)


def test_the_module_is_as_it_was_after_a_failure(tmp_path):
    module = model(tmp_path).module.train()

    def fail() -> None:
        with evaluating(module, CPU):
            assert not any(part.training for part in module.modules())
            raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        fail()
    assert all(part.training for part in module.modules())


def test_float64_is_what_the_network_computes_exactly(tmp_path):
    network = model(tmp_path)
    raw = images(11)
    single, exact = run_exactly(network.graph, arrays(network.module), Examples((raw,), classes(11)))
    assert (single.dtype.name, exact.dtype.name) == ("float32", "float64")
    np.testing.assert_allclose(single, exact, atol=1e-5)
    x = torch.from_numpy(preprocess(raw, network.graph.inputs[0].preprocess)).double()
    with torch.no_grad():
        np.testing.assert_allclose(exact, network.module.double()(x).numpy(), atol=1e-9)
