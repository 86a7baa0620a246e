"""What moves elements, and sources: figures worked out by hand, at every opset that lowers them otherwise."""

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
from netspec.ops.base import Compared
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays, load
from tests.ops.cases import Array, run
from tests.ops.engines import exported

every_opset = pytest.mark.parametrize(
    "opset", [OLDEST_OPSET, DEFAULT_OPSET, newest_opset(installed_runtime())]
)


def checked(
    inputs: Mapping[str, Any], *layers: Any, outputs: Any = None, dims: Mapping[str, Any] | None = None
) -> Graph:
    """The graph of a spec with these layers."""
    document = {"netspec": 1, "name": "figures", "inputs": inputs, "layers": list(layers)}
    if outputs is not None:
        document["outputs"] = outputs
    if dims is not None:
        document["dims"] = dims
    return check_text(json.dumps(document), "figures.json").graph


def both(graph: Graph, folder: Path, opset: int, *feeds: Any, **weights: Any) -> Sequence[list[Array]]:
    """What torch gives, and what onnxruntime gives for the exported file."""
    module = build(graph).eval()
    if weights:
        load(module, {name.replace("__", "."): np.asarray(array) for name, array in weights.items()})
    given = [
        np.asarray(feed, entry.value.type.dtype) for feed, entry in zip(feeds, graph.inputs, strict=True)
    ]
    session = exported(graph, arrays(module), folder / "figures.onnx", opset).session(optimised=True)
    named = dict(zip([entry.name for entry in graph.inputs], given, strict=True))
    return [y.numpy() for y in run(module, [torch.from_numpy(feed) for feed in given])], session.run(
        None, named
    )


def gradient(parameter: torch.Tensor) -> Any:
    assert parameter.grad is not None
    return parameter.grad.tolist()


def shape_of(graph: Graph, number: int = 0) -> str:
    return str(graph.outputs[number].value.type)


@every_opset
def test_a_class_token_goes_before_every_sequence(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"tokens": ["batch", "length", 2]},
        {"Parameter": {"shape": [1, 1, 2]}, "name": "token"},
        {"Expand": {"size": ["batch", -1, -1]}},
        {"Concat": {"dim": 1}, "from": ["expand_1", "tokens"]},
    )
    assert shape_of(graph) == "(batch, length + 1, 2)"
    tokens = np.arange(12).reshape(2, 3, 2)
    for (y,) in both(graph, tmp_path, opset, tokens, token__weight=np.array([[[8, 9]]], np.float32)):
        assert y[:, 0].tolist() == [[8, 9], [8, 9]]
        assert np.array_equal(y[:, 1:], tokens)


@every_opset
def test_a_table_of_positions_is_cut_to_the_length(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"tokens": ["batch", "length", 2]},
        {"Parameter": {"shape": [1, 5, 2]}, "name": "table"},
        {"Narrow": {"dim": 1, "start": 1, "length": "length"}},
        {"Add": None, "from": ["tokens", "narrow_1"]},
        dims={"length": {"max": 4}},
    )
    table = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    for (y,) in both(graph, tmp_path, opset, np.zeros((1, 3, 2)), table__weight=table):
        assert y.tolist() == [[[2, 3], [4, 5], [6, 7]]]


def test_a_table_must_be_long_enough() -> None:
    narrow = {"Narrow": {"dim": 0, "start": 1, "length": "length"}}
    with pytest.raises(DiagnosticError, match=r"Narrow takes length elements .* which has 5"):
        checked({"x": ["length"]}, {"Parameter": {"shape": [5]}}, narrow, dims={"length": {"max": 5}})
    with pytest.raises(DiagnosticError, match=r"which has rows"):
        checked({"x": ["length"], "table": ["rows"]}, narrow | {"from": "table"})


@every_opset
def test_heads_are_taken_apart_and_joined_again(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"tokens": ["batch", "length", 6]},
        {"Reshape": {"shape": ["batch", "length", 3, -1]}},
        {"Permute": {"dims": [0, 2, 1, 3]}, "name": "heads"},
        {"Transpose": {"dim0": 1, "dim1": -2}},
        {"Flatten": {"start_dim": 2}},
        outputs=["heads", "flatten_1"],
    )
    assert shape_of(graph) == "(batch, 3, length, 2)"
    tokens = np.arange(24).reshape(1, 4, 6)
    for heads, joined in both(graph, tmp_path, opset, tokens):
        assert heads[0, 1].tolist() == [[2, 3], [8, 9], [14, 15], [20, 21]]
        assert np.array_equal(joined, tokens)


