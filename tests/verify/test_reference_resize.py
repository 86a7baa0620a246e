"""The reference's Resize, global maxima and scattered elements, against torch in float64 and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.helper import make_node
from onnx.reference import ReferenceEvaluator
from torch.nn import functional

from netspec.verify.reference_ops import OVERRIDES
from netspec.verify.tolerance import Array

LENGTHS = st.lists(st.integers(1, 12), min_size=2, max_size=2)
FEW = settings(max_examples=60)


def evaluated(op: str, feeds: dict[str, Array], inputs: Sequence[str], **attributes: Any) -> Array:
    node = make_node(op, inputs, ["y"], **attributes)
    (y,) = ReferenceEvaluator(node, new_ops=list(OVERRIDES)).run(None, feeds)
    return np.asarray(y)


def resized(x: Array, sizes: Sequence[int], **attributes: Any) -> Array:
    feeds = {"x": x, "sizes": np.array(sizes, np.int64)}
    return evaluated("Resize", feeds, ["x", "", "", "sizes"], axes=[2, 3], **attributes)


@given(LENGTHS, LENGTHS, st.sampled_from(["linear", "cubic"]), st.booleans())
@FEW
def test_interpolation_is_torchs(lengths: list[int], results: list[int], mode: str, aligned: bool) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, *lengths))
    coordinates = "align_corners" if aligned else "half_pixel"
    y = resized(x, results, mode=mode, coordinate_transformation_mode=coordinates)
    named = {"linear": "bilinear", "cubic": "bicubic"}[mode]
    expected = functional.interpolate(torch.from_numpy(x), size=results, mode=named, align_corners=aligned)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-13)


@given(LENGTHS, st.sampled_from([0.5, 1.5, 2.25, 3.0]), st.sampled_from(["linear", "cubic"]))
@FEW
def test_a_scale_is_taken_at_its_word(lengths: list[int], scale: float, mode: str) -> None:
    """And not as the quotient of the sizes, which is another where a part of a pixel is cut off."""
    lengths = [length + 1 for length in lengths]
    x = np.random.default_rng(0).standard_normal((1, 2, *lengths))
    feeds: dict[str, Array] = {"x": x, "scales": np.array([1, 1, scale, scale], np.float32)}
    y = evaluated("Resize", feeds, ["x", "", "scales"], mode=mode)
    named = {"linear": "bilinear", "cubic": "bicubic"}[mode]
    expected = functional.interpolate(torch.from_numpy(x), scale_factor=scale, mode=named)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-13)


@pytest.mark.parametrize(
    ("nearest_mode", "expected"),
    [
        ("round_prefer_floor", [0, 0, 1, 1, 2, 2]),
        ("round_prefer_ceil", [0, 1, 1, 2, 2, 2]),
        ("floor", [0, 0, 1, 1, 2, 2]),
        ("ceil", [0, 1, 1, 2, 2, 2]),
    ],
)
def test_nearest_elements_at_halves(nearest_mode: str, expected: list[int]) -> None:
    feeds = {"x": np.arange(3.0), "scales": np.array([2], np.float32)}
    mode = {"mode": "nearest", "nearest_mode": nearest_mode, "coordinate_transformation_mode": "asymmetric"}
    assert evaluated("Resize", feeds, ["x", "", "scales"], **mode).tolist() == expected


def test_exact_coordinates_are_not_rounded_to_the_element_before() -> None:
    feeds = {"x": np.arange(49.0), "sizes": np.array([7], np.int64)}
    mode = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    taken = evaluated("Resize", feeds, ["x", "", "", "sizes"], **mode)
    assert taken.tolist() == [0, 7, 14, 21, 28, 35, 42]


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_the_global_maximum_keeps_its_axes(spatial: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, *range(2, 2 + spatial)))
    y = evaluated("GlobalMaxPool", {"x": x}, ["x"])
    assert y.shape == (2, 3, *[1] * spatial)
    assert np.array_equal(y.reshape(2, 3), x.reshape(2, 3, -1).max(axis=2))


def test_of_elements_for_one_place_the_last_stays() -> None:
    feeds = {
        "x": np.zeros((2, 4)),
        "at": np.array([[3, 0, 3], [1, -1, 2]]),
        "values": np.array([[1.0, 2, 3], [4, 5, 6]]),
    }
    y = evaluated("ScatterElements", feeds, ["x", "at", "values"], axis=1)
    assert y.tolist() == [[2, 0, 0, 3], [0, 4, 6, 5]]
    assert not feeds["x"].any()


@pytest.mark.parametrize("attributes", [{"antialias": 1, "mode": "linear"}, {"exclude_outside": 1}])
def test_what_is_not_read_is_not_passed_over(attributes: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="antialias, exclude_outside"):
        resized(np.zeros((1, 1, 2, 2)), [3, 3], **attributes)
