"""Layers with figures worked out by hand: shapes of the reference layers, and what ties and paddings give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from netspec.diagnostics import DiagnosticError
from netspec.ir.tensor import evaluate
from netspec.onnx_backend.export import export
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from tests.ops.cases import LAYER, Array, Case, run

PLANE = [[0, 4, 4, 3], [3, 3, 1, 1], [4, 2, 3, 4], [1, 3, 3, 0]]
EDGES = [[1, 1, 0, 0, 0, 0, 1, 1]] * 6


@pytest.mark.parametrize(
    ("op", "arguments", "shape", "expected"),
    [
        ("Conv2d", {"out_channels": 1, "kernel_size": 3}, (1, 3, 512, 512), (1, 1, 510, 510)),
        ("MaxPool2d", {"kernel_size": 2, "stride": 2}, (1, 3, 512, 512), (1, 3, 256, 256)),
        ("AvgPool2d", {"kernel_size": 2, "stride": 2}, (1, 3, 512, 512), (1, 3, 256, 256)),
        (
            "Conv2d",
            {"out_channels": 1, "kernel_size": [3, 5], "padding": [0, 1], "stride": [3, 4]},
            (1, 1, 8, 8),
            (1, 1, 2, 2),
        ),
        ("Conv2d", {"out_channels": 6, "kernel_size": 5, "padding": 2}, (1, 1, 28, 28), (1, 6, 28, 28)),
        ("Flatten", {}, (1, 16, 5, 5), (1, 400)),
        ("AdaptiveAvgPool2d", {"output_size": 1}, (1, 512, 7, 7), (1, 512, 1, 1)),
    ],
)
def test_shapes(
    op: str, arguments: dict[str, object], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    (node,) = Case(op, arguments, (shape,)).graph()
    assert node.output.type.bind({}) == expected


@pytest.mark.parametrize(
    ("kernel", "parameters", "macs"), [(3, 442_624, 346_816_512), (5, 1_229_056, 963_379_200)]
)
def test_costs_of_one_convolution_from_192_to_256_channels(kernel: int, parameters: int, macs: int) -> None:
    arguments = {"out_channels": 256, "kernel_size": kernel, "padding": kernel // 2}
    (node,) = Case("Conv2d", arguments, ((1, 192, 28, 28),)).graph()
    assert sum(int(np.prod(weight.shape)) for weight in node.op.weights(*node.input_types)) == parameters
    assert evaluate(node.op.cost(*node.input_types, node.output.type).macs, {}) == macs


def computed(case: Case, folder: Path, feed: Array, **weights: Array) -> tuple[list[Array], list[Array]]:
    """The outputs of the module and of the exported file, in that order."""
    graph = case.graph()
    module = build(graph).eval()
    with torch.no_grad():
        for name, value in weights.items():
            getattr(module.get_submodule(LAYER), name).copy_(torch.from_numpy(value))
    path = folder / "one.onnx"
    export(graph, arrays(module), path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [y.numpy() for y in run(module, [torch.from_numpy(feed)])], session.run(None, {"x0": feed})


def image(rows: list[list[int]]) -> Array:
    return np.array([[rows]], np.float32)


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_inputs_must_fit_each_other_and_not_the_first_alone(op: str) -> None:
    with pytest.raises(DiagnosticError, match=rf"{op} cannot combine \(3,\) and \(2,\)"):
        Case(op, {}, ((1,), (3,), (2,))).graph()


def test_a_kernel_of_plus_and_minus_one_finds_edges(tmp_path: Path) -> None:
    case = Case("Conv2d", {"out_channels": 1, "kernel_size": [1, 2], "bias": False}, ((1, 1, 6, 8),))
    kernel = np.array([[[[1.0, -1.0]]]], np.float32)
    expected = np.zeros((1, 1, 6, 7), np.float32)
    expected[..., 1], expected[..., 5] = 1, -1
    for (y,) in computed(case, tmp_path, image(EDGES), weight=kernel):
        assert np.array_equal(y, expected)


def test_a_divisor_of_three_makes_four_ones_four_thirds(tmp_path: Path) -> None:
    case = Case("AvgPool2d", {"kernel_size": 2, "divisor_override": 3}, ((1, 1, 4, 4),))
    for (y,) in computed(case, tmp_path, np.ones((1, 1, 4, 4), np.float32)):
        np.testing.assert_allclose(y, np.full((1, 1, 2, 2), 4 / 3), rtol=1e-7)


def test_padding_counts_or_does_not(tmp_path: Path) -> None:
    ones = np.ones((1, 1, 2, 2), np.float32)
    for counts, corner in ((True, 1 / 4), (False, 1)):
        arguments = {"kernel_size": 2, "padding": 1, "count_include_pad": counts}
        for (y,) in computed(Case("AvgPool2d", arguments, ((1, 1, 2, 2),)), tmp_path, ones):
            np.testing.assert_allclose(y, np.full((1, 1, 2, 2), corner), rtol=1e-7)


def test_maxima_and_where_they_stood(tmp_path: Path) -> None:
    case = Case("MaxPool2d", {"kernel_size": 2, "return_indices": True}, ((1, 1, 4, 4),), ports=("indices",))
    for y, where in computed(case, tmp_path, image(PLANE)):
        assert y.tolist() == [[[[4, 4], [4, 4]]]]
        assert where.tolist() == [[[[1, 2], [8, 11]]]]


def test_of_equal_maxima_the_first_in_reading_order_counts(tmp_path: Path) -> None:
    # Neither library promises it, both do it: on ties, indices agree all the same.
    arguments = {"kernel_size": 3, "stride": 2, "padding": 1, "return_indices": True}
    plane = np.ones((2, 2, 5, 5), np.float32)
    case = Case("MaxPool2d", arguments, (plane.shape,), ports=("indices",))
    for _, where in computed(case, tmp_path, plane):
        assert where[0, 0].tolist() == [[0, 1, 3], [5, 6, 8], [15, 16, 18]]
        assert (where == where[0, 0]).all()


def test_a_batch_of_equal_values_has_nothing_left_of_them(tmp_path: Path) -> None:
    shape = (4, 1, 56, 56)
    case = Case("BatchNorm2d", {"affine": False, "track_running_stats": False}, (shape,))
    for (y,) in computed(case, tmp_path, np.full(shape, 0.1, np.float32)):
        assert np.abs(y).max() < 1e-5


def test_windows_of_adaptive_pooling_overlap_where_they_do_not_divide(tmp_path: Path) -> None:
    case = Case("AdaptiveAvgPool2d", {"output_size": [1, 3]}, ((1, 1, 1, 5),))
    for (y,) in computed(case, tmp_path, image([[1, 2, 3, 4, 5]])):
        np.testing.assert_allclose(y, [[[[1.5, 3, 4.5]]]], rtol=1e-7)  # 1 2, 2 3 4, 4 5


def test_a_layer_does_not_write_into_what_another_one_reads(tmp_path: Path) -> None:
    feed = image([[-1, 2]])
    for (y,) in computed(Case("ReLU", {"inplace": True}, ((1, 1, 1, 2),)), tmp_path, feed):
        assert y.tolist() == [[[[0, 2]]]]
    assert feed.tolist() == [[[[-1, 2]]]]
