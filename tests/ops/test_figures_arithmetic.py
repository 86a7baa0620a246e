"""Arithmetic, comparisons, reductions and products with figures worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from netspec.diagnostics import DiagnosticError, Severity
from netspec.ir.tensor import evaluate
from netspec.onnx_backend.opset import OLDEST_OPSET, installed_runtime, newest_opset
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from tests.ops.cases import LAYER, Array, Case, run
from tests.ops.engines import exported


def computed(case: Case, folder: Path, *feeds: Array, **weights: Array) -> list[list[Array]]:
    """The outputs in torch; then at the oldest and the newest opset those in onnxruntime, and those of the
    standard."""
    graph = case.graph()
    module = build(graph).eval()
    with torch.no_grad():
        for name, value in weights.items():
            getattr(module.get_submodule(LAYER), name).copy_(torch.from_numpy(value))
    named = {f"{LAYER}.{name}": value for name, value in weights.items()}
    given = dict(zip(case.inputs, feeds, strict=True))
    found = [[y.numpy() for y in run(module, [torch.from_numpy(feed) for feed in feeds])]]
    for opset in (OLDEST_OPSET, newest_opset(installed_runtime())):
        file = exported(graph, named, folder / f"{opset}.onnx", opset)
        found.append(file.session(optimised=True).run(None, given))
        found.append(list(file.reference().run(given).values()))
    return found


def test_whole_quotients_are_those_of_the_remainder(tmp_path: Path) -> None:
    # 1 / 0.1 is rounded to 10, but 0.1 as float32 is a little more than a tenth, and goes into 1 nine times.
    x = np.array([1, -1, 1, 0.5, -7, 7, 3, -3, 0], np.float32)
    y = np.array([0.1, 0.1, -0.1, 0.1, 2, -2, 0, 0, 5], np.float32)
    expected = [9, -10, -10, 4, -4, -4, math.inf, -math.inf, 0]
    case = Case("Div", {"rounding_mode": "floor"}, (x.shape, y.shape))
    for (quotient,) in computed(case, tmp_path, x, y):
        assert quotient.tolist() == expected


@pytest.mark.parametrize(("mode", "expected"), [("trunc", [3, -3, -3, 3, 2]), ("floor", [3, -4, -4, 3, 2])])
def test_quotients_of_integers_are_rounded(mode: str, expected: list[int], tmp_path: Path) -> None:
    x, y = np.array([7, -7, 7, -7, 6]), np.array([2, 2, -2, -2, 3])
    case = Case("Div", {"rounding_mode": mode}, (x.shape, y.shape), "int64")
    for (quotient,) in computed(case, tmp_path, x, y):
        assert quotient.tolist() == expected


def test_powers_of_integers_are_exact(tmp_path: Path) -> None:
    x = np.array([3, -3, 7, 0])
    for exponent in (0, 1, 13, 22):
        case = Case("Pow", {"exponent": exponent}, (x.shape,), "int64")
        for (power,) in computed(case, tmp_path, x):
            assert power.tolist() == [number**exponent for number in (3, -3, 7, 0)]


def test_halves_are_rounded_to_even_numbers(tmp_path: Path) -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 1.25], np.float32)
    for (y,) in computed(Case("Round", {}, (x.shape,)), tmp_path, x):
        assert y.tolist() == [0, 2, 2, 0, -2, 1]
    for (y,) in computed(Case("Round", {"decimals": 1}, (x.shape,)), tmp_path, x):
        np.testing.assert_allclose(y, [0.5, 1.5, 2.5, -0.5, -1.5, 1.2], rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "first"), [("Max", [1, 0]), ("Min", [0, 1]), ("ArgMax", [1, 0]), ("ArgMin", [0, 1])]
)
@pytest.mark.parametrize("dtype", ["float32", "int64", "int32"])
def test_of_equal_elements_the_first_counts(op: str, first: list[int], dtype: str, tmp_path: Path) -> None:
    x = np.array([[1, 5, 5, 1], [5, 1, 1, 5]], dtype)
    ports = ("indices",) if op in ("Max", "Min") else ()
    for outputs in computed(Case(op, {"dim": 1}, (x.shape,), dtype, ports=ports), tmp_path, x):
        assert outputs[-1].tolist() == first


def test_without_a_dimension_places_are_counted_in_reading_order(tmp_path: Path) -> None:
    x = np.array([[1, 5, 2], [3, 9, 9]], np.float32)
    for (place,) in computed(Case("ArgMax", {}, (x.shape,)), tmp_path, x):
        assert place.shape == ()
        assert place == 4
    for (place,) in computed(Case("ArgMax", {"keepdim": True}, (x.shape,)), tmp_path, x):
        assert place.tolist() == [[4]]


def test_sums_of_truth_values_count_the_true_ones(tmp_path: Path) -> None:
    x = np.array([[True, False, True], [False, False, True]])
    for (count,) in computed(Case("Sum", {"dim": 1}, (x.shape,), "bool"), tmp_path, x):
        assert count.dtype == np.int64
        assert count.tolist() == [2, 1]


def test_the_variance_of_equal_elements_far_from_zero_vanishes(tmp_path: Path) -> None:
    x = np.full((1, 4096), 1000.1, np.float32)
    for (variance,) in computed(Case("Var", {"dim": 1}, (x.shape,)), tmp_path, x):
        assert variance[0] < 1e-7


@pytest.mark.parametrize(("correction", "expected"), [(0, 2), (1, 2.5), (2, 10 / 3), (-1, 10 / 6)])
def test_a_variance_is_divided_by_the_number_less_the_correction(
    correction: int, expected: float, tmp_path: Path
) -> None:
    x = np.array([[1, 2, 3, 4, 5]], np.float32)
    case = Case("Var", {"dim": 1, "correction": correction}, (x.shape,))
    for (variance,) in computed(case, tmp_path, x):
        np.testing.assert_allclose(variance, [expected], rtol=1e-6)


def test_a_norm_sees_every_copy_of_what_is_stretched(tmp_path: Path) -> None:
    # (2, 2, 2, 2) against (1, 1, 1, 1): the same direction, whatever is stretched.
    x, y = np.array([[2]], np.float32), np.ones((1, 4), np.float32)
    for (cosine,) in computed(Case("CosineSimilarity", {}, (x.shape, y.shape)), tmp_path, x, y):
        np.testing.assert_allclose(cosine, [1], rtol=1e-6)


def test_distances_of_vectors(tmp_path: Path) -> None:
    x, y = np.array([[3, 4]], np.float32), np.array([[0, 0]], np.float32)
    for p, expected in ((1, 7), (2, 5), (3, 91 ** (1 / 3))):
        case = Case("PairwiseDistance", {"p": p, "eps": 0}, (x.shape, y.shape))
        for (distance,) in computed(case, tmp_path, x, y):
            np.testing.assert_allclose(distance, [expected], rtol=1e-6)


def test_a_bilinear_form(tmp_path: Path) -> None:
    # (1, 2) [[1, 0, 2], [0, 3, 0]] (1, 1, 1) = 1 + 2 + 6, and 10 beside it.
    weight = np.array([[[1, 0, 2], [0, 3, 0]]], np.float32)
    case = Case("Bilinear", {"out_features": 1}, ((1, 2), (1, 3)))
    feeds = np.array([[1, 2]], np.float32), np.ones((1, 3), np.float32)
    for (y,) in computed(case, tmp_path, *feeds, weight=weight, bias=np.array([10], np.float32)):
        assert y.tolist() == [[19]]
    (node,) = case.graph()
    # For one output, x1^T A takes 2 * 3 multiply-adds, its product with x2 another 3.
    assert evaluate(node.op.cost(*node.input_types, node.output.type).macs, {}) == 9


def test_the_products_of_attention() -> None:
    case = Case(
        "MatMul",
        {},
        ((2, 8, 16, 64), (2, 8, 64, 20)),
        symbols=(("batch", None, "L", None), ("batch", None, None, "S")),
    )
    (node,) = case.graph()
    assert str(node.output.type) == "(batch, 8, L, S)"
    cost = node.op.cost(*node.input_types, node.output.type)
    assert evaluate(cost.macs, {"batch": 1, "L": 16, "S": 20}) == 8 * 16 * 20 * 64


def test_numbers_in_place_of_both_tensors(tmp_path: Path) -> None:
    mask = np.array([True, False])
    for numbers, dtype in (((1, 0), np.int64), ((1, -0.5), np.float32)):
        arguments = dict(zip(("input", "other"), numbers, strict=True))
        case = Case("Where", arguments, (mask.shape,), dtypes=("bool",))
        torch32, runtime, *_ = computed(case, tmp_path, mask)
        for (y,) in (torch32, runtime):
            assert y.dtype == dtype
            assert y.tolist() == list(numbers)


@pytest.mark.parametrize("op", ["Sub", "Div", "Pow", "Maximum", "Add", "Mul"])
def test_one_channel_that_meets_several_is_a_warning(op: str) -> None:
    spec = f"""
netspec: 1
inputs: {{image: [batch, 3, H, W], grey: [batch, 1, H, W], gate: [batch, 3, 1, 1]}}
layers:
  - {op}: {{}}
    from: [image, gate]
  - {op}: {{}}
    from: [prev, grey]
"""
    (warning,) = check_text(spec, "one.yaml", format="yaml").warnings
    assert warning.severity is Severity.WARNING
    assert "stretches 1 channel to 3" in warning.text


@pytest.mark.parametrize("op", ["Sub", "Where", "MatMul", "CosineSimilarity"])
def test_sizes_of_two_names_are_not_equal(op: str) -> None:
    first, *others = [("batch", "W"), ("batch", "H")]
    dtypes = ("bool", "float32", "float32") if op == "Where" else ()
    shapes = ((3, 4), (3, 4), (3, 4)) if op == "Where" else ((3, 4), (3, 4))
    symbols = (first, *others, *others) if op == "Where" else (first, *others)
    with pytest.raises(DiagnosticError, match=r"W against H|W columns against batch rows"):
        Case(op, {}, shapes, symbols=symbols, dtypes=dtypes).graph()
