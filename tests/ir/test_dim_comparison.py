"""Comparisons of symbolic sizes and the least values that they need, against every value in turn."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from netspec.ir.dim import (
    Bounds,
    Comparison,
    ComplexityError,
    Different,
    Dim,
    Equal,
    Relation,
    Sometimes,
    Undecided,
    compare,
    decide,
    least_value,
    symbol,
)

H, W = symbol("H"), symbol("W")
# The increments of a chain repeat with its period, 54 at most, and two such sequences that agree as far as
# both periods together agree for ever.
HORIZON = 400

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
    """The text of a chain of windows and upsamplings over H with a period of at most 54."""
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
