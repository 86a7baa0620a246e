"""The canonical form of symbolic sizes, against Python's own integers."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netspec.ir.dim import UNKNOWN, ComplexityError, Dim, Size, UndecidableError, Unknown, symbol
from netspec.ir.dim.arithmetic import COMPLEXITY_LIMIT
from netspec.ir.window import Axis

H, W, BATCH = symbol("H"), symbol("W"), symbol("batch")
MULTIPLES = {"H": 1, "W": 6, "V": 4}

SMALL = st.integers(-9, 9)
DIVISORS = st.sampled_from([-3, -1, 1, 2, 3, 4, 5, 8, 12])
LEAVES = st.sampled_from(list(MULTIPLES)) | SMALL.map("({})".format)


def _grown(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.builds("({} {} {})".format, texts, st.sampled_from("+-*"), texts)
        | st.builds("({} {} ({}))".format, texts, st.sampled_from(["//", "%", "//"]), DIVISORS)
        | st.builds("(-{})".format, texts)
    )


EXPRESSIONS = st.recursive(LEAVES, _grown, max_leaves=12)
VALUES = st.fixed_dictionaries({name: st.integers(0, 500).map(m.__mul__) for name, m in MULTIPLES.items()})


def size_of(text: str) -> int | Dim:
    """The text as Python reads it, over symbols; not drawn where it grows too large."""
    try:
        result: int | Dim = eval(text, {name: symbol(name, m) for name, m in MULTIPLES.items()})
    except ComplexityError:
        assume(False)
    return result


def symbolic(size: Size) -> Dim:
    assert isinstance(size, Dim)
    return size


def value_of(size: Size, values: dict[str, int]) -> int:
    assert not isinstance(size, Unknown)
    return size if isinstance(size, int) else size.evaluate(values)


@given(EXPRESSIONS, st.lists(VALUES, min_size=1, max_size=8))
def test_arithmetic_is_that_of_integers(text: str, bindings: list[dict[str, int]]) -> None:
    size = size_of(text)
    for values in bindings:
        assert value_of(size, values) == eval(text, dict(values))


@given(EXPRESSIONS, VALUES)
def test_the_text_of_a_size_is_an_expression_of_its_value(text: str, values: dict[str, int]) -> None:
    size = size_of(text)
    assert eval(str(size), dict(values)) == value_of(size, values)


@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_the_laws_of_a_ring_hold_structurally(first: str, second: str, third: str) -> None:
    a, b, c = size_of(first), size_of(second), size_of(third)
    try:
        pairs = [
            (a + b, b + a),
            (a * b, b * a),
            ((a + b) + c, a + (b + c)),
            ((a * b) * c, a * (b * c)),
            (a * (b + c), a * b + a * c),
            (a - b, -(b - a)),
            (a - a, 0),
        ]
    except ComplexityError:
        assume(False)
    for left, right in pairs:
        assert left == right
        assert hash(left) == hash(right)
        assert str(left) == str(right)


@given(EXPRESSIONS, EXPRESSIONS, st.integers(1, 12), st.integers(1, 6))
def test_the_laws_of_the_floor_hold_structurally(first: str, second: str, n: int, k: int) -> None:
    a, b = size_of(first), size_of(second)
    try:
        pairs = [
            ((a + n * b) // n, a // n + b),
            ((k * a) // (k * n), a // n),
            ((k * a + k - 1) // (k * n), a // n),
            (a // n * n + a % n, a),
            (a // -n, -a // n),
            ((n * a) // n, a),
            ((a // 2 + b // 3) // n, (b // 3 + a // 2) // n),
        ]
    except ComplexityError:
        assume(False)
    for left, right in pairs:
        assert left == right


@given(EXPRESSIONS)
def test_a_dim_is_never_a_constant(text: str) -> None:
    size = size_of(text)
    if isinstance(size, Dim):
        assert size.symbols
        assert not isinstance(size - size, Dim)
        assert size != 0


@given(EXPRESSIONS, EXPRESSIONS)
def test_a_product_divides_by_its_factors(first: str, second: str) -> None:
    a, b = size_of(first), size_of(second)
    assume(b != 0)
    try:
        product = a * b
    except ComplexityError:
        assume(False)
    assert product // b == a
    assert product % b == 0


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 7)), min_size=1, max_size=12))
def test_nested_floors_merge_into_one(steps: list[tuple[int, int]]) -> None:
    nested: Size = H
    offset, divisor = 0, 1
    for constant, stride in steps:
        nested = (nested + constant) // stride
        offset += constant * divisor
        divisor *= stride
    assert nested == (H + offset) // divisor
    assert str(nested) == str((H + offset) // divisor)


AXES = st.builds(
    Axis,
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    padding_after=st.integers(0, 3),
    dilation=st.integers(1, 3),
    ceil_mode=st.just(False),
)


@given(st.lists(AXES, min_size=2, max_size=6))
def test_two_windows_are_as_long_as_the_one_they_make_together(axes: list[Axis]) -> None:
    length: Size = H
    window = axes[0]
    for axis in axes:
        length = axis.length(length)
    for axis in axes[1:]:
        window = axis.over(window)
    assert length == window.length(H)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (((H + 1) // 2 + 1) // 2, "(H + 3) // 4"),
        ((H - 1) // 2 + 1, "(H + 1) // 2"),
        ((H - 7) // 2 + 1, "(H - 5) // 2"),
        (2 * H - 1, "2*H - 1"),
        (5 - H, "5 - H"),
        (-H, "-H"),
        (-(H // 2), "-(H // 2)"),
        (-(H // 2) - H - 3, "-(H // 2) - H - 3"),
        (BATCH * 196, "196*batch"),
        (BATCH * ((H + 3) // 4) * (W // 4), "batch*((H + 3) // 4)*(W // 4)"),
        (W * H * BATCH, "batch*H*W"),
        (H * H - 1, "H**2 - 1"),
        (3 * (H // 4), "3*(H // 4)"),
        (H // 4 + W, "H // 4 + W"),
        ((2 * (H // 2)) // 3, "(2*(H // 2)) // 3"),
        ((H // 2 + H) // 3, "H // 2"),
        (H % 4, "H - 4*(H // 4)"),
        (symbol("H", 32) // 2, "H // 2"),
        (symbol("H", 32) // 32 * 32, "H"),
        (symbol("H", 2) * symbol("H", 2), "H**2"),
        (symbol("H", 2) * (symbol("H", 2) // 2), "H*(H // 2)"),
        (UNKNOWN, "?"),
    ],
)
def test_texts(size: Size, text: str) -> None:
    assert str(size) == text


def test_multiples_divide_exactly() -> None:
    height = symbol("H", 32)
    assert height // 32 * 32 == height
    assert height % 16 == 0
    assert (height - 1) // 2 + 1 == height // 2
    assert height % 64 != 0


def test_a_value_that_is_not_the_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="H = 33 is not a multiple of 32"):
        symbolic(symbol("H", 32) // 2).evaluate({"H": 33})


def test_a_symbol_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="W"):
        symbolic(H + W).evaluate({"H": 1})


def test_symbols() -> None:
    size = symbolic(BATCH * ((H + symbol("W", 4)) // 3))
    assert size.symbols == {"batch", "H", "W"}
    assert size.multiples == {"batch": 1, "H": 1, "W": 4}


def test_quotients_of_polynomials() -> None:
    assert BATCH * H * W // (H * W) == BATCH
    assert (H * H - 1) // (H - 1) == H + 1
    assert (BATCH * 196) // (BATCH * 49) == 4
    assert 0 // H == 0
    assert 0 % H == 0


@pytest.mark.parametrize("dividend", [H, 7, H * W + 1, (H + 1) * BATCH, 3 * W])
def test_an_uneven_quotient_by_a_dim_is_undecidable(dividend: int | Dim) -> None:
    with pytest.raises(UndecidableError, match=r"whether 2\*W divides"):
        dividend // (2 * W)
    with pytest.raises(UndecidableError):
        dividend % (2 * W)


@pytest.mark.parametrize("size", [H, H // 2 + W])
def test_division_by_zero(size: Dim) -> None:
    with pytest.raises(ZeroDivisionError):
        size // 0
    with pytest.raises(ZeroDivisionError):
        size % 0


@pytest.mark.parametrize("other", [1.5, "2", None])
def test_other_operands_are_type_errors(other: object) -> None:
    for operation in ("+", "-", "*", "//", "%"):
        for text in (f"H {operation} x", f"x {operation} H"):
            if isinstance(other, str) and text == "x % H":
                continue  # formatting a string is not arithmetic
            with pytest.raises(TypeError):
                eval(text, {"H": H, "x": other})
    assert other != H


@pytest.mark.parametrize("other", [0, 3, H, H // 2 * W, UNKNOWN])
def test_unknown_absorbs(other: Size) -> None:
    for operation in ("+", "-", "*", "//", "%"):
        assert eval(f"x {operation} y", {"x": UNKNOWN, "y": other}) is UNKNOWN
        assert eval(f"y {operation} x", {"x": UNKNOWN, "y": other}) is UNKNOWN
    assert -UNKNOWN is UNKNOWN
    assert other == UNKNOWN or other is not UNKNOWN


def test_there_is_one_unknown() -> None:
    assert Unknown() is UNKNOWN
    assert copy.deepcopy(UNKNOWN) is UNKNOWN
    assert pickle.loads(pickle.dumps(UNKNOWN)) is UNKNOWN
    assert UNKNOWN != H


def test_dims_survive_copies() -> None:
    size = BATCH * ((symbol("H", 4) // 8 + W) // 3) - 5
    assert copy.deepcopy(size) == size
    assert {size: 1}[pickle.loads(pickle.dumps(size))] == 1


def test_dims_survive_pickling_into_a_process_that_hashes_differently() -> None:
    size = BATCH * ((H + 3) // 4)
    hash(size)
    program = (
        "import pickle, sys\n"
        "from netspec.ir.dim import symbol\n"
        "size = pickle.loads(sys.stdin.buffer.read())\n"
        "assert {size: 1}[symbol('batch') * ((symbol('H') + 3) // 4)] == 1\n"
    )
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        subprocess.run(
            [sys.executable, "-c", program], input=pickle.dumps(size), check=True, env=environment, timeout=60
        )


def test_ten_thousand_windows_of_stride_one_stay_one_term() -> None:
    size: Size = (H + 3) // 4
    for _ in range(10_000):
        size = (size + 2 - 3) // 1 + 1
    assert size == (H + 3) // 4


def test_halving_and_doubling_ten_thousand_times_stays_small() -> None:
    size: Size = H
    for _ in range(5_000):
        size = (size + 1) // 2
        size = size * 2
    assert size == (H + 1) // 2 * 2


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_operations_stay_small_or_are_refused(seed: int) -> None:
    draw = random.Random(seed)
    size: Size = H
    others = [H, W, BATCH, H // 3]
    refused = 0
    for _ in range(10_000):
        try:
            match draw.randrange(6):
                case 0:
                    size = size + draw.choice(others)
                case 1:
                    size = size * draw.choice([2, 3, W, H // 2 + 1])
                case 2:
                    size = size - draw.choice(others) * draw.randrange(5)
                case 3 | 4:
                    size = size // draw.randrange(2, 9)
                case _:
                    size = size % draw.randrange(2, 9) + H
        except ComplexityError:
            refused += 1
            size = H
        if isinstance(size, int):
            size = H + size
        assert isinstance(size, Dim)
        assert size.complexity <= COMPLEXITY_LIMIT
    assert refused


def test_growth_without_end_is_refused() -> None:
    def grow(step: str) -> None:
        size: Size = H
        for _ in range(2_000):
            size = eval(step, {"size": size, "W": W})

    for step in (
        "size // 2",
        "size * 3",
        "size * size",
        "(size * W + 1) // 3 * 2",
        "(2 * size + W) // 3",
        "size + 7 * size",
    ):
        with pytest.raises(ComplexityError, match="too large to reason about"):
            grow(step)


def test_a_product_of_many_terms_is_refused() -> None:
    total = symbolic(sum((symbol(f"d{index}") for index in range(20)), start=H))
    with pytest.raises(ComplexityError):
        total * total


def test_the_text_of_the_largest_numbers() -> None:
    size = (H + 1) // 2**200 + 2**255
    assert eval(str(size), {"H": 2**200}) == 2**255 + 1