@every_opset
def test_several_sizes_of_a_shape_are_measured(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"image": ["batch", 2, "H", "W"]},
        {"Reshape": {"shape": ["W", 2, "$image.height * $image.shape[0]"]}},
    )
    assert shape_of(graph) == "(W, 2, batch*H)"
    image = np.arange(24).reshape(2, 2, 2, 3)
    for (y,) in both(graph, tmp_path, opset, image):
        assert np.array_equal(y, image.reshape(3, 2, 4))


@every_opset
def test_an_even_dimension_is_halved(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"x": ["batch", "length"]},
        {"Chunk": {"chunks": 2}},
        outputs={"first": "chunk_1", "second": "chunk_1.1"},
        dims={"length": {"multiple_of": 2}},
    )
    assert shape_of(graph, 1) == "(batch, length // 2)"
    for first, second in both(graph, tmp_path, opset, np.arange(12).reshape(2, 6)):
        assert first.tolist() == [[0, 1, 2], [6, 7, 8]]
        assert second.tolist() == [[3, 4, 5], [9, 10, 11]]


@every_opset
def test_what_was_joined_is_split_again(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"x": ["batch", "length"], "y": ["batch", "other"]},
        {"Concat": None, "from": ["x", "y"]},
        {"Split": {"split_size_or_sections": ["length", "other"]}},
        {"Split": {"split_size_or_sections": "$x.shape[1] + $y.shape[1]"}, "from": "concat_1"},
        outputs={"a": "split_1", "b": "split_1.1", "whole": "split_2"},
    )
    x, y = np.arange(6).reshape(2, 3), np.arange(2).reshape(2, 1)
    for a, b, whole in both(graph, tmp_path, opset, x, y):
        assert np.array_equal(a, x)
        assert np.array_equal(b, y)
        assert whole.tolist() == [[0, 1, 2, 0], [3, 4, 5, 1]]


@every_opset
def test_places_are_counted_from_both_ends(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"x": ["length"], "y": [2, "length"]},
        {"Slice": {"dim": 0, "start": -3}, "name": "last", "from": "x"},
        {"Slice": {"dim": 0, "start": 1, "end": -1, "step": 2}, "name": "inner", "from": "x"},
        {"Slice": {"dim": 1, "start": "$x.shape[0] - 2"}, "name": "two", "from": "y"},
        {"Slice": {"dim": 0, "end": "$x.shape[0] // 2"}, "name": "front", "from": "x"},
        outputs=["last", "inner", "two", "front"],
    )
    assert [shape_of(graph, number) for number in range(4)] == [
        "(3,)",
        "((length - 1) // 2,)",
        "(2, 2)",
        "(length // 2,)",
    ]
    assert graph.bounds["length"].least == 3
    for last, inner, two, front in both(graph, tmp_path, opset, range(6), [range(6), range(6)]):
        assert last.tolist() == [3, 4, 5]
        assert inner.tolist() == [1, 3]
        assert two.tolist() == [[4, 5], [4, 5]]
        assert front.tolist() == [0, 1, 2]


@every_opset
def test_elements_come_round(tmp_path: Path, opset: int) -> None:
    graph = checked(
        {"x": ["height", "width"]},
        {"Roll": {"shifts": 1, "dims": 1}, "name": "row", "from": "x"},
        {"Roll": {"shifts": [-4, 1], "dims": [0, 1]}, "name": "windows", "from": "x"},
        {"Roll": {"shifts": 1}, "name": "flat", "from": "x"},
        {"Flip": {"dims": [0, 1]}, "name": "turned", "from": "x"},
        outputs=["row", "windows", "flat", "turned"],
    )
    for row, windows, flat, turned in both(graph, tmp_path, opset, [[1, 2, 3], [4, 5, 6]]):
        assert row.tolist() == [[3, 1, 2], [6, 4, 5]]
        assert windows.tolist() == [[3, 1, 2], [6, 4, 5]]  # 4 rows on is where it began
        assert flat.tolist() == [[6, 1, 2], [3, 4, 5]]
        assert turned.tolist() == [[6, 5, 4], [3, 2, 1]]


def test_a_batch_of_one_stays_a_batch(tmp_path: Path) -> None:
    graph = checked({"x": ["batch", 3, 1, 1]}, "Squeeze")
    assert shape_of(graph) == "(batch, 3)"
    for (y,) in both(graph, tmp_path, DEFAULT_OPSET, np.zeros((1, 3, 1, 1))):
        assert y.shape == (1, 3)


