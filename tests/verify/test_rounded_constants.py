"""Operations with inexact constants inside: the oracle computes with them as the file has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from netspec.verify.oracle import Oracle
from netspec.verify.tolerance import scaled_error
from tests.ops.cases import Case
from tests.ops.engines import exported


@pytest.mark.parametrize("opset", [18, 23])
@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("SELU", {}),
        ("Hardsigmoid", {}),
        ("Hardswish", {}),
        ("GELU", {}),
        ("GELU", {"approximate": "tanh"}),
        ("RReLU", {"lower": 0.11, "upper": 0.37}),
        ("LeakyReLU", {"negative_slope": 0.1}),
        ("CELU", {"alpha": 0.7}),
        ("Softplus", {"beta": 1.3, "threshold": 2.1}),
        ("LocalResponseNorm", {"size": 2, "alpha": 0.3, "beta": 0.6, "k": 1.1}),
        ("RMSNorm", {}),
        ("RMSNorm", {"eps": 0.1}),
    ],
)
def test_the_oracle_agrees_with_the_reference(
    op: str, arguments: Mapping[str, Any], opset: int, tmp_path: Path
) -> None:
    case = Case(op, arguments, ((2, 3, 4),))
    graph = case.graph()
    weights = arrays(build(graph))
    reference = exported(graph, weights, tmp_path / "one.onnx", opset).reference()
    oracle = Oracle(graph)
    oracle.load(weights)
    for scale in (1.0, 1e3):
        (feed,) = case.feeds(scale=scale)
        with oracle.exactly():
            (exact,) = oracle.run_exact([feed]).outputs
        (given,) = reference.run({"x0": feed}).values()
        assert scaled_error(given, exact) < 1e-13
        (plain,) = oracle.run([feed]).outputs
        assert np.abs(plain - exact).max() <= 1e-5 * np.abs(exact).max()
