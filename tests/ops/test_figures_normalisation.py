"""Normalisations with figures worked out by hand, and where a runtime's own statistics would go astray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.ops.layer_normalisation import RMSNorm
from tests.ops.cases import Array, Case
from tests.ops.test_figures_activation import OPSETS, outputs


def channels(*numbers: float) -> Array:
    """One sample of one pixel a channel."""
    return np.array(numbers, np.float32).reshape(1, -1, 1, 1)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("rank", [3, 4, 5])
@pytest.mark.parametrize(
    ("size", "sums"),
    [(1, [1, 4, 9, 16]), (2, [1, 5, 13, 25]), (3, [5, 14, 29, 25]), (4, [5, 14, 30, 29]), (9, [30] * 4)],
)
def test_neighbouring_channels_of_an_even_size_are_more_before_than_after(
    size: int, sums: list[int], rank: int, opset: int, tmp_path: Path
) -> None:
    feed = channels(1, 2, 3, 4).reshape(1, 4, *[1] * (rank - 2))
    arguments = {"size": size, "alpha": float(size), "beta": 1.0}
    y = outputs(Case("LocalResponseNorm", arguments, (feed.shape,)), feed, tmp_path, opset)
    expected = [x / (1 + total) for x, total in zip([1, 2, 3, 4], sums, strict=True)]
    np.testing.assert_allclose(y.ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("op", "arguments", "feed", "expected"),
    [
        ("LayerNorm", {"eps": 0.0}, [[1, 3], [5, 1]], [[-1, 1], [1, -1]]),
        ("LayerNorm", {"eps": 3.0, "elementwise_affine": False}, [[1, 3]], [[-0.5, 0.5]]),
        ("RMSNorm", {"eps": 0.0}, [[1, 7]], [[0.2, 1.4]]),
        ("RMSNorm", {}, [[0, 0], [1, 7]], [[0, 0], [0.2, 1.4]]),
        ("GroupNorm", {"num_groups": 2, "eps": 0.0}, [[1, 3, 9, 5]], [[-1, 1, 1, -1]]),
    ],
)
def test_values(
    op: str,
    arguments: Mapping[str, Any],
    feed: list[list[float]],
    expected: list[list[float]],
    opset: int,
    tmp_path: Path,
) -> None:
    array = np.array(feed, np.float32)
    y = outputs(Case(op, arguments, (array.shape,)), array, tmp_path, opset)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


NORMS = [
    ("BatchNorm2d", {"affine": False, "track_running_stats": False}, (0, 2, 3)),
    ("InstanceNorm2d", {}, (2, 3)),
    ("GroupNorm", {"num_groups": 1}, (1, 2, 3)),
    ("LayerNorm", {"normalized_shape": [2, 56, 56]}, (1, 2, 3)),
]


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(("op", "arguments", "axes"), NORMS)
def test_a_mean_far_from_zero_hides_no_spread(
    op: str, arguments: Mapping[str, Any], axes: tuple[int, ...], opset: int, tmp_path: Path
) -> None:
    """As the difference of two means, the variance would be lost in rounding: onnxruntime's
    GroupNormalization is off by 7 here, and its InstanceNormalization by 2e-4."""
    noise = np.random.default_rng(0).standard_normal((2, 2, 56, 56))
    feed = (1000 + noise).astype(np.float32)
    exact = feed.astype(np.float64)
    exact = (exact - exact.mean(axes, keepdims=True)) / np.sqrt(exact.var(axes, keepdims=True) + 1e-5)
    y = outputs(Case(op, arguments, (feed.shape,)), feed, tmp_path, opset)
    assert np.abs(y - exact).max() < 1e-4


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(("op", "arguments", "axes"), NORMS)
def test_nothing_is_left_of_equal_values(
    op: str, arguments: Mapping[str, Any], axes: tuple[int, ...], opset: int, tmp_path: Path
) -> None:
    feed = np.full((2, 2, 56, 56), 0.1, np.float32)
    y = outputs(Case(op, arguments, (feed.shape,)), feed, tmp_path, opset)
    assert np.abs(y).max() < 1e-5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_root_mean_square_norm_without_an_eps_takes_that_of_torch(dtype: str) -> None:
    (node,) = Case("RMSNorm", {}, ((1, 4),)).of_dtype(dtype).graph()
    assert isinstance(node.op, RMSNorm)
    module = node.op.build(*node.input_types)
    x = torch.full((1, 4), 2.0**-12, dtype=getattr(torch, dtype))
    forward = node.op.exact(module, node.output.type.dtype)
    assert forward is not None
    with torch.no_grad():
        torch.testing.assert_close(forward(x), module(x), rtol=0, atol=0)
