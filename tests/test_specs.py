"""The specs: their figures and shapes, what their weights are drawn from, and that each one builds."""

from __future__ import annotations

from math import prod, sqrt
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from netspec import Built, build, check
from netspec.analysis.table import tabulate
from netspec.ir.graph import Distribution
from netspec.onnx_backend.read import read_model
from netspec.verify.certificate import Verdict
from tests.pages import ROOT
from tests.test_composed_specs import LARGE, SMALL

SPECS = ROOT / "specs"
SAMPLES = ROOT / "tests" / "data" / "fashion-mnist-subset" / "t10k-images-idx3-ubyte.gz"

FIGURES = {  # parameters, multiply-adds of one sample
    "edge_detector": (2, 84),
    "lenet": (61_706, 416_520),
    "lenet5": (61_706, 416_520),
    "lenet_bn": (44_878, 281_640),
    "alexnet": (46_764_746, 938_146_176),
    "simple_convnet": (433_890, 865_000),
}

# The shapes of one sample where they change, in order.
SHAPES = {
    "edge_detector": "1x6x7",
    "lenet": "6x28x28 6x14x14 16x10x10 16x5x5 400 120 84 10",
    "lenet5": "6x28x28 6x14x14 16x10x10 16x5x5 400 120 84 10",
    "lenet_bn": "6x24x24 6x12x12 16x8x8 16x4x4 256 120 84 10",
    "alexnet": "96x54x54 96x26x26 256x26x26 256x12x12 384x12x12 256x12x12 256x5x5 6400 4096 10",
    "simple_convnet": "30x24x24 30x12x12 4320 100 10",
}

LENET = "Conv2d Sigmoid AvgPool2d Conv2d Sigmoid AvgPool2d Flatten Linear Sigmoid Linear Sigmoid Linear"
OPERATIONS = {
    "edge_detector": "Conv2d",
    "lenet": LENET,
    "lenet5": LENET,
    "lenet_bn": "Conv2d BatchNorm2d Sigmoid AvgPool2d Conv2d BatchNorm2d Sigmoid AvgPool2d Flatten "
    "Linear BatchNorm1d Sigmoid Linear BatchNorm1d Sigmoid Linear",
    "alexnet": "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Conv2d ReLU Conv2d ReLU Conv2d ReLU MaxPool2d "
    "Flatten Linear ReLU Dropout Linear ReLU Dropout Linear",
    "simple_convnet": "Conv2d ReLU MaxPool2d Flatten Linear ReLU Linear",
}

INPUTS = {
    "edge_detector": (1, 6, 8),
    "lenet": (1, 28, 28),
    "lenet5": (1, 32, 32),
    "lenet_bn": (1, 28, 28),
    "alexnet": (1, 224, 224),
    "simple_convnet": (1, 28, 28),
}


def test_every_spec_has_its_row() -> None:
    """But for those that are composed of blocks, which test_composed_specs has."""
    specs = {path.stem for path in SPECS.iterdir() if path.suffix != ".md"}
    for table in (FIGURES, SHAPES, OPERATIONS, INPUTS):
        assert set(table) == specs - SMALL.keys() - LARGE


@pytest.mark.parametrize("name", FIGURES)
def test_a_spec_has_its_figures_and_shapes(name: str) -> None:
    checked = check(SPECS / f"{name}.yaml")
    graph, table = checked.graph, tabulate(checked.graph)
    assert checked.warnings == ()
    assert graph.name == name
    assert (table.params, table.macs) == FIGURES[name]
    shapes: list[str] = []
    for row in table.rows:
        batch, *sizes = row.output.known
        assert str(batch) == "batch"
        shape = "x".join(map(str, sizes))
        if shapes[-1:] != [shape]:
            shapes.append(shape)
    assert " ".join(shapes) == SHAPES[name]
    assert " ".join(row.op for row in table.rows) == OPERATIONS[name]
    (given,) = graph.inputs
    assert given.value.type.known[1:] == INPUTS[name]


@pytest.mark.parametrize("name", ["lenet", "lenet5", "lenet_bn", "alexnet"])
def test_convolutions_and_linear_layers_are_drawn_by_xavier(name: str) -> None:
    for node in check(SPECS / f"{name}.yaml").graph:
        drawn = {
            parameter: rule.name for parameter, rule in node.init.items() if isinstance(rule, Distribution)
        }
        owns_matrix = type(node.op).__name__ in ("Conv2d", "Linear")
        assert drawn == ({"weight": "xavier_uniform"} if owns_matrix else {})


def test_alexnet_drops_half() -> None:
    graph = check(SPECS / "alexnet.yaml").graph
    assert [node.op.p for node in graph if type(node.op).__name__ == "Dropout"] == [0.5, 0.5]  # type: ignore[attr-defined]


def built(name: str, folder: Path) -> Built:
    """A spec built, verified on real images too, where they have the input's shape or are resized to it."""
    samples = None if name == "edge_detector" else SAMPLES
    return build(SPECS / f"{name}.yaml", out=folder, samples=samples)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "alexnet" else n for n in FIGURES]
)
def test_a_spec_builds_with_every_gate_passed(name: str, tmp_path: Path) -> None:
    result = built(name, tmp_path)
    gates = {gate.name: gate for gate in result.certificate.gates}
    assert list(gates) == ["consistency", "semantic", "rounding"]
    assert {gate.verdict for gate in gates.values()} == {Verdict.PASSED}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.onnx", f"{name}.cert.json"}
    assert gates["rounding"].facts.get("real samples", 0) >= (0 if name == "edge_detector" else 32)
    session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    assert given.shape == ["batch", *INPUTS[name]]
    last = SHAPES[name].split()[-1]
    assert output.shape == ["batch", *map(int, last.split("x"))]
    assert output.name == {"edge_detector": "edges"}.get(name, "logits")
    if name in ("lenet", "simple_convnet"):
        weights_are_drawn_as_asked(name, tmp_path)


def weights_are_drawn_as_asked(name: str, folder: Path) -> None:
    """The exported weights have the spread of their distribution."""
    weights = read_model(folder / f"{name}.onnx").weights
    for parameter, values in weights.items():
        if values.ndim < 2:
            continue
        area = prod(values.shape[2:])
        fan_out, fan_in = values.shape[0] * area, values.shape[1] * area
        expected = 0.01 if name == "simple_convnet" else sqrt(2 / (fan_in + fan_out))
        # The deviation of a sample deviation is below expected / sqrt(2 n): six of them are never exceeded.
        assert abs(float(np.std(values)) - expected) < 6 * expected / sqrt(2 * values.size), parameter


def test_the_edge_detector_finds_edges(tmp_path: Path) -> None:
    built("edge_detector", tmp_path)
    image = np.ones((1, 1, 6, 8), np.float32)
    image[..., 2:6] = 0
    session = onnxruntime.InferenceSession(
        tmp_path / "edge_detector.onnx", providers=["CPUExecutionProvider"]
    )
    (edges,) = session.run(None, {"image": image})
    expected = np.zeros((1, 1, 6, 7), np.float32)
    expected[..., 1] = 1
    expected[..., 5] = -1
    np.testing.assert_array_equal(edges, expected)
