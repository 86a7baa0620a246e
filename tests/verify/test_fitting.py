"""Samples made to fit an input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from netspec.diagnostics import DiagnosticError
from netspec.ir.dim import Bounds
from netspec.ir.graph import Graph, Preprocess
from netspec.ir.tensor import DType
from netspec.verify.fitting import prepare
from netspec.verify.preprocess import preprocess, resize
from netspec.verify.samples import Samples
from netspec.verify.tolerance import Array
from tests.verify.small_networks import Network, op

BYTES = np.random.default_rng(0).integers(0, 256, (6, 5, 7), np.uint8)


def network(*shape: int | str, rule: Preprocess | None = None, **bounds: Bounds) -> Graph:
    grown = Network(**bounds)
    return grown.graph(y=grown.add("relu", op("ReLU"), grown.input("image", *shape, preprocess=rule)))


def prepared(array: Array, graph: Graph) -> Array:
    return prepare(Samples("file.npy", {"": array}), graph)["image"]


def test_bytes_become_zero_to_one_and_get_a_channel() -> None:
    x = prepared(BYTES, network("batch", 1, 5, 7))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, BYTES[:, None] / 255, rtol=1e-6)
    assert x.max() <= 1


def test_reals_stay_as_they_are() -> None:
    array = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_array_equal(prepared(array, network("batch", 3)), array.astype(np.float32))


def test_preprocess_is_resize_then_scale_then_mean_then_std() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (2, 3, 4, 6), np.uint8)
    rule = Preprocess(scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0), resize=(8, 3))
    x = prepared(colours, network("batch", 3, 8, 3, rule=rule))
    resized = F.interpolate(torch.from_numpy(colours).double(), (8, 3), mode="bilinear").numpy() / 255
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in (rule.mean, rule.std))
    np.testing.assert_allclose(x, (resized - mean) / std, atol=1e-5)


def test_a_rule_without_scale_does_not_scale_bytes() -> None:
    np.testing.assert_array_equal(preprocess(BYTES[:, None], Preprocess(mean=(1.0,))), BYTES[:, None] - 1.0)


@given(*[st.integers(1, 9)] * 4)
def test_resize_is_torchs_bilinear(height: int, width: int, to_height: int, to_width: int) -> None:
    images = np.random.default_rng(0).random((2, 3, height, width), np.float32)
    expected = F.interpolate(torch.from_numpy(images), (to_height, to_width), mode="bilinear")
    np.testing.assert_allclose(resize(images, (to_height, to_width)), expected.numpy(), atol=1e-5)


SHAPES = [
    ((6, 5, 7), ("batch", 1, 5, 7), (6, 1, 5, 7)),
    ((5, 7), ("batch", 1, 5, 7), (1, 1, 5, 7)),
    ((6, 1, 5, 7), ("batch", 1, 5, 7), (6, 1, 5, 7)),
    ((3, 5, 7), ("batch", 3, 5, 7), (1, 3, 5, 7)),
    ((6, 5, 7, 3), ("batch", 3, 5, 7), (6, 3, 5, 7)),
    ((6, 5, 7), ("batch", 35), (6, 35)),
    ((6, 35), ("batch", 35), (6, 35)),
    ((35,), ("batch", 35), (1, 35)),
    ((4, 3, 9), ("batch", 3, 9), (4, 3, 9)),
    ((8, 5, 5), ("batch", 1, "size", "size"), (8, 1, 5, 5)),
]


@pytest.mark.parametrize(("have", "shape", "expected"), SHAPES)
def test_missing_axes_are_added(have, shape, expected) -> None:
    graph = network(*shape, batch=Bounds(), size=Bounds(max=9))
    assert prepared(np.zeros(have, np.float32), graph).shape == expected


MISFITS = [
    ((6, 5, 7), ("batch", 1, 28, 28)),
    ((6, 5, 7), ("batch", 3, 5, 7)),
    ((6,), ("batch", 1, 5, 7)),
    ((6, 1, 1, 5, 7), ("batch", 1, 5, 7)),
    ((6, 34), ("batch", 35)),
    ((8, 5, 6), ("batch", 1, "size", "size")),
    ((8, 10, 10), ("batch", 1, "size", "size")),
    ((8, 3, 3), ("batch", 1, "size", "size")),
    ((8, 8, 8), ("batch", 1, "even", "even")),
]


@pytest.mark.parametrize(("have", "shape"), MISFITS)
def test_shapes_that_do_not_fit_are_diagnostics(have, shape) -> None:
    with pytest.raises(DiagnosticError) as raised:
        prepared(
            np.zeros(have, np.uint8),
            network(*shape, batch=Bounds(), size=Bounds(min=4, max=9), even=Bounds(multiple_of=3)),
        )
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "NS553"
    assert "file.npy" in diagnostic.text
    assert str(have[1:]) in diagnostic.text


def test_another_image_size_is_told_how_to_resize() -> None:
    with pytest.raises(DiagnosticError) as raised:
        prepared(BYTES, network("batch", 1, 28, 24))
    (diagnostic,) = raised.value.diagnostics
    assert "preprocess: {resize: [28, 24]}" in diagnostic.fill(diagnostic.help)


def test_several_inputs_are_found_by_name() -> None:
    grown = Network()
    a, b = grown.input("a", "batch", 2), grown.input("b", "batch", 2, dtype=DType.INT64)
    grown.add("negated", op("ReLU"), b)
    graph = grown.graph(y=grown.add("relu", op("ReLU"), a), z=b)
    arrays: dict[str, Array] = {"b": np.ones((4, 2), np.int32), "a": np.zeros((6, 2)), "other": np.zeros(1)}
    found = prepare(Samples("file.npz", arrays), graph)
    assert {name: (array.shape, array.dtype.name) for name, array in found.items()} == {
        "a": ((4, 2), "float32"),
        "b": ((4, 2), "int64"),
    }
    with pytest.raises(DiagnosticError) as raised:
        prepare(Samples("file.npz", {"a": arrays["a"]}), graph)
    assert raised.value.diagnostics[0].text == "file.npz has a, but the network takes a, b"


def test_a_sum_of_two_takes_two_arrays() -> None:
    grown = Network()
    a, b = grown.input("a", "batch", 2), grown.input("b", "batch", 2)
    graph = grown.graph(y=grown.add("sum", op("Add"), a, b))
    with pytest.raises(DiagnosticError, match="one array without a name"):
        prepare(Samples("file.npy", {"": np.zeros((3, 2))}), graph)


def test_fewer_samples_than_a_fixed_batch_are_too_few() -> None:
    with pytest.raises(DiagnosticError, match="has 6 samples, but the network takes 8 at once"):
        prepared(BYTES, network(8, 1, 5, 7))


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "f4"), (np.inf, "f4"), (1e300, "f8")])
def test_samples_that_are_not_finite_are_diagnostics(value: float, dtype: str) -> None:
    array = np.zeros((2, 1, 4, 4), dtype)
    array[1, 0, 2, 3] = value
    with pytest.raises(DiagnosticError) as caught:
        prepared(array, network("batch", 1, 4, 4))
    (fault,) = caught.value.diagnostics
    assert fault.code == "NS556"
    assert "1 of 32 numbers" in fault.text
