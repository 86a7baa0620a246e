"""Sizes with some of their symbols bound: as if the rest had been evaluated later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.ir.dim import Dim, Size, bind, symbol


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    """A size of H and W: sums, products, floors."""
    h, w = symbol("H", 4), symbol("W")
    size: Size = draw(st.sampled_from([h, w, h * w]))
    for _ in range(draw(st.integers(0, 4))):
        number = draw(st.integers(1, 5))
        size = draw(st.sampled_from([size + number, size * number, size // number, size + h, size + w // 2]))
    return size


@given(size=sizes(), h=st.integers(1, 20).map(lambda n: 4 * n), w=st.integers(1, 50))
def test_bound_one_after_the_other_is_evaluated_at_once(size: Size, h: int, w: int) -> None:
    expected = size.evaluate({"H": h, "W": w}) if isinstance(size, Dim) else size
    assert bind(bind(size, {"H": h}), {"W": w}) == expected
    assert bind(size, {"H": h, "W": w, "other": 1}) == expected


def test_what_has_no_value_stays() -> None:
    size = (symbol("H") + 1) // 2 * symbol("W")
    assert str(bind(size, {"H": 7})) == "4*W"
    assert bind(size, {"N": 3}) is size
    assert bind(5, {"H": 7}) == 5


def test_a_value_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        bind(symbol("H", 4), {"H": 6})
