"""What operations write to: constants, placeholders, weights."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.ir.graph import Node
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Emitter, Weights
from tests.onnx_backend.networks import Network, operation

REALS = [DType.FLOAT32, DType.FLOAT16, DType.FLOAT64, DType.BFLOAT16]


def numpy_type(dtype: DType) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if dtype is DType.BFLOAT16 else dtype.value)


@given(st.floats(-60000, 60000), st.sampled_from(REALS))
def test_a_real_constant_is_rounded_as_numpy_rounds(value, dtype):
    emitter = Emitter(18)
    emitter.constant(value, dtype)
    (constant,) = emitter.constants.values()
    # numpy rounds to bfloat16 from float32, as torch does
    expected = np.float32(value).astype(numpy_type(dtype)) if dtype is DType.BFLOAT16 else value
    assert constant.raw == np.array(expected, numpy_type(dtype)).tobytes()
    assert constant.shape == ()


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0])
def test_special_constants(dtype, value):
    emitter = Emitter(18)
    emitter.constant(value, dtype)
    (constant,) = emitter.constants.values()
    found = np.frombuffer(constant.raw, numpy_type(dtype)).astype(np.float64)[0]
    assert np.array_equal(found, value, equal_nan=True)
    assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1, 2, 3], DType.INT64),
        ([[1, -2], [3, 4], [5, 6]], DType.INT32),
        (True, DType.BOOL),
        ([], DType.INT64),
    ],
)
def test_whole_constants(value, dtype):
    emitter = Emitter(18)
    emitter.constant(value, dtype)
    (constant,) = emitter.constants.values()
    expected = np.array(value, dtype.value)
    assert (constant.shape, constant.raw) == (expected.shape, expected.tobytes())


@pytest.mark.parametrize("value", [[[1, 2], [3]], [1, [2]], [[1], 2]])
def test_a_ragged_constant_is_an_error(value):
    with pytest.raises(ValueError, match="rows"):
        Emitter(18).constant(value, DType.INT64)


def test_equal_constants_are_one():
    emitter = Emitter(18)
    first = emitter.constant([1, 2], DType.INT64)
    assert emitter.constant((1, 2), DType.INT64) == first
    others = {
        emitter.constant([1, 2], DType.INT32),
        emitter.constant([[1, 2]], DType.INT64),
        emitter.constant(0.0, DType.FLOAT32),
        emitter.constant(-0.0, DType.FLOAT32),
    }
    assert len({first} | others) == 5


def test_types_and_ports_are_the_layers():
    emitter = Emitter(18)
    kind = TensorType((1, 2))
    emitter.enter({"x": kind}, {1})
    assert emitter.type("x") == kind
    assert [emitter.is_read(port) for port in range(3)] == [False, True, False]


def test_a_shape_is_taken_once_and_its_lengths_as_often_as_they_are_asked_for():
    emitter = Emitter(18)
    emitter.lengths("x", 2)
    emitter.lengths("x", 2, 3)
    emitter.lengths("y", 0)
    constants = {constant.name: constant for constant in emitter.constants.values()}
    found = [(node.op_type, node.inputs[0]) for node in emitter.emitted]
    assert found == [
        *(("Shape", "x"), ("Gather", "%0"), ("Gather", "%0")),
        *(("Shape", "y"), ("Gather", "%3")),
    ]
    axes = [constants[node.inputs[1]].shape for node in emitter.emitted if node.op_type == "Gather"]
    assert axes == [(1,), (2,), (1,)]


def test_weights_are_asked_for_by_their_own_names():
    (layer,) = Network(x=("N", 5)).layer("fc", operation("Linear", out_features=2, bias=False)).nodes
    used: dict[str, Node] = {}
    weights = Weights(layer, used)
    assert weights["weight"] == "fc.weight"
    assert list(used) == ["fc.weight"]
    assert "weight" in weights
    assert "bias" not in weights
    with pytest.raises(KeyError, match="bias"):
        weights["bias"]
