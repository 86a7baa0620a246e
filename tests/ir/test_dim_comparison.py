"""Comparisons of symbolic sizes and the least values that they need, against every value in turn."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netspec.ir.dim import (
    LARGEST_SIZE,
    UNKNOWN,
    Bounds,
    Comparison,
    ComplexityError,
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
HORIZON = 400  # beyond two of the longest periods drawn below

# Convolutions and pools that round down or up, and upsamplings.
STEPS = st.one_of(
    st.builds("((x + {}) // {} + 1)".format, st.integers(-4, 4), st.integers(1, 3)),
    st.builds("((x + {}) // 2)".format, st.integers(0, 3)),
    st.builds("(x * {})".format, st.integers(1, 3)),
)
# Other texts of the same value.
REWRITES = st.sampled_from(
    ["(x // 2 + (x + 1) // 2)", "((3 * x + 2) // 3)", "(x - x // 3 + x // 3)", "(2 * x // 4 * 2 + x % 2)"]
)


@st.composite
def chains(draw: st.DrawFn, shortest: int = 0) -> str:
    """The text of a chain of windows and upsamplings over H with a period of at most 200 / 3."""
    text = "H"
    for step in draw(st.lists(STEPS, min_size=shortest, max_size=4)):
        text = step.replace("x", text)
    assume(period_of(text) <= 54)
    return text


def period_of(text: str) -> int:
    """An upper bound, at least: the product of all divisors."""
    period = 1
    for piece in text.split("// ")[1:]:
        digits = piece[: len(piece) - len(piece.lstrip("0123456789"))]
        period *= int(digits)
    return period


@cache
def function_of(text: str) -> Callable[[int, int], int]:
    function: Callable[[int, int], int] = eval(f"lambda H, W: {text}")
    return function


def at(text: str, **values: int) -> int:
    return function_of(text)(values.get("H", 1), values.get("W", 1))


def sized(text: str) -> int | Dim:
    result: int | Dim = eval(text, {"H": H, "W": W})
    return result


def value_of(size: int | Dim, values: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else size.evaluate(values)


def check(
    outcome: Comparison, left: str, right: str, admissible: list[dict[str, int]], complete: bool
) -> None:
    """Hold an outcome against all (or, not `complete`, the first) admissible values."""
    agree = [at(left, **values) == at(right, **values) for values in admissible]
    match outcome:
        case Equal():
            assert all(agree)
        case Different(values, a, b) | Sometimes(values, a, b):
            assert (at(left, **values), at(right, **values)) == (a, b)
            assert a != b
            assert not complete or any(values.items() <= binding.items() for binding in admissible)
            if isinstance(outcome, Different):
                assert not any(agree)
            elif complete:
                assert any(agree)
        case Undecided():
            assert not complete
            assert all(agree)


@given(chains(), chains())
def test_chains_are_compared_completely(left: str, right: str) -> None:
    outcome = compare(sized(left), sized(right), {})
    assert not isinstance(outcome, Undecided)
    assert isinstance(outcome, Equal) == all(at(left, H=h) == at(right, H=h) for h in range(1, HORIZON))
    check(outcome, left, right, [{"H": h} for h in range(1, HORIZON)], complete=False)


@given(chains(), REWRITES, st.data())
def test_equal_chains_are_found_equal(chain: str, rewrite: str, data: st.DataObject) -> None:
    steps = data.draw(st.lists(STEPS, max_size=2))
    left, right = chain, rewrite.replace("x", chain)
    for step in steps:
        left, right = step.replace("x", left), step.replace("x", right)
    assert compare(sized(left), sized(right), {}) == Equal()


@given(chains(1), chains(1), st.integers(-2, 2))
def test_a_cure_is_the_smallest_multiple_that_makes_equal(left: str, right: str, offset: int) -> None:
    left = f"{left} + {offset}"
    outcome = compare(sized(left), sized(right), {})
    assume(isinstance(outcome, Sometimes))
    assert isinstance(outcome, Sometimes)

    def cured(multiple: int) -> bool:
        return all(at(left, H=h) == at(right, H=h) for h in range(multiple, 60 * multiple, multiple))

    cures = [multiple for multiple in range(1, 60) if cured(multiple)]
    assert outcome.multiple_of == ({"H": cures[0]} if cures else None)


BOUNDS = st.builds(
    Bounds,
    min=st.integers(1, 20),
    max=st.integers(30, 120),
    multiple_of=st.integers(1, 6),
    inferred_min=st.integers(1, 12),
)


def admitted(bounds: Bounds) -> list[int]:
    assert bounds.max is not None
    lowest = max(bounds.min, bounds.inferred_min)
    return [h for h in range(lowest, bounds.max + 1) if h % bounds.multiple_of == 0]


@given(chains(), chains() | st.integers(0, 40).map(str), BOUNDS, st.booleans())
def test_within_bounds_every_value_counts_and_no_other(
    left: str, right: str, bounds: Bounds, told: bool
) -> None:
    height = symbol("H", bounds.multiple_of) if told else H
    known = {"H": height}
    outcome = compare(eval(left, known), eval(right, known), {"H": bounds})
    check(outcome, left, right, [{"H": h} for h in admitted(bounds)], complete=True)


SURFACES = st.recursive(
    st.sampled_from(["H", "W", "3", "(H // 2)", "(W // 3)"]),
    lambda texts: (
        st.builds("({} {} {})".format, texts, st.sampled_from("+-*"), texts)
        | st.builds("({} // {})".format, texts, st.integers(2, 3))
    ),
    max_leaves=4,
)
TIGHT = st.builds(Bounds, min=st.integers(1, 3), max=st.integers(6, 9), multiple_of=st.integers(1, 2))


@given(SURFACES, SURFACES, TIGHT, TIGHT)
def test_two_symbols_within_bounds(left: str, right: str, height: Bounds, width: Bounds) -> None:
    admissible = [{"H": h, "W": w} for h, w in product(admitted(height), admitted(width))]
    outcome = compare(sized(left), sized(right), {"H": height, "W": width})
    assert not isinstance(outcome, Undecided)
    match outcome:
        case Sometimes(multiple_of=dict(cure)):
            cured = [v for v in admissible if all(v[name] % m == 0 for name, m in cure.items())]
            assert cured
            assert all(at(left, **values) == at(right, **values) for values in cured)
    agree = [at(left, **values) == at(right, **values) for values in admissible]
    assert isinstance(outcome, Equal) == all(agree)
    if isinstance(outcome, Different):
        assert not any(agree)


@given(SURFACES, SURFACES)
def test_two_symbols_without_bounds_are_never_wrongly_equal(left: str, right: str) -> None:
    try:
        outcome = compare(sized(left), sized(right), {})
    except ComplexityError:
        assume(False)
    admissible = [{"H": h, "W": w} for h, w in product(range(1, 14), repeat=2)]
    check(outcome, left, right, admissible, complete=False)


RELATIONS: dict[Relation, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@given(chains(), chains() | st.integers(-2, 60).map(str), st.sampled_from(list(RELATIONS)), BOUNDS)
def test_relations_within_bounds_are_decided_exactly(
    left: str, right: str, relation: Relation, bounds: Bounds
) -> None:
    truths = {RELATIONS[relation](at(left, H=h), at(right, H=h)) for h in admitted(bounds)}
    expected = truths.pop() if len(truths) == 1 else None
    assert decide(sized(left), relation, sized(right), {"H": bounds}) is expected


@given(chains(), chains() | st.integers(-2, 60).map(str), st.sampled_from(list(RELATIONS)))
def test_relations_without_bounds_are_decided_exactly(left: str, right: str, relation: Relation) -> None:
    # A slope is at least 1 : 54, so a chain meets any of these numbers before 54 * 62; two chains cross
    # before 10**6, the difference of their slopes being at least 1 : 54**2 and their constants at most 300.
    far = [*range(1, 54 * 62), *range(10**6, 10**6 + 60)]
    truths = {RELATIONS[relation](at(left, H=h), at(right, H=h)) for h in far}
    expected = truths.pop() if len(truths) == 1 else None
    assert decide(sized(left), relation, sized(right), {}) is expected


@given(SURFACES, SURFACES, st.sampled_from(list(RELATIONS)), TIGHT, TIGHT)
def test_relations_of_two_symbols_are_never_decided_wrongly(
    left: str, right: str, relation: Relation, height: Bounds, width: Bounds
) -> None:
    decided = decide(sized(left), relation, sized(right), {"H": height, "W": width})
    if decided is not None:
        for h, w in product(admitted(height), admitted(width)):
            assert RELATIONS[relation](at(left, H=h, W=w), at(right, H=h, W=w)) is decided


@st.composite
def differences(draw: st.DrawFn) -> str:
    text = draw(st.builds("({} - {} // 2)".format, chains(), chains()))
    assume(period_of(text) <= 12)
    return text


@given(
    chains() | differences(),
    st.integers(-5, 40),
    BOUNDS | st.builds(Bounds, min=st.integers(1, 9), multiple_of=st.integers(1, 4)),
)
def test_the_least_value_is_the_first_from_which_on_it_holds(
    text: str, at_least: int, bounds: Bounds
) -> None:
    size = sized(text)
    assume(isinstance(size, Dim))
    assert isinstance(size, Dim)
    values = range(bounds.least, (bounds.greatest or 10_000) + 1, bounds.multiple_of)
    last_short = next((h for h in reversed(values) if at(text, H=h) < at_least), None)
    expected: Mapping[str, int] | None
    if last_short is None:
        expected = {}
    elif last_short == values[-1]:
        expected = None
    else:
        expected = {"H": last_short + bounds.multiple_of}
    assert least_value(size, at_least, {"H": bounds}) == expected


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
