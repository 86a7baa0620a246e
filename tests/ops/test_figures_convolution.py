"""Convolutions, paddings and blocks with figures worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.analysis.receptive_field import receptive_fields
from netspec.ir.graph import Graph
from netspec.ir.tensor import evaluate
from netspec.ir.window import Axis
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from tests.ops.cases import LAYER, Array, Case
from tests.ops.engines import exported

OPSETS = (17, 18)  # below 18 there is no Col2Im, below 19 no circular Pad


@pytest.mark.parametrize(
    ("op", "arguments", "shape", "expected"),
    [
        ("Conv1d", {"out_channels": 16, "kernel_size": 80, "stride": 4}, (1, 1, 16000), (1, 16, 3981)),
        ("Conv2d", {"out_channels": 1, "kernel_size": 3}, (1, 3, 512, 512), (1, 1, 510, 510)),
        (
            "Conv2d",
            {"out_channels": 1, "kernel_size": [3, 5], "padding": [0, 1], "stride": [3, 4]},
            (1, 1, 8, 8),
            (1, 1, 2, 2),
        ),
        (
            "Conv3d",
            {"out_channels": 8, "kernel_size": 3, "padding": 1},
            (1, 1, 16, 64, 64),
            (1, 8, 16, 64, 64),
        ),
        (
            "ConvTranspose2d",
            {"out_channels": 1, "kernel_size": 3, "stride": 2},
            (1, 3, 512, 512),
            (1, 1, 1025, 1025),
        ),
        (
            "ConvTranspose2d",
            {"out_channels": 1, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": [0, 1]},
            (1, 1, 4, 4),
            (1, 1, 7, 8),
        ),
        ("ReflectionPad2d", {"padding": [1, 2, 3, 4]}, (1, 3, 5, 5), (1, 3, 12, 8)),
        ("Unfold", {"kernel_size": [2, 3]}, (2, 5, 3, 4), (2, 30, 4)),
        ("Fold", {"output_size": [4, 5], "kernel_size": 2}, (1, 12, 12), (1, 3, 4, 5)),
    ],
)
def test_shapes(
    op: str, arguments: Mapping[str, Any], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    (node,) = Case(op, arguments, (shape,)).graph()
    assert node.output.type.bind({}) == expected


def test_a_transposed_convolution_multiplies_as_often_as_its_convolution() -> None:
    """Of 8x8 images of 4 channels to 16x16 of 6: 4 * 6 * 2 * 2 multiply-adds for each of 64 elements."""
    arguments = {"out_channels": 6, "kernel_size": 2, "stride": 2}
    (node,) = Case("ConvTranspose2d", arguments, ((1, 4, 8, 8),)).graph()
    assert evaluate(node.op.cost(*node.input_types, node.output.type).macs, {}) == 4 * 6 * 4 * 64
    weight, bias = node.op.weights(*node.input_types)
    assert (weight.shape, bias.shape) == ((4, 6, 2, 2), (6,))


def outputs(graph: Graph, folder: Path, feed: Array, **weights: Array) -> list[Array]:
    """What the module gives, and the file at each opset."""
    module = build(graph).eval()
    with torch.no_grad():
        for name, value in weights.items():
            getattr(module.get_submodule(LAYER), name).copy_(torch.from_numpy(value))
        found = [module(torch.from_numpy(feed)).numpy()]
    feeds = {graph.inputs[0].name: feed}
    for opset in OPSETS:
        file = exported(graph, arrays(module), folder / "one.onnx", opset)
        found += file.session(optimised=True).run(None, feeds)
    return found


def row(*numbers: float) -> Array:
    return np.array([[numbers]], np.float32)


def test_a_transposed_convolution_of_one_1_is_its_kernel(tmp_path: Path) -> None:
    kernel = np.arange(1.0, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    image = np.zeros((1, 1, 3, 3), np.float32)
    image[0, 0, 1, 2] = 1
    arguments = {"out_channels": 1, "kernel_size": 3, "stride": 2, "bias": False}
    expected = np.zeros((7, 7), np.float32)
    expected[2:5, 4:7] = kernel
    for y in outputs(
        Case("ConvTranspose2d", arguments, (image.shape,)).graph(), tmp_path, image, weight=kernel
    ):
        assert np.array_equal(y[0, 0], expected)


def test_output_padding_from_a_stride_on_shows_what_padding_had_cut_off(tmp_path: Path) -> None:
    # Of [1, 2], spread by [1, 10] with a gap of 3: 1 2 0 10 20. One is cut off at both ends, two are added.
    arguments = {"out_channels": 1, "kernel_size": 2, "dilation": 3, "padding": 1, "output_padding": 2}
    case = Case("ConvTranspose1d", {**arguments, "bias": False}, ((1, 1, 2),))
    for y in outputs(case.graph(), tmp_path, row(1, 2), weight=row(1, 10)):
        assert y.tolist() == [[[2, 0, 10, 20, 0]]]


@pytest.mark.parametrize(
    ("op", "arguments", "expected"),
    [
        ("Pad", {"pad": [2, 1]}, [0, 0, 1, 2, 3, 0]),
        ("Pad", {"pad": [0, 1], "value": 9}, [1, 2, 3, 9]),
        ("Pad", {"pad": [-1, 2]}, [2, 3, 0, 0]),
        ("Pad", {"pad": [2, 1], "mode": "reflect"}, [3, 2, 1, 2, 3, 2]),
        ("Pad", {"pad": [-2, 2], "mode": "reflect"}, [3, 2, 1]),
        ("ReplicationPad1d", {"padding": [2, 1]}, [1, 1, 1, 2, 3, 3]),
        ("ReplicationPad1d", {"padding": [-1, 1]}, [2, 3, 3]),
        ("CircularPad1d", {"padding": [2, 1]}, [2, 3, 1, 2, 3, 1]),
        ("CircularPad1d", {"padding": [-1, 1]}, [2, 3, 2]),
        ("ConstantPad1d", {"padding": 1, "value": 0.5}, [0.5, 1, 2, 3, 0.5]),
        ("ZeroPad1d", {"padding": [0, -1]}, [1, 2]),
    ],
)
def test_what_padding_adds(
    op: str, arguments: Mapping[str, Any], expected: Sequence[float], tmp_path: Path
) -> None:
    feed = row(1, 2, 3)
    for y in outputs(Case(op, arguments, (feed.shape,)).graph(), tmp_path, feed):
        assert y.tolist() == [[expected]]


def test_amounts_begin_with_the_last_dimension(tmp_path: Path) -> None:
    feed = np.array([[[[1, 2]]]], np.float32)
    for y in outputs(Case("Pad", {"pad": [1, 0, 0, 1]}, (feed.shape,)).graph(), tmp_path, feed):
        assert y.tolist() == [[[[0, 1, 2], [0, 0, 0]]]]


def test_blocks_as_columns_and_an_infinity_that_stays_one(tmp_path: Path) -> None:
    feed = np.array([[[[1, 2, 3], [4, np.inf, 6]]]], np.float32)
    for y in outputs(Case("Unfold", {"kernel_size": 2}, (feed.shape,)).graph(), tmp_path, feed):
        assert y.tolist() == [[[1, 2], [2, 3], [4, np.inf], [np.inf, 6]]]


def test_fold_counts_the_blocks_that_cover_each_pixel(tmp_path: Path) -> None:
    case = Case("Fold", {"output_size": [3, 4], "kernel_size": [2, 3]}, ((1, 6, 4),))
    for y in outputs(case.graph(), tmp_path, np.ones((1, 6, 4), np.float32)):
        assert y.tolist() == [[[[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]]]


def test_an_image_of_any_size_is_cut_and_put_together_again(tmp_path: Path) -> None:
    blocks = {"kernel_size": 3, "stride": [2, 3], "padding": [1, 0]}
    document = {
        "netspec": 1,
        "inputs": {"image": ["batch", 2, "height", "width"]},
        "layers": [{"Unfold": blocks}, {"Fold": {"output_size": ["height", "width"], **blocks}}],
        "outputs": ["fold_1"],
    }
    graph = check_text(json.dumps(document), "blocks.json").graph
    for shape in ((1, 2, 5, 6), (3, 2, 8, 10)):
        feed = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        expected, *others = outputs(graph, tmp_path, feed)
        covered = torch.nn.functional.fold(
            torch.nn.functional.unfold(torch.ones(shape), 3, 1, (1, 0), (2, 3)),
            shape[2:],
            3,
            1,
            (1, 0),
            (2, 3),
        )
        assert np.array_equal(expected, feed * covered.numpy())
        for y in others:
            np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_a_pad_layer_and_a_convolution_see_what_a_padding_convolution_sees() -> None:
    document = {
        "netspec": 1,
        "inputs": {"image": [1, 3, 32, 32]},
        "layers": [
            {"ReflectionPad2d": {"padding": [1, 2, 0, 3]}},
            {"Conv2d": {"out_channels": 4, "kernel_size": 5, "stride": 2}, "name": "seen"},
        ],
        "outputs": ["seen"],
    }
    field = receptive_fields(check_text(json.dumps(document), "pad.json").graph)["seen"]
    assert field is not None
    assert field.axes == (Axis(5, 2, 0, 3), Axis(5, 2, 1, 2))
