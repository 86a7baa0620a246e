"""What is decided of symbolic sizes, by example: outcomes, cures, least values, and what stays open."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from netspec.ir.dim import (
    LARGEST_SIZE,
    UNKNOWN,
    Bounds,
    Comparison,
    Different,
    Dim,
    Equal,
    Relation,
    Size,
    Sometimes,
    Undecided,
    compare,
    decide,
    least_value,
    symbol,
)

H, W = symbol("H"), symbol("W")


def test_least_value_of_several_symbols_holds_the_others_at_their_least() -> None:
    size = W * ((H - 3) // 2)
    assert isinstance(size, Dim)
    assert least_value(size, 1, {}) == {"H": 5}
    assert least_value(size, 4, {"W": Bounds(min=4)}) == {"H": 5}
    total = H + W
    assert isinstance(total, Dim)
    assert least_value(total, 9, {"H": Bounds(max=4)}) == {"W": 8}
    gap = H - W
    assert isinstance(gap, Dim)
    assert least_value(gap, 1, {"W": Bounds(min=3)}) == {"H": 4}


def test_a_size_that_falls_is_large_enough_within_bounds_or_never() -> None:
    size = 50 - H
    assert isinstance(size, Dim)
    assert least_value(size, 10, {"H": Bounds(max=40)}) == {}
    assert least_value(size, 10, {"H": Bounds(max=41)}) is None


def test_no_value_is_large_enough() -> None:
    for size in (5 - H, H - H // 2 * 2, H // LARGEST_SIZE - 1):
        assert isinstance(size, Dim)
        assert least_value(size, 10, {}) is None


def test_huge_least_values_take_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    size = (H - 10**17) // 7
    assert isinstance(size, Dim)
    calls = 0
    evaluate = Dim.evaluate

    def counted(self: Dim, values: Mapping[str, int]) -> int:
        nonlocal calls
        calls += 1
        return evaluate(self, values)

    monkeypatch.setattr(Dim, "evaluate", counted)
    assert least_value(size, 10, {}) == {"H": 10**17 + 70}
    assert calls <= 200  # a bisection of 63 bits, two evaluations each
    calls = 0
    assert decide(H // 32 * 32, "==", H, {"H": Bounds(max=10**15)}) is None
    assert compare(H // 101, H // 103, {"W": Bounds()}).__class__ is Sometimes
    assert calls <= 200_000


@pytest.mark.parametrize(
    ("a", "b", "bounds", "outcome"),
    [
        ((H + 1) // 2, H // 2, {"H": Bounds(min=32)}, Sometimes({"H": 33}, 17, 16, {"H": 2})),
        ((H + 31) // 32 * 32, H, {}, Sometimes({"H": 1}, 32, 1, {"H": 32})),
        ((H + 31) // 32 * 32, H, {"H": Bounds(multiple_of=12)}, Sometimes({"H": 12}, 32, 12, {"H": 96})),
        ((H + 31) // 32 * 32, H, {"H": Bounds(multiple_of=32)}, Equal()),
        ((H + 31) // 32 * 32, H, {"H": Bounds(max=31)}, Different({"H": 1}, 32, 1)),
        ((H + 31) // 32 * 32, H, {"H": Bounds(min=30, max=40)}, Sometimes({"H": 30}, 32, 30, {"H": 16})),
        (H // 2 + (H + 1) // 2, H, {}, Equal()),
        (H // 2 * W * 2, H * W, {}, Sometimes({"H": 1, "W": 1}, 0, 1, {"H": 2})),
        (H // 2 * (W // 3) * 6, H * W, {}, Sometimes({"H": 1, "W": 1}, 0, 1, {"H": 2, "W": 3})),
        (H + W // 2 * 2, H + W, {}, Sometimes({"H": 1, "W": 1}, 1, 2, {"W": 2})),
        (H, W, {}, Sometimes({"H": 1, "W": 2}, 1, 2, None)),
        (2 * H, 2 * W + 1, {}, Different({"H": 1, "W": 1}, 2, 3)),
        (2 * H, 7, {}, Different({"H": 1}, 2, 7)),
        # By the remainder of H by 3 these are 0, 2 and 5; none is 1.
        (
            5 * ((H + 1) // 3) + 2 * ((H + 2) // 3) - 2 * ((H + 1) // 3) - 5 * (H // 3),
            1,
            {},
            Different({"H": 1}, 2, 1),
        ),
        (H - 100 * (H // 10), -88, {}, Sometimes({"H": 1}, 1, -88, None)),
        (H - 100 * (H // 10), -41, {}, Different({"H": 1}, 1, -41)),
        (H, 7, {}, Sometimes({"H": 1}, 1, 7, None)),
        (H + 3, H, {}, Different({"H": 1}, 4, 1)),
        (H * W + 1, H * W, {"H": Bounds(inferred_min=5)}, Different({"H": 5, "W": 1}, 6, 5)),
        # Equal at first: at the roots of a polynomial, and until a long period shows.
        (H * H + 2, 3 * H, {}, Sometimes({"H": 3}, 11, 9, None)),
        (H * W * (W - 1) * (W - 2), 0, {}, Sometimes({"H": 1, "W": 3}, 6, 0, None)),
        ((2 * (H // 50)) // 3, 0, {}, Sometimes({"H": 100}, 1, 0, None)),
        (3, 3, {}, Equal()),
        (3, 4, {}, Different({}, 3, 4)),
        (UNKNOWN, 4, {}, Undecided()),
        (H, UNKNOWN, {}, Undecided()),
    ],
)
def test_examples(a: Size, b: Size, bounds: dict[str, Bounds], outcome: Comparison) -> None:
    assert compare(a, b, bounds) == outcome


def test_a_period_too_long_to_look_at_is_undecided() -> None:
    a = (H // 101) // 1 + (3 * (H // 103)) // 107
    b = sum(((a + k) // 2 for k in (0, 1)), start=0)  # equal to a, in another form
    assert a != b
    assert compare(a, b, {}) == Undecided()
    assert decide(a, "==", b, {}) is None
    assert compare(a, b, {"H": Bounds(max=5_000)}) == Equal()


def test_ranges_are_sound_where_the_period_is_too_long() -> None:
    size = H - H // 20_011  # always positive, but 20,011 values would have to be looked at
    assert decide(size, ">", 0, {}) is None
    assert decide(size, ">", 0, {"H": Bounds(max=20_010)}) is True
    assert decide(size, "<", 30_000, {"H": Bounds(max=29_999)}) is True
    assert decide(H * H - H * W, "<", 0, {"H": Bounds(min=3, max=4), "W": Bounds(min=6)}) is True
    assert decide(H * H - H * W, "<", 0, {"H": Bounds(min=3, max=4), "W": Bounds(min=4)}) is None


def test_symbols_that_differ_in_what_is_known_of_them_are_the_same_numbers() -> None:
    bounds = {"H": Bounds(multiple_of=32)}
    assert compare(symbol("H", 32) // 2, H // 2, bounds) == Equal()
    assert decide(symbol("H", 32), ">=", H, bounds) is True


@pytest.mark.parametrize(
    ("bounds", "least", "greatest"),
    [
        (Bounds(), 1, None),
        (Bounds(min=5, inferred_min=9), 9, None),
        (Bounds(min=33, max=1000, multiple_of=32), 64, 992),
        (Bounds(inferred_min=33, multiple_of=32), 64, None),
    ],
)
def test_bounds(bounds: Bounds, least: int, greatest: int | None) -> None:
    assert (bounds.least, bounds.greatest) == (least, greatest)


def test_contradictory_bounds_leave_the_least_value() -> None:
    assert decide(H, "==", 64, {"H": Bounds(min=33, max=50, multiple_of=32)}) is True


@pytest.mark.parametrize(
    ("a", "relation", "b", "expected"),
    [
        (H * W, ">", 0, True),
        (H * W, ">", 1, None),
        (H, ">=", W, None),
        (H - H // 2, ">=", 1, True),
        (H + W - H // 2, "<", 2, False),
        (UNKNOWN, "<", 2, None),
        (UNKNOWN, "!=", 2, None),
        (H, "!=", H + 1, True),
        (3, "<", 4, True),
    ],
)
def test_relations(a: Size, relation: Relation, b: Size, expected: bool | None) -> None:
    assert decide(a, relation, b, {}) is expected


def test_sizes_beyond_floating_point_are_compared() -> None:
    power: Size = 1
    for _ in range(100):
        power = power * H
    assert decide(power, ">", H * W, {"H": Bounds(min=10**9)}) is None
    assert decide(power, ">", 10**60, {"H": Bounds(min=10**9)}) is True
