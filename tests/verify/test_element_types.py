"""Exports in float16 and bfloat16: what is rewritten and rounded, and what judges them by which bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.ir.tensor import DType
from netspec.onnx_backend.retyped import retyped_spec, rounded, with_places_of
from netspec.pipeline import build, check, check_text, verify_file
from netspec.verify.certificate import Verdict
from netspec.verify.engines import lanes_of
from netspec.verify.explanation import Explanation
from netspec.verify.gates import verify
from netspec.verify.reference import NarrowReference, UnevaluatedError
from netspec.verify.tolerance import UNIT_ROUNDOFF, Array
from tests.command_line import ROOT, netspec
from tests.verify.small_networks import exported, weights_of
from tests.verify.test_gates import node

HALVES = ("float16", "bfloat16")

SPEC = """\
netspec: 1
name: mixed
inputs:
  image: [batch, 2, 6, 6]
  tokens: {shape: [batch, 3], dtype: int64}
layers:
  - {Conv2d: {out_channels: 3, kernel_size: 3}, from: image}
  - BatchNorm2d
  - LeakyReLU: {negative_slope: 0.1}
  - {AvgPool2d: {kernel_size: 2}, name: seen}
  - {Flatten: null, name: flat}
  - {Embedding: {num_embeddings: 5, embedding_dim: 4}, from: tokens}
  - {Flatten: null, name: said}
  - {Concat: {dim: 1}, from: [flat, said]}
  - {Parameter: {shape: [24]}, name: scale, init: {normal: {std: 1.0}}}
  - {Constant: {value: [0.1]}, name: tenth}
  - {Add: null, from: [concat_1, scale]}
  - {Mul: null, from: [prev, tenth]}
  - {Linear: {out_features: 4}, name: logits}
