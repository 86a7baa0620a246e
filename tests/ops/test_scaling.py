"""The arithmetic of resizing, against brute force."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netspec.ir.dim import symbol
from netspec.ops.scaling import (
    as_fraction,
    lengths_in_file,
    scaled,
    scales_every_size,
    single,
    taken_by_standard,
    taken_by_torch,
    taken_exactly,
    takes_alike,
)

factors = st.floats(0.01, 50) | st.fractions(min_value=1, max_value=9, max_denominator=64).map(float)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32) | st.floats(-1e30, 1e30))
def test_single_is_numpys_float32(number: float) -> None:
    assert single(number) == np.float32(number)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_quotient_is_taken_for_the_fraction_that_it_came_from(numerator: int, denominator: int) -> None:
    ours = as_fraction(numerator / denominator)
    assert ours[0] / ours[1] == numerator / denominator
    assert ours[1] <= denominator


@given(factors)
def test_a_symbolic_length_is_what_doubles_give(factor: float) -> None:
    size = scaled(symbol("H"), factor)
    lengths = random.Random(0).sample(range(1, 2**20), 500)
    found = [length for length in lengths if _at(size, length) != int(length * factor)]
    assert not found or not scales_every_size(factor)


def _at(size: object, length: int) -> int:
    return size.evaluate({"H": length}) if hasattr(size, "evaluate") else int(str(size))


def test_a_product_that_doubles_round_below_is_known() -> None:
    assert int(110 * 2.3) == 252
    assert not scales_every_size(2.3)
    assert scales_every_size(1 / 3)
    assert all(int(3 * k * (1 / 3)) == k for k in range(1, 5000))


def test_a_factor_in_a_file_may_give_another_length() -> None:
    assert lengths_in_file(110, 2.3) == {252, 253}
    assert lengths_in_file(7, 2.3) == {16}


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@given(length=st.integers(1, 300), result=st.integers(1, 300))
def test_nearest_elements_are_those_of_torch(mode: str, length: int, result: int) -> None:
    numbers = torch.arange(length, dtype=torch.float32)[None, None]
    kept = torch.nn.functional.interpolate(numbers, size=result, mode=mode)[0, 0].int().tolist()
    assert taken_by_torch(length, result, None, centred=mode != "nearest") == kept


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("scale", [1.5, 2.0, 2.75, 3.0, 5.0, 6.0, 7.0, 10.0, 41.0, 47.0, 0.75, 0.625])
def test_scales_that_take_alike_do_so_at_every_length(scale: float, centred: bool) -> None:
    alike = []
    for length in (*range(1, 30), 97, 192, 331):
        result = int(length * scale)
        taken = taken_by_torch(length, result, scale, centred=centred)
        standard = taken_by_standard(length, result, scale, centred=centred)
        alike.append(taken == standard == taken_exactly(length, result, as_fraction(scale), centred=centred))
    assert all(alike) or not takes_alike(scale, centred=centred)


def test_most_scales_take_alike() -> None:
    assert takes_alike(3.0, centred=False)
    assert takes_alike(1.5, centred=True)
    assert not takes_alike(41.0, centred=False)
