"""Activations with figures worked out by hand, also where exponentials overflow, and what runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import log, log1p
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from netspec.ir.graph import Graph
from netspec.onnx_backend.opset import installed_runtime, newest_opset
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from tests.ops.cases import Array, Case
from tests.ops.engines import exported

OPSETS = (17, 18, 20, newest_opset(installed_runtime()))
HUGE = [-1000.0, 1000.0]


def outputs(case: Case, feed: Array, folder: Path, opset: int) -> Array:
    """What onnxruntime makes of an exported layer."""
    graph = case.graph()
    file = exported(graph, arrays(build(graph)), folder / "one.onnx", opset)
    (y,) = file.session(optimised=True).run(None, {"x0": feed})
    assert isinstance(y, np.ndarray)
    return y


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("op", "arguments", "row", "expected"),
    [
        ("ReLU6", {}, [-1, 2, 7], [0, 2, 6]),
        ("Hardtanh", {"min_val": -0.5, "max_val": 2.0}, [-1, 1, 3], [-0.5, 1, 2]),
        ("Hardsigmoid", {}, [-3, 0, 1.5, 3], [0, 0.5, 0.75, 1]),
        ("Hardswish", {}, [-3, 1.5, 3], [0, 1.125, 3]),
        ("Hardshrink", {"lambd": 0.5}, [-1, -0.5, 0.5, 1], [-1, 0, 0, 1]),
        ("Softshrink", {"lambd": 0.5}, [-1, -0.5, 0.25, 1], [-0.5, 0, 0, 0.5]),
        ("Threshold", {"threshold": 1.0, "value": 20.0}, [0, 1, 2], [20, 20, 2]),
        ("LeakyReLU", {"negative_slope": 0.5}, [-3, 4], [-1.5, 4]),
        ("RReLU", {"lower": 0.25, "upper": 0.75}, [-3, 4], [-1.5, 4]),
        ("PReLU", {"init": 0.5}, [-3, 4], [-1.5, 4]),
        ("ELU", {"alpha": 2.0}, [-log(2), *HUGE], [-1, -2, 1000]),
        ("CELU", {"alpha": 2.0}, [-2 * log(2), *HUGE], [-1, -2, 1000]),
        ("SELU", {}, HUGE, [-1.0507009873554805 * 1.6732632423543773, 1050.7009873554805]),
        ("GELU", {}, HUGE, [0, 1000]),
        ("GELU", {"approximate": "tanh"}, HUGE, [0, 1000]),
        ("SiLU", {}, HUGE, [0, 1000]),
        ("Mish", {}, HUGE, [0, 1000]),
        ("Softplus", {}, [0, *HUGE], [log(2), 0, 1000]),
        ("Softplus", {"beta": 2.0}, [0, -1000], [log(2) / 2, 0]),
        ("Softplus", {"threshold": 1.0}, [1, 1.5], [log1p(np.e), 1.5]),
        ("LogSigmoid", {}, [0, *HUGE], [-log(2), -1000, 0]),
        ("Softsign", {}, [-3, 1], [-0.75, 0.5]),
        ("Tanhshrink", {}, [0, *HUGE], [0, -999, 999]),
        ("GLU", {}, [6, 8, 0, 1000], [3, 8]),
        ("Softmax", {"dim": 1}, [0, log(3)], [0.25, 0.75]),
        ("Softmin", {"dim": 1}, [0, log(3)], [0.75, 0.25]),
        ("LogSoftmax", {"dim": 1}, [1000, 0], [0, -1000]),
    ],
)
def test_values(
    op: str, arguments: Mapping[str, Any], row: list[float], expected: list[float], opset: int, tmp_path: Path
) -> None:
    feed = np.array([row], np.float32)
    y = outputs(Case(op, arguments, (feed.shape,)), feed, tmp_path, opset)
    np.testing.assert_allclose(y, [expected], rtol=1e-6, atol=1e-7)


def test_every_channel_has_its_slope(tmp_path: Path) -> None:
    case = Case("PReLU", {"num_parameters": 3}, ((2, 3, 1, 2),))
    graph = case.graph()
    slopes = np.array([0.5, 0.0, -2.0], np.float32)
    file = exported(graph, {"layer.weight": slopes}, tmp_path / "one.onnx", 18)
    feed = np.full((2, 3, 1, 2), -1, np.float32)
    (y,) = file.session(optimised=True).run(None, {"x0": feed})
    assert y.tolist() == [[[[-0.5] * 2], [[0.0] * 2], [[2.0] * 2]]] * 2


def kernels(graph: Graph, folder: Path, opset: int) -> list[str]:
    """The operators that are left when onnxruntime has optimised a file."""
    model = exported(graph, arrays(build(graph)), folder / "one.onnx", opset).model
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("op", "kernel"),
    [("GELU", ["Gelu"]), ("SiLU", ["QuickGelu"])],
)
def test_one_kernel_computes_it(op: str, kernel: list[str], opset: int, tmp_path: Path) -> None:
    graph = Case(op, {}, ((2, 3, 4),), symbols=(("batch", "length", None),)).graph()
    assert kernels(graph, tmp_path, opset) == kernel


@pytest.mark.parametrize("opset", OPSETS)
def test_a_norm_behind_a_sum_is_not_fused_with_it(opset: int, tmp_path: Path) -> None:
    document = {
        "netspec": 1,
        "name": "residual",
        "inputs": {"x": ["batch", "length", 8], "y": ["batch", "length", 8]},
        "layers": [{"Add": {}, "from": ["x", "y"]}, {"LayerNorm": {}}],
    }
    graph = check_text(json.dumps(document), "spec.json").graph
    found = kernels(graph, tmp_path, opset)
    assert "SkipLayerNormalization" not in found
    assert {"Add", "LayerNormalization"} <= set(found)


@pytest.mark.parametrize("opset", OPSETS)
def test_a_root_mean_square_norm_is_one_kernel(opset: int, tmp_path: Path) -> None:
    graph = Case("RMSNorm", {}, ((2, 3, 8),), symbols=(("batch", "length", None),)).graph()
    assert kernels(graph, tmp_path, opset) in (["SimplifiedLayerNormalization"], ["RMSNormalization"])
