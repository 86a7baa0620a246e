"""Outputs that say nothing are inconclusive, whatever engines make of them; wrong files fail all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from netspec.ir.graph import Graph
from netspec.verify.certificate import Certificate, Verdict
from netspec.verify.gates import verify
from netspec.verify.signal import _limits
from netspec.verify.tolerance import Array
from tests.verify.small_networks import chain, exported, op, weights_of


def noise() -> Graph:
    """What a softmax adds up to, less one: nothing but rounding, in every engine another."""
    return chain(
        ("batch", 40),
        op("Linear", out_features=40),
        op("Softmax", dim=1),
        op("Sum", dim=1),
        op("Sub", other=1.0),
    )


def certified(
    graph: Graph, folder: Path, weights: dict[str, Array] | None = None, seed: int = 0
) -> Certificate:
    weights = weights_of(graph, seed) if weights is None else weights
    return verify(exported(graph, weights, folder), graph, weights, seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_noise_is_inconclusive(seed: int, tmp_path: Path) -> None:
    certificate = certified(noise(), tmp_path, seed=seed)
    assert certificate.verdict is Verdict.INCONCLUSIVE
    (problem,) = certificate.problems
    assert problem.code == "NS549"
    assert problem.fill(problem.help)
    assert [gate.verdict for gate in certificate.gates] == [Verdict.PASSED] + [Verdict.INCONCLUSIVE] * 3


def test_a_wrong_file_fails_where_the_right_one_gives_noise(tmp_path: Path) -> None:
    graph = noise()
    path = exported(graph, weights_of(graph), tmp_path)
    model = onnx.load(path)
    (one,) = [tensor for tensor in model.graph.initializer if numpy_helper.to_array(tensor).size == 1
              and tensor.data_type == onnx.TensorProto.FLOAT]  # fmt: skip
    one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one) * np.float32(0.999), one.name))
    onnx.save(model, path)
    certificate = verify(path, graph, weights_of(graph))
    assert certificate.verdict is Verdict.FAILED
    assert [gate.verdict for gate in certificate.gates[1:]] == [Verdict.FAILED] * 3


LAST = {
    "Sigmoid": op("Sigmoid"),
    "Tanh": op("Tanh"),
    "Softmax": op("Softmax", dim=1),
    "Hardsigmoid": op("Hardsigmoid"),
    "ReLU6": op("ReLU6"),
}


@pytest.mark.parametrize("name", LAST)
@pytest.mark.parametrize("saturated", [False, True])
def test_saturated_outputs_are_inconclusive(name: str, saturated: bool, tmp_path: Path) -> None:
    graph = chain(("batch", 6), op("Linear", out_features=4), LAST[name])
    weights = weights_of(graph)
    weights["layer1.weight"] = weights["layer1.weight"] * np.float32(1e7 if saturated else 1)
    certificate = certified(graph, tmp_path, weights)
    assert certificate.verdict is (Verdict.INCONCLUSIVE if saturated else Verdict.PASSED)
    assert [problem.code for problem in certificate.problems] == ["NS548"] * saturated
    assert all(problem.fill(problem.help) for problem in certificate.problems)
    assert all(gate.verdict is Verdict.PASSED for gate in certificate.gates[:2])


def test_one_number_of_many_that_is_not_at_a_limit_is_enough(tmp_path: Path) -> None:
    graph = chain(("batch", 6), op("Linear", out_features=4), op("Sigmoid"))
    weights = weights_of(graph)
    factors = np.array([[1e7], [1e7], [1e7], [1]], np.float32)
    weights["layer1.weight"] = weights["layer1.weight"] * factors
    assert certified(graph, tmp_path, weights).verdict is Verdict.PASSED


def test_steps_are_what_some_layers_are_for(tmp_path: Path) -> None:
    graph = chain(("batch", 6), op("Linear", out_features=4), op("Sign"))
    assert _limits(op("Sign")) is None
    assert certified(graph, tmp_path).verdict is Verdict.PASSED
