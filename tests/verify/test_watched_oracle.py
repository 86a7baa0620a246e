"""The oracle is watched too: the reference against torch, for every operator that the catalogue emits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest
from onnx import defs

import netspec.onnx_backend
import netspec.ops
from netspec.onnx_backend.lower import lower
from netspec.onnx_backend.opset import installed_runtime, newest_opset
from netspec.ops.catalogue import FAMILIES
from tests.ops.cases import LAYER, Case, draw_weights, layer_of
from tests.ops.engines import Expected, exported
from tests.sweep.configurations import configurations

OPSETS = (17, 18, 20, newest_opset(installed_runtime()))
CASES = 12  # of every operation, their opsets in turns
RARE = (Case("Flatten", {}, ((2, 3, 4),)),)  # what shows an operator that is seldom drawn

# What torch says once a process of even kernels, of recurrences, of a softmax without `dim`.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@cache
def cases(op: str) -> list[tuple[Case, int]]:
    """Cases with their opsets, the same for all tests here."""
    rare = [case for case in RARE if case.op == op]
    return list(zip([*configurations(op, CASES, "oracle"), *rare], cycle(OPSETS), strict=False))


@pytest.mark.parametrize("op", FAMILIES)
def test_the_reference_computes_what_torch_does_in_float64(op: str, tmp_path: Path) -> None:
    for case, opset in cases(op):
        graph = case.graph()
        weights = draw_weights(case.module())
        expected = Expected.of(case, layer_of(graph), weights, scale=1.0)
        named = {f"{LAYER}.{name}": array for name, array in weights.items()}
        reference = exported(graph, named, tmp_path / "one.onnx", opset).reference()
        given = list(reference.run(expected.feeds).values())
        assert not list(expected.faults_of_reference(given)), (case, opset)


def test_no_operator_is_left_out() -> None:
    emitted = {
        node.op_type
        for op in FAMILIES
        for case, opset in cases(op)
        for node in lower(case.graph(), opset).nodes
    }
    assert set(written()) <= emitted


def written() -> Iterator[str]:
    """The operators that the lowerings name."""
    operators = {schema.name for schema in defs.get_all_schemas()}
    for package in (netspec.ops, netspec.onnx_backend):
        for path in Path(package.__path__[0]).glob("*.py"):
            if path.stem in ("catalogue", "traced"):  # they name operations, and what others emit
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and node.value in operators:
                    yield node.value
