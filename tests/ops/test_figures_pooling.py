"""Pools and unpools: figures worked out by hand, and networks of both, verified as a build does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph
from netspec.onnx_backend.opset import DEFAULT_OPSET, OLDEST_OPSET, installed_runtime, newest_opset
from netspec.pipeline import Checked, check_text
from netspec.pipeline import build as build_file
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from tests.ops.cases import Array, Case, run
from tests.ops.engines import exported

PLANE = [[0, 4, 4, 3], [3, 3, 1, 1], [4, 2, 3, 4], [1, 3, 3, 0]]

every_opset = pytest.mark.parametrize(
    "opset", [OLDEST_OPSET, DEFAULT_OPSET, newest_opset(installed_runtime())]
)


def checked(image: Sequence[int | str], *layers: Any, **sections: Any) -> Checked:
    """A spec of these layers on one image."""
    document = {"netspec": 1, "name": "figures", "inputs": {"image": list(image)}, "layers": list(layers)}
    return check_text(json.dumps(document | sections), "figures.json")


def both(graph: Graph, folder: Path, opset: int, feed: Array) -> tuple[list[Array], list[Array]]:
    """What torch gives, and what onnxruntime gives for the exported file."""
    module = build(graph).eval()
    session = exported(graph, arrays(module), folder / "figures.onnx", opset).session(optimised=True)
    return [y.numpy() for y in run(module, [torch.from_numpy(feed)])], session.run(None, {"image": feed})


@pytest.mark.parametrize(
    ("op", "arguments", "shape", "expected"),
    [
        ("MaxPool1d", {"kernel_size": 2, "stride": 2}, (1, 3, 512), (1, 3, 256)),
        ("AvgPool3d", {"kernel_size": 2, "stride": 2}, (1, 3, 16, 32, 64), (1, 3, 8, 16, 32)),
        ("LPPool2d", {"norm_type": 2, "kernel_size": 3, "ceil_mode": True}, (1, 1, 7, 8), (1, 1, 3, 3)),
        ("AdaptiveMaxPool2d", {"output_size": [None, 3]}, (1, 2, 5, 7), (1, 2, 5, 3)),
    ],
)
def test_shapes(
    op: str, arguments: Mapping[str, Any], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    (node,) = Case(op, arguments, (shape,)).graph()
    assert node.output.type.bind({}) == expected


POOL = {"MaxPool2d": {"kernel_size": 2, "stride": 2, "return_indices": True}, "name": "pool"}
UNPOOL = {"MaxUnpool2d": {"kernel_size": 2, "stride": 2}, "from": ["pool", "pool.indices"]}


@every_opset
def test_maxima_go_back_to_where_they_stood(tmp_path: Path, opset: int) -> None:
    feed = np.array([[PLANE]], np.float32)
    for (y,) in both(checked([1, 1, 4, 4], POOL, UNPOOL).graph, tmp_path, opset, feed):
        assert y.tolist() == [[[[0, 4, 4, 0], [0, 0, 0, 0], [4, 0, 0, 4], [0, 0, 0, 0]]]]


@every_opset
def test_every_plane_of_a_batch_has_places_of_its_own(tmp_path: Path, opset: int) -> None:
    feed = np.random.default_rng(0).standard_normal((2, 3, 5, 7)).astype(np.float32)
    checked_spec = checked(["batch", 3, "H", "W"], POOL, UNPOOL)
    expected = np.zeros_like(feed)
    for n, c, i, j in np.ndindex(2, 3, 2, 3):
        window = feed[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        row, column = np.unravel_index(window.argmax(), (2, 2))
        expected[n, c, 2 * i + row, 2 * j + column] = window.max()
    for (y,) in both(checked_spec.graph, tmp_path, opset, feed):
        assert np.array_equal(y, expected)


def test_an_encoder_of_odd_sizes_is_undone_level_by_level(tmp_path: Path) -> None:
    """As in SegNet: values come from elsewhere than the pool, two levels deep, at sizes left open."""
    layers: list[Any] = []
    for level, channels in (("first", 4), ("second", 6)):
        layers.append({"Conv2d": {"out_channels": channels, "kernel_size": 3, "padding": 1}})
        layers.append("Sigmoid")
        layers.append({"MaxPool2d": {"kernel_size": 2, "return_indices": True}, "name": level})
    for level, channels in (("second", 4), ("first", 1)):
        layers.append({"MaxUnpool2d": {"kernel_size": 2}, "from": ["prev", f"{level}.indices"]})
        layers.append({"Conv2d": {"out_channels": channels, "kernel_size": 3, "padding": 1}})
    spec = checked(["batch", 1, "H", "W"], *layers)
    assert str(spec.graph.outputs[0].value.type) == "(batch, 1, H, W)"
    assert not spec.warnings
    module = build(spec.graph).eval()
    for height, width in ((4, 4), (5, 7), (11, 6)):
        (y,) = run(module, [torch.randn(2, 1, height, width)])
        assert y.shape == (2, 1, height, width)
    built = build_file(spec, out=tmp_path)
    assert built.path is not None, built.certificate


def test_indices_come_along_where_a_tensor_is_passed_on() -> None:
    same = {"Identity": {}, "from": "pool.indices", "name": "same"}
    graph = checked([1, 1, 5, 5], POOL, same, UNPOOL | {"from": ["pool", "same"]}).graph
    assert graph.outputs[0].value.type.known == (1, 1, 5, 5)


def test_overlapping_windows_are_warned_of() -> None:
    wide = {"kernel_size": 3, "stride": 2}
    pool = {"MaxPool2d": wide | {"return_indices": True}, "name": "pool"}
    spec = checked([1, 1, 7, 7], pool, {"MaxUnpool2d": wide, "from": ["pool", "pool.indices"]})
    assert [warning.code for warning in spec.warnings] == ["NS336"]


def test_an_unpool_that_does_not_lead_back_is_refused_at_all_sizes() -> None:
    """A stride of 3 cannot undo one of 2: it would be right for one size, and for no larger one."""
    other = UNPOOL | {"MaxUnpool2d": {"kernel_size": 3}}
    with pytest.raises(DiagnosticError, match="cannot restore the height of H"):
        checked([1, 1, "H", 8], POOL, other)


@every_opset
def test_a_norm_is_the_root_of_a_sum_of_powers(tmp_path: Path, opset: int) -> None:
    feed = np.array([[[[3.0, 4.0, 5.0, 12.0]]]], np.float32)
    layer = {"LPPool2d": {"norm_type": 2, "kernel_size": [1, 2]}}
    for (y,) in both(checked([1, 1, 1, 4], layer).graph, tmp_path, opset, feed):
        np.testing.assert_allclose(y, [[[[5, 13]]]], rtol=1e-6)


@every_opset
def test_a_norm_that_hangs_over_the_end_counts_as_if_it_were_whole(tmp_path: Path, opset: int) -> None:
    feed = np.array([[[[3.0, 4.0, 5.0]]]], np.float32)
    layer = {"LPPool2d": {"norm_type": 1, "kernel_size": [1, 2], "ceil_mode": True}}
    for (y,) in both(checked([1, 1, 1, 3], layer).graph, tmp_path, opset, feed):
        np.testing.assert_allclose(y, [[[[7, 10]]]], rtol=1e-6)  # 5 is the mean of 1, times 2


@every_opset
def test_adaptive_maxima_over_windows_that_overlap(tmp_path: Path, opset: int) -> None:
    feed = np.array([[[1, 5, 2, 4, 3]]], np.float32)
    layer = {"AdaptiveMaxPool1d": {"output_size": 3, "return_indices": True}, "name": "pool"}
    spec = checked([1, 1, "L"], layer, outputs={"y": "pool", "where": "pool.indices"})
    for y, where in both(spec.graph, tmp_path, opset, feed):
        assert y.tolist() == [[[5, 5, 4]]]  # of 1 5, 5 2 4, 4 3
        assert where.tolist() == [[[1, 1, 3]]]


@every_opset
def test_of_equal_adaptive_maxima_the_first_in_reading_order_counts(tmp_path: Path, opset: int) -> None:
    feed = np.ones((2, 2, 5, 4), np.float32)
    layer = {"AdaptiveMaxPool2d": {"output_size": [2, 3], "return_indices": True}, "name": "pool"}
    spec = checked([2, 2, 5, "W"], layer, outputs={"y": "pool", "where": "pool.indices"})
    for _, where in both(spec.graph, tmp_path, opset, feed):
        assert where[0, 0].tolist() == [[0, 1, 2], [8, 9, 10]]
        assert (where == where[0, 0]).all()
