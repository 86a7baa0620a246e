"""The reference evaluator against torch in float64: two readings of what each operator means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from netspec.verify.reference import Reference, UnevaluatedError
from netspec.verify.reference_ops import windows
from netspec.verify.tolerance import Array


def model(nodes: list[Any], inputs: list[str], outputs: list[str], opset: int = 18) -> Any:
    def untyped(names: list[str]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]

    graph = helper.make_graph(nodes, "one", untyped(inputs), untyped(outputs))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def evaluate(
    op_type: str, *inputs: Array, outputs: int = 1, opset: int = 18, **attributes: Any
) -> list[Array]:
    names = [f"x{i}" for i in range(len(inputs))]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op_type, names, results, **attributes)
    given = Reference(model([node], names, results, opset), {}).run(dict(zip(names, inputs, strict=True)))
    return [given[name] for name in results]


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADS = st.tuples(st.integers(0, 2), st.integers(0, 2))
SIZES = st.tuples(st.integers(5, 9), st.integers(5, 9))
FEW = settings(max_examples=60)


@given(
    SIZES,
    PAIR,
    PAIR,
    PAIR,
    PADS,
    PADS,
    st.integers(1, 3),
    st.integers(1, 2),
    st.booleans(),
    st.integers(1, 9),
)
@FEW
def test_conv(sizes, kernel, strides, dilations, before, after, groups, each, bias, limit) -> None:
    x, w = normal(0, 2, groups * each, *sizes), normal(1, 2 * groups, each, *kernel)
    assume(all(s >= d * (k - 1) + 1 for s, k, d in zip(sizes, kernel, dilations, strict=True)))
    b = [normal(2, 2 * groups)] if bias else []
    attributes = {"strides": strides, "dilations": dilations, "group": groups, "pads": [*before, *after]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "GATHERED_LIMIT", limit * 10)  # one row of windows and several
        (y,) = evaluate("Conv", x, w, *b, kernel_shape=kernel, **attributes)
    padded = F.pad(torch.from_numpy(x), (before[1], after[1], before[0], after[0]))
    expected = F.conv2d(
        padded,
        torch.from_numpy(w),
        torch.from_numpy(b[0]) if bias else None,
        stride=strides,
        dilation=dilations,
        groups=groups,
    )
    np.testing.assert_allclose(y, expected.numpy(), rtol=0, atol=1e-12)


def test_conv_of_one_axis_and_of_three() -> None:
    for function, sizes in ((F.conv1d, (9,)), (F.conv3d, (4, 5, 6))):
        x, w = normal(0, 2, 3, *sizes), normal(1, 4, 3, *[3] * len(sizes))
        (y,) = evaluate("Conv", x, w)
        expected = function(torch.from_numpy(x), torch.from_numpy(w))
        np.testing.assert_allclose(y, expected.numpy(), rtol=0, atol=1e-12)


@given(SIZES, PAIR, PAIR, PADS, st.booleans(), st.booleans(), st.sampled_from([11, 18, 19, 22]))
@FEW
def test_average_pool(sizes, kernel, strides, pads, ceil, include, opset) -> None:
    assume(all(2 * p <= k for p, k in zip(pads, kernel, strict=True)))
    x = normal(0, 2, 3, *sizes)
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads * 2}
    flags = {"ceil_mode": int(ceil), "count_include_pad": int(include)}
    (y,) = evaluate("AveragePool", x, opset=opset, **attributes, **flags)
    expected = F.avg_pool2d(
        torch.from_numpy(x), kernel, strides, pads, ceil_mode=ceil, count_include_pad=include
    )
    np.testing.assert_allclose(y, expected.numpy(), rtol=0, atol=1e-13)


@given(SIZES, PAIR, PAIR, PAIR, PADS, st.booleans(), st.booleans())
@FEW
def test_max_pool(sizes, kernel, strides, dilations, pads, ceil, ties) -> None:
    assume(all(2 * p <= k for p, k in zip(pads, kernel, strict=True)))
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    assume(all(s + 2 * p >= e for s, p, e in zip(sizes, pads, extents, strict=True)))
    x = normal(0, 2, 3, *sizes) - 3  # below zero, so that padding by zeros would show
    if ties:
        x = np.round(x)
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads * 2}
    y, indices = evaluate("MaxPool", x, outputs=2, ceil_mode=int(ceil), **attributes)
    (alone,) = evaluate("MaxPool", x, ceil_mode=int(ceil), **attributes)
    expected, places = F.max_pool2d(
        torch.from_numpy(x), kernel, strides, pads, dilations, ceil_mode=ceil, return_indices=True
    )
    np.testing.assert_array_equal(y, expected.numpy())
    np.testing.assert_array_equal(alone, y)
    plane = np.arange(6).reshape(2, 3, 1, 1) * (sizes[0] * sizes[1])
    np.testing.assert_array_equal(indices, places.numpy() + plane)
    assert indices.dtype == np.int64


def test_max_pool_hands_nan_on_and_takes_whole_numbers() -> None:
    x = np.array([[[1.0, np.nan, 3.0, -np.inf, -np.inf]]])
    y, indices = evaluate("MaxPool", x, outputs=2, kernel_shape=[2])
    np.testing.assert_array_equal(y, [[[np.nan, np.nan, 3, -np.inf]]])
    np.testing.assert_array_equal(indices, [[[1, 1, 2, 3]]])
    (whole,) = evaluate("MaxPool", np.array([[[-5, -7, 3]]], np.int8), kernel_shape=[2], pads=[1, 0])
    np.testing.assert_array_equal(whole, [[[-5, -5, 3]]])


def test_column_major_indices_turn_each_plane() -> None:
    x = normal(0, 2, 2, 3, 4)
    _, rows = evaluate("MaxPool", x, outputs=2, kernel_shape=[2, 2])
    _, columns = evaluate("MaxPool", x, outputs=2, kernel_shape=[2, 2], storage_order=1)
    plane, place = np.divmod(rows, 12)
    height, width = np.divmod(place, 4)
    np.testing.assert_array_equal(columns, plane * 12 + width * 3 + height)


@given(
    st.lists(st.integers(-2, 3), min_size=4, max_size=4),
    st.sampled_from(["constant", "reflect", "edge", "wrap"]),
    st.booleans(),
)
@FEW
def test_pad(amounts, mode, named) -> None:
    if mode != "constant":
        amounts = [abs(amount) for amount in amounts]
    x = normal(0, 1, 2, 5, 6)
    top, left, bottom, right = amounts
    pads = np.array(amounts if named else [0, 0, top, left, 0, 0, bottom, right])
    inputs: list[Array] = [x, pads, np.array(2.5)]
    if named:
        inputs.append(np.array([2, -1]))
    (y,) = evaluate("Pad", *inputs, mode=mode, opset=19)
    torch_mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
    value = {"value": 2.5} if mode == "constant" else {}
    expected = F.pad(torch.from_numpy(x), (left, right, top, bottom), mode=torch_mode, **value)
    np.testing.assert_array_equal(y, expected.numpy())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_log_softmax_of_large_numbers_is_finite(axis: int) -> None:
    x = 1e4 * normal(0, 3, 4, 5)
    (y,) = evaluate("LogSoftmax", x, axis=axis)
    expected = torch.log_softmax(torch.from_numpy(x), axis)
    np.testing.assert_allclose(y, expected.numpy(), rtol=1e-15, atol=1e-300)


def test_every_real_number_is_widened() -> None:
    third = numpy_helper.from_array(np.array([1 / 3], np.float32))
    nodes = [
        helper.make_node("Constant", [], ["a"], value=third),
        helper.make_node("Constant", [], ["b"], value_float=0.1),
        helper.make_node("Cast", ["whole"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["d"], value=third),
        helper.make_node("Sum", ["a", "b", "c", "d", "x", "w"], ["y"]),
    ]
    feeds = {"x": np.zeros(3, np.float32), "whole": np.array([2])}
    weights = {"w": np.array([2.0**-40], np.float32)}
    y = Reference(model(nodes, ["x", "whole"], ["y"]), weights).run(feeds)["y"]
    expected = 2 * float(np.float32(1 / 3)) + float(np.float32(0.1)) + 2 + 2.0**-40
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, np.full(3, expected), rtol=1e-15)


def test_outputs_may_be_inputs_or_weights_and_be_read_again() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["y"], ["z"])]
    x, w = np.array([-1.0, 2.0]), np.array([3.0], np.float32)
    given = Reference(model(nodes, ["x"], ["x", "w", "y", "z"]), {"w": w}).run({"x": x})
    assert {name: list(value) for name, value in given.items()} == {
        "x": [-1, 2],
        "w": [3],
        "y": [0, 2],
        "z": [0, -2],
    }


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("NoSuchOperator", ["x"], ["y"], name="odd"),
        helper.make_node("Relu", ["missing"], ["y"], name="odd"),
        helper.make_node("MatMul", ["x", "x"], ["y"], name="odd"),
        helper.make_node("MaxPool", ["x"], ["y"], name="odd", kernel_shape=[2], auto_pad="SAME_UPPER"),
    ],
)
def test_a_node_that_cannot_be_evaluated_is_named(node: Any) -> None:
    with pytest.raises(UnevaluatedError, match="odd") as raised:
        Reference(model([node], ["x"], ["y"]), {}).run({"x": np.ones((1, 2, 3))})
    assert raised.value.node.name == "odd"
