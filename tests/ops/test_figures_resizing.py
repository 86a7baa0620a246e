"""Resizing and the shuffles: figures worked out by hand, and what no plain Resize would say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from netspec.diagnostics import DiagnosticError
from netspec.pipeline import build as build_file
from tests.ops.cases import Array
from tests.ops.engines import exported
from tests.ops.test_figures_pooling import both, checked, every_opset


def line(*numbers: float) -> Array:
    return np.array([[numbers]], np.float32)


@every_opset
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"scale_factor": 2}, [1, 1, 3, 3]),
        ({"size": 3}, [1, 1, 3]),
        ({"size": 3, "mode": "nearest-exact"}, [1, 3, 3]),
        ({"size": 4, "mode": "linear"}, [1, 1.5, 2.5, 3]),
        ({"size": 5, "mode": "linear", "align_corners": True}, [1, 1.5, 2, 2.5, 3]),
        ({"size": 1, "mode": "linear"}, [2]),
        ({"size": 1, "mode": "linear", "align_corners": True}, [1]),
        ({"size": 3, "mode": "area"}, [1, 2, 3]),
        ({"scale_factor": 2.5, "mode": "linear"}, [1, 1.2, 2, 2.8, 3]),
    ],
)
def test_two_elements_become_others(
    tmp_path: Path, opset: int, arguments: dict[str, Any], expected: list[float]
) -> None:
    graph = checked([1, 1, 2], {"Upsample": arguments}).graph
    for (y,) in both(graph, tmp_path, opset, line(1, 3)):
        np.testing.assert_allclose(y[0, 0], expected, rtol=1e-6)


@every_opset
def test_channels_become_pixels(tmp_path: Path, opset: int) -> None:
    feed = np.arange(8, dtype=np.float32).reshape(1, 8, 1, 1)
    shuffled = [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]
    for (y,) in both(
        checked([1, 8, 1, 1], {"PixelShuffle": {"upscale_factor": 2}}).graph, tmp_path, opset, feed
    ):
        assert y.tolist() == shuffled
    back = {"PixelUnshuffle": {"downscale_factor": 2}}
    spec = checked(["N", 2, "H", "W"], back, dims={"H": {"multiple_of": 2}, "W": {"multiple_of": 2}})
    for (y,) in both(spec.graph, tmp_path, opset, np.array(shuffled, np.float32)):
        assert np.array_equal(y, feed)


@every_opset
def test_channels_of_two_groups_alternate(tmp_path: Path, opset: int) -> None:
    feed = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    layer = {"ChannelShuffle": {"groups": 2}}
    known = checked([1, 4, "L"], layer)
    left_open = checked(["N", "C", "L"], layer, dims={"C": {"multiple_of": 2}})
    for spec in (known, left_open):
        for (y,) in both(spec.graph, tmp_path, opset, feed):
            assert y.ravel().tolist() == [0, 2, 1, 3]


@every_opset
@pytest.mark.parametrize(
    ("mode", "length", "result"),
    [("nearest", 49, 7), ("nearest", 25, 115), ("nearest", 65, 10), ("nearest-exact", 70, 115)],
)
def test_nearest_elements_are_torchs_where_rounding_decides(
    tmp_path: Path, opset: int, mode: str, length: int, result: int
) -> None:
    """For these lengths i * (length / result) in float32 falls on the other side of a whole number."""
    graph = checked([1, 1, length], {"Resize": {"size": result, "mode": mode}}).graph
    numbers = np.arange(length, dtype=np.float32)[None, None]
    ours, theirs = both(graph, tmp_path, opset, numbers)
    assert np.array_equal(ours[0], theirs[0])
    file = exported(graph, {}, tmp_path / "one.onnx", opset)
    assert "Resize" not in {node.op_type for node in file.model.graph.node}
    (given,) = file.reference().run({"image": numbers}).values()
    assert np.array_equal(given, ours[0])


@every_opset
def test_cubic_with_a_factor_that_keeps_the_size_is_still_computed(tmp_path: Path, opset: int) -> None:
    feed = np.random.default_rng(0).standard_normal((1, 2, 5, 8)).astype(np.float32)
    graph = checked([1, 2, 5, 8], {"Resize": {"scale_factor": 1.1, "mode": "bicubic"}}).graph
    for (y,) in both(graph, tmp_path, opset, feed):
        expected = functional.interpolate(torch.from_numpy(feed).double(), scale_factor=1.1, mode="bicubic")
        np.testing.assert_allclose(y, expected.numpy(), atol=5e-6)
        assert not np.allclose(y, feed, atol=0.1)


@pytest.mark.parametrize(
    "layer",
    [
        {"Upsample": {"scale_factor": 2.3, "mode": "bilinear"}},
        {"Upsample": {"scale_factor": [2.3, 0.7], "mode": "bicubic"}},
        {"Upsample": {"scale_factor": 2.3}},
        {"Upsample": {"size": [25, 115]}},
        {"Resize": {"scale_factor": 0.37, "mode": "bilinear", "antialias": True}},
        {"Resize": {"scale_factor": 0.7, "mode": "area"}},
        {"Resize": {"scale_factor": 1 / 3, "mode": "bilinear", "recompute_scale_factor": True}},
        {"UpsamplingBilinear2d": {"scale_factor": 2.3}},
    ],
    ids=lambda layer: str(*layer.values()),
)
def test_what_float32_rounds_is_verified_all_the_same(tmp_path: Path, layer: dict[str, Any]) -> None:
    """The whole build: a factor that a file holds rounded makes the size that it makes unrounded."""
    built = build_file(checked(["batch", 2, 10, 70], layer), out=tmp_path)
    assert built.path is not None, built.certificate


def test_a_size_may_be_that_of_an_input(tmp_path: Path) -> None:
    """As in a U-Net whose input no power of 2 divides."""
    layers: list[Any] = [
        {"MaxPool2d": {"kernel_size": 2}},
        {"Resize": {"size": ["H", "W"], "mode": "bilinear"}},
    ]
    spec = checked(["batch", 1, "H", "W"], *layers)
    assert str(spec.graph.outputs[0].value.type) == "(batch, 1, H, W)"
    assert build_file(spec, out=tmp_path).path is not None


@pytest.mark.parametrize(
    "layer",
    [
        {"Resize": {"scale_factor": 2, "mode": "bicubic"}},
        {"Resize": {"scale_factor": 0.75, "mode": "bilinear"}},
        {"Resize": {"scale_factor": 0.75, "mode": "bilinear", "align_corners": True}},
        {"Resize": {"scale_factor": 0.5}},
        {"Resize": {"scale_factor": 3}},
        {"Resize": {"size": [7, 9], "mode": "area"}},
        {"Resize": {"scale_factor": 0.5, "mode": "area"}},
    ],
    ids=lambda layer: str(*layer.values()),
)
def test_sizes_left_open(tmp_path: Path, layer: dict[str, Any]) -> None:
    assert build_file(checked(["batch", 1, "H", "W"], layer), out=tmp_path).path is not None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"scale_factor": 2.3}, r"H \* 2.3 is rounded before it is cut off"),
        ({"scale_factor": 0.2, "mode": "bilinear"}, "an ONNX file holds 0.2 as 0.200000003"),
        ({"scale_factor": 1.25, "mode": "bilinear"}, "engines differ where it is so small"),
        ({"scale_factor": 41}, "which elements are nearest depends on rounding"),
        ({"size": 28}, "which elements are nearest depends on rounding"),
        ({"size": 28, "mode": "bilinear", "antialias": True}, "the filter of antialias depends on it"),
    ],
)
def test_sizes_that_cannot_be_left_open(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(DiagnosticError, match=why):
        checked([1, 1, "H", 8], {"Resize": arguments})


def test_nearest_is_refused_where_torch_itself_is_not_one_function() -> None:
    """Five times 1.25 and the like: one kernel of torch keeps the elements, another one does not."""
    with pytest.raises(DiagnosticError, match="the layout in memory"):
        checked([1, 1, 3, 3], {"Upsample": {"scale_factor": 1.25}})


def filtered(have: int, want: int, mode: str) -> Array:
    """The matrix (want, have) of a smoothed resizing, by its definition: a filter as wide as the step."""
    step = have / want
    reach = {"bilinear": 1, "bicubic": 2}[mode]
    wide = max(step, 1.0)
    matrix = np.zeros((want, have))
    for row in range(want):
        centre = step * (row + 0.5)
        first, end = max(int(centre - reach * wide + 0.5), 0), min(int(centre + reach * wide + 0.5), have)
        away = np.abs((np.arange(first, end) - centre + 0.5) / wide)
        if mode == "bilinear":
            weights = np.clip(1 - away, 0, None)
        else:  # Keys' cubic with a = -0.5
            near, far = (1.5 * away - 2.5) * away**2 + 1, ((-0.5 * away + 2.5) * away - 4) * away + 2
            weights = np.where(away < 1, near, np.where(away < 2, far, 0))
        matrix[row, first:end] = weights / weights.sum()
    return matrix


@every_opset
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [[19, 1], [4, 1], [1, 19], [1, 1], [9, 3]])
def test_smoothed_images_are_their_definition(tmp_path: Path, opset: int, mode: str, size: list[int]) -> None:
    """Columns of several rows too, which torch 2.13 itself fills wrongly when its memory is contiguous."""
    graph = checked([2, 2, 6, 7], {"Resize": {"size": size, "mode": mode, "antialias": True}}).graph
    feed = np.random.default_rng(0).standard_normal((2, 2, 6, 7)).astype(np.float32)
    rows, columns = filtered(6, size[0], mode), filtered(7, size[1], mode)
    expected = np.einsum("oh,pw,nchw->ncop", rows, columns, feed.astype(np.float64))
    for (y,) in both(graph, tmp_path, opset, feed):
        np.testing.assert_allclose(y, expected, atol=2e-6)
