"""Comparisons that no NaN gets past."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.verify.tolerance import Rounding, rounding, rounding_bound, same_masks, scaled_error, variation

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ([1, NAN, INF], [2, NAN, INF], True),
        ([1, NAN], [NAN, 1], False),
        ([INF], [-INF], False),
        ([INF], [NAN], False),
        ([1], [INF], False),
    ],
)
def test_masks(a: list[float], b: list[float], equal: bool) -> None:
    assert same_masks(np.array(a), np.array(b)) is equal


def test_errors_are_taken_where_all_are_finite() -> None:
    exact = np.array([4.0, -8.0, NAN, INF])
    found = rounding(np.array([4.5, -8.0, 1, INF]), np.array([4.0, -8.25, 2, 3]), exact)
    assert found == Rounding(error=0.5, torch_error=0.25, scale=8)


def test_float32_is_subtracted_in_float64() -> None:
    third = np.array([1 / 3])
    assert scaled_error(third.astype(np.float32), third) == pytest.approx(2**-25, rel=0.5)


def test_the_bound_is_eight_times_torch_or_the_allowance() -> None:
    cases = [Rounding(0, 1e-6, 1.0), Rounding(0, 3e-6, 2.0)]
    assert rounding_bound(cases, 1e-9) == pytest.approx(8 * 3e-6)
    assert rounding_bound(cases, 1e-5) == pytest.approx(8 * 2e-5)
    assert rounding_bound([], 1e-5) == 0


def test_an_error_where_the_exact_result_vanishes_is_infinite() -> None:
    zero, tiny = np.zeros(3), np.array([0, 1e-30, 0])
    assert scaled_error(tiny, zero) == INF
    assert scaled_error(zero, zero) == 0
    assert scaled_error(np.array([2.0, 9.0]), np.array([1.0, 10.0])) == pytest.approx(0.1)


def test_variation_is_the_largest_spread_of_one_element() -> None:
    assert variation([np.array([1.0, 100.0]), np.array([3.0, 100.0])]) == pytest.approx(0.02)
    assert variation([np.zeros(2), np.zeros(2)]) == 0
    assert variation([np.array([5.0])] * 3) == 0
    assert np.isnan(variation([np.array([NAN]), np.array([1.0])]))
    assert variation([np.array([NAN, 1.0]), np.array([1.0, 2.0])]) == pytest.approx(0.5)


def test_variation_compares_equal_shapes_only() -> None:
    unequal = [np.array([1.0]), np.array([7.0, 7.0])]
    assert variation(unequal) == 0
    assert variation([*unequal, np.array([7.0, 0.0])]) == 1