def test_fractions_are_dropped_and_zero_alone_is_false(tmp_path: Path) -> None:
    graph = checked(
        {"x": [5]},
        {"Cast": {"dtype": "int64"}, "name": "whole", "from": "x"},
        {"Cast": {"dtype": "bool"}, "name": "truth", "from": "x"},
        {"Cast": {"dtype": "float32"}, "from": "truth", "name": "real"},
        outputs=["whole", "truth", "real"],
    )
    for whole, truth, real in both(graph, tmp_path, DEFAULT_OPSET, [-1.5, -0.0, 0.0, 0.9, 2.5]):
        assert whole.tolist() == [-1, 0, 0, 0, 2]
        assert truth.tolist() == [True, False, False, True, True]
        assert real.tolist() == [1, 0, 0, 1, 1]
    whole_node, truth_node, real_node = graph.nodes
    assert truth_node.op.decides(0, *truth_node.input_types) == Compared(0)
    assert whole_node.op.decides(0, *whole_node.input_types) is None
    assert real_node.op.decides(0, *real_node.input_types) is None


def test_rows_are_looked_up_and_that_of_padding_is_not_trained(tmp_path: Path) -> None:
    embedding = {"num_embeddings": 3, "embedding_dim": 2, "padding_idx": 1}
    graph = checked({"words": {"shape": ["batch", 2], "dtype": "int64"}}, {"Embedding": embedding})
    assert shape_of(graph) == "(batch, 2, 2)"
    table = np.array([[1, 2], [0, 0], [5, 6]], np.float32)
    for (y,) in both(graph, tmp_path, DEFAULT_OPSET, [[2, 1]], embedding_1__weight=table):
        assert y.tolist() == [[[5, 6], [0, 0]]]
    module = build(graph)
    (weight,) = module.parameters()
    assert not weight[1].any()
    module(torch.tensor([[0, 1]])).sum().backward()
    assert gradient(weight) == [[1, 1], [0, 0], [0, 0]]


def test_a_constant_is_no_weight(tmp_path: Path) -> None:
    graph = checked(
        {"x": [2, 2]},
        {"Constant": {"value": [[1, 0.5], [2, 4]]}, "name": "gains"},
        {"Constant": {"value": True}, "name": "truth"},
        {"Mul": None, "from": ["x", "gains"], "name": "scaled"},
        outputs=["scaled", "truth"],
    )
    assert not build(graph).state_dict()
    for scaled, truth in both(graph, tmp_path, DEFAULT_OPSET, np.ones((2, 2))):
        assert scaled.tolist() == [[1, 0.5], [2, 4]]
        assert truth.tolist() is True


def test_a_constant_comes_into_being_with_the_weights() -> None:
    graph = checked(
        {"x": [2]},
        {"Constant": {"value": [1.5, 2]}},
        {"Mul": None, "from": ["x", "constant_1"]},
    )
    module = build(graph, device="meta")
    assert module(torch.empty(2, device="meta")).shape == (2,)
    load(module, {})
    assert module(torch.ones(2)).tolist() == [1.5, 2]


def test_a_real_number_is_rounded_once() -> None:
    # By way of float32 it would be 1: just above the middle between two of float16's numbers.
    constant = {"value": [1 + 2**-11 + 2**-40], "dtype": "float16"}
    graph = checked({"x": [1]}, {"Constant": constant}, outputs={"y": "constant_1", "z": "x"})
    y, _ = build(graph)(torch.zeros(1))
    assert y.item() == 1 + 2**-10


def test_a_parameter_is_zeros_until_init_says_otherwise() -> None:
    graph = checked(
        {"x": [2]},
        {"Parameter": {"shape": [2]}, "name": "plain"},
        {"Parameter": {"shape": [2]}, "name": "scale", "init": "ones"},
        {"Mul": None, "from": ["x", "scale"]},
        {"Add": None, "from": ["mul_1", "plain"]},
    )
    module = build(graph)
    assert {name: p.tolist() for name, p in module.named_parameters()} == {
        "plain.weight": [0, 0],
        "scale.weight": [1, 1],
    }
    module(torch.tensor([3.0, 4.0])).sum().backward()
    assert gradient(dict(module.named_parameters())["scale.weight"]) == [3, 4]