outputs: [logits]
"""


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    spec = tmp_path / "mixed.yaml"
    spec.write_text(SPEC)
    return spec


def in_type(graph: Graph, dtype: str) -> Graph:
    text = json.dumps(retyped_spec(graph.resolved, DType(dtype)))
    return with_places_of(check_text(text, "retyped").graph, graph)


@pytest.mark.parametrize("dtype", HALVES)
def test_every_real_number_is_of_the_type(dtype: str, mixed: Path) -> None:
    before = check(mixed).graph
    graph = in_type(before, dtype)
    types = {str(value.type.dtype) for item in graph for value in item.outputs}
    assert types == {dtype}
    assert [str(entry.value.type.dtype) for entry in graph.inputs] == [dtype, "int64"]
    owned = {str(w.dtype) for item in graph for w in item.op.weights(*item.input_types)} - {"int64"}
    assert owned == {dtype}
    assert [item.span for item in graph] == [item.span for item in before]
    assert graph_hash(check_text(json.dumps(graph.resolved), "again").graph) == graph_hash(graph)


@pytest.mark.parametrize("name", ["resnet18", "two_views", "transformer", "vit", "shufflenet_v2"])
def test_specs_of_every_kind_can_be_rewritten(name: str) -> None:
    graph = in_type(check(ROOT / "specs" / f"{name}.yaml").graph, "float16")
    types = {value.type.dtype for item in graph for value in item.outputs}
    assert DType.FLOAT32 not in types
    assert DType.FLOAT16 in types


def test_types_that_a_spec_names_itself_stay() -> None:
    arguments: dict[str, Any] = {
        "Cast": {"dtype": "int64"},
        "Constant": {"value": [1, 2]},
        "Parameter": {"shape": [2], "dtype": "float64"},
    }
    spec = {
        "inputs": {"x": {"shape": [2], "dtype": "float64"}, "i": {"shape": [2], "dtype": "bool"}},
        "layers": [{key: value} for key, value in arguments.items()],
        "blocks": {"B": {"layers": [{"branches": {"a": [{"Cast": {"dtype": "float32"}}]}}]}},
        "params": {"Parameter": {"float": 1.0}},
    }
    found = retyped_spec(spec, DType.FLOAT16)
    assert found["inputs"] == spec["inputs"]
    assert found["layers"] == spec["layers"]
    assert found["params"] == spec["params"]
    assert found["blocks"]["B"]["layers"][0]["branches"]["a"] == [{"Cast": {"dtype": "float16"}}]


@pytest.mark.parametrize("dtype", HALVES)
def test_weights_are_rounded_once(dtype: str, mixed: Path) -> None:
    before = check(mixed).graph
    graph = in_type(before, dtype)
    weights = weights_of(before)
    given = rounded(weights, graph)
    assert given["conv2d_1.weight"].dtype.name == dtype
    largest = np.max(np.abs(weights["conv2d_1.weight"]))
    off = np.max(np.abs(given["conv2d_1.weight"].astype(np.float64) - weights["conv2d_1.weight"]))
    assert 0 < off <= UNIT_ROUNDOFF[dtype] * largest
    assert given["batch_norm2d_1.num_batches_tracked"].dtype == np.int64


@pytest.mark.parametrize("dtype", HALVES)
def test_an_export_passes_by_its_own_bounds(dtype: str, mixed: Path, tmp_path: Path) -> None:
    built = build(mixed, out=tmp_path / "out", dtype=dtype)
    assert [(p.code, p.text) for p in built.certificate.findings] == []
    assert built.path is not None
    model = onnx.load(built.path)
    number = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.BFLOAT16
    assert [entry.name for entry in model.graph.input] == ["image", "tokens"]
    assert model.graph.input[0].type.tensor_type.elem_type == number
    assert model.graph.output[0].type.tensor_type.elem_type == number
    assert {tensor.data_type for tensor in model.graph.initializer} <= {number, TensorProto.INT64}
    lanes = [gate.lane for gate in built.certificate.gates[2:]]
    assert lanes == (["cpu unoptimised", "cpu"] if dtype == "float16" else ["reference"])
    alone = verify_file(built.path, per_layer=True)[1]
    assert alone.verdict is Verdict.PASSED
    assert all(row.worst.measured.share <= 1 for row in alone.layers)
    # Half the digits: no bound that float32 is held to would let it pass.
    assert max(m.bound for m in alone.gates[-1].measurements) > 1e-4


def spoiled(graph: Graph, weights: Mapping[str, Array], folder: Path) -> Path:
    path = exported(graph, weights, folder, opset=22)
    model: ModelProto = onnx.load(path)
    attribute = next(a for a in node(model, "LeakyRelu").attribute if a.name == "alpha")
    attribute.f = 0.101
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("dtype", HALVES)
def test_a_wrong_slope_is_found_and_blamed(dtype: str, mixed: Path, tmp_path: Path) -> None:
    """In so few digits no runtime shows it; exact arithmetic on the rounded weights does."""
    before = check(mixed).graph
    graph = in_type(before, dtype)
    weights = rounded(weights_of(before), graph)
    path = spoiled(graph, weights, tmp_path)
    certificate = verify(path, graph, weights, explanation=Explanation(repro=tmp_path / "alone"))
    assert certificate.verdict is Verdict.FAILED
    assert [gate.verdict for gate in certificate.gates[1:]] == [
        Verdict.FAILED,
        *[Verdict.PASSED] * (len(certificate.gates) - 2),
    ]
    assert certificate.blame is not None
    assert certificate.blame.layers == ("leaky_relu_1",)


def test_bfloat16_is_judged_by_the_definition(mixed: Path) -> None:
    graph = check(mixed).graph
    assert [lane.name for lane in lanes_of(in_type(graph, "bfloat16"))] == ["reference"]
    assert [lane.name for lane in lanes_of(graph)][:2] == ["cpu unoptimised", "cpu"]


def test_the_definition_rounds_every_result() -> None:
    """1 + 2⁻⁸ is no bfloat16: added twice in turn it stays 1, where float32 would make 1 + 2⁻⁷ of it."""
    bf16 = TensorProto.BFLOAT16
    one, small = (onnx.helper.make_tensor_value_info(name, bf16, [1]) for name in ("one", "small"))
    out = onnx.helper.make_tensor_value_info("y", bf16, [1])
    nodes = [
        onnx.helper.make_node("Add", ["one", "small"], ["sum"]),
        onnx.helper.make_node("Add", ["sum", "small"], ["y"]),
    ]
    graph = onnx.helper.make_graph(nodes, "twice", [one, small], [out])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)])
    feeds: dict[str, Array] = {
        "one": np.array([1], ml_dtypes.bfloat16),
        "small": np.array([2.0**-8], ml_dtypes.bfloat16),
    }
    (y,) = NarrowReference(model, {}).run(feeds).values()
    assert y.dtype == ml_dtypes.bfloat16
    assert float(y[0]) == 1.0


def test_what_nothing_runs_in_bfloat16_is_inconclusive(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: NarrowReference, feeds: object) -> dict[str, Array]:
        raise UnevaluatedError(onnx.NodeProto(op_type="Conv", name="conv2d_1"), "it has no such type")

    monkeypatch.setattr(NarrowReference, "run", refuse)
    built = build(mixed, out=tmp_path / "out", dtype="bfloat16")
    assert built.certificate.verdict is Verdict.INCONCLUSIVE
    (problem,) = built.certificate.problems
    assert problem.code == "NS546"
    assert "Conv conv2d_1: it has no such type" in problem.text
    assert problem.fill(problem.help)
    assert built.path is None


def test_the_command_and_an_opset_that_is_too_old(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = netspec("build", mixed, "--dtype", "float16", "--out", out)
    assert told.code == 0
    assert "opset 18" in told.out
    assert "opset 22" in netspec("build", mixed, "--dtype", "bfloat16", "--out", out).out
    old = netspec("build", mixed, "--dtype", "bfloat16", "--opset", "18", "--out", out)
    assert old.code == 3
    assert "error[NS520]" in old.err
    assert "from opset 22 on" in old.err
    assert netspec("build", mixed, "--dtype", "int8").code == 2
