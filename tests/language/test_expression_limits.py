"""The bounds of expressions: length, nesting, sizes of values, steps."""

from __future__ import annotations

import inspect
import sys

import pytest

from netspec.language.expressions import evaluate, parse
from netspec.language.expressions.lexer import TEXT_LIMIT
from netspec.language.expressions.parser import NESTING_LIMIT
from netspec.language.expressions.values import INT_LIMIT, LIST_DEPTH_LIMIT, LIST_LIMIT, STRING_LIMIT
from tests.language.expression_cases import SCOPE, fault, value


def test_the_text_is_bounded():
    assert value("1" + " " * (TEXT_LIMIT - 1)) == 1
    code, message, _, part = fault("1" + " " * TEXT_LIMIT)
    assert (code, message) == ("NS130", "the expression has 1001 characters; at most 1000 are read")
    assert len(part) == TEXT_LIMIT + 1


DEEP = {
    "parentheses": ("(", "$n", ")"),
    "lists": ("[", "$n", "]"),
    "calls": ("abs(", "$n", ")"),
    "signs": ("-", "$n", ""),
    "negations": ("not ", "$yes", ""),
    "right operands": ("1+(", "$n", ")"),
    "left operands": ("(", "$n", ")+1"),
    "indices": ("$xs[", "0", "]"),
    "conditionals": ("1 if $no else ", "2", ""),
}


@pytest.mark.parametrize("way", DEEP)
def test_nesting_is_bounded(way):
    before, middle, after = DEEP[way]
    value(before * 20 + middle + after * 20, SCOPE | {"xs": [0, 0, 0]})
    times = min(NESTING_LIMIT * 2, (TEXT_LIMIT - 8) // len(before + after))
    code, message, _, part = fault(before * times + middle + after * times)
    assert (code, message) == ("NS131", "the expression is nested more than 50 deep")
    assert part


def test_fifty_parentheses_are_read_and_fifty_one_refused():
    assert value("(" * 50 + "$n" + ")" * 50) == 7
    assert fault("(" * 51 + "$n" + ")" * 51)[0] == "NS131"
    assert value("-" * 50 + "$n") == 7
    assert fault("-" * 51 + "$n")[0] == "NS131"


@pytest.mark.parametrize("piece", ["(", "[", "-", "not ", "$n+(", "max(", "$xs[", "1 if $yes else "])
def test_a_nest_that_fills_the_text_is_refused_and_nothing_worse(piece):
    assert fault(piece * (TEXT_LIMIT // len(piece)))[0] == "NS131"


def test_wide_is_not_deep():
    assert value(" + ".join(["1"] * 250)) == 250
    assert value(" and ".join(["true"] * 100)) is True
    nested: object = 5
    for _ in range(200):
        nested = [nested]
    assert value("$x" + "[0]" * 200, {"x": nested}) == 5


def test_the_deepest_expression_fits_under_a_deep_stack():
    """Blocks nest to a depth of 100, and expressions are evaluated at the bottom of them."""
    text = "[" * 46 + "max(-$n, 1 if not $yes else 2)" + "]" * 46

    def below(frames):
        return below(frames - 1) if frames else value(text)

    used = len(inspect.stack(0))
    parse.cache_clear()
    assert below(sys.getrecursionlimit() - used - 350) is not None


def test_integers_are_bounded_on_both_sides():
    assert value("9223372036854775807") == INT_LIMIT - 1
    assert value("-9223372036854775807") == 1 - INT_LIMIT
    assert fault("-9223372036854775807 - 1")[0] == "NS152"
    assert fault("9000000000000000000 * 9000000000000000000 * 0")[0] == "NS152"


def test_lists_are_bounded():
    assert len(value(f"range({LIST_LIMIT})")) == LIST_LIMIT
    for text in (
        f"range({LIST_LIMIT + 1})",
        "range(-9223372036854775807, 9223372036854775807)",
        "range(9223372036854775807, -9223372036854775807, -1)",
        f"range({LIST_LIMIT}) + [1]",
        f"[range({LIST_LIMIT - 1}), 1]",
    ):
        assert fault(text)[:2] == ("NS153", "a list with more than 10000 items")


def test_a_list_counts_what_its_lists_hold():
    """A block may hand [$x, $x] down to itself; without a bound a hundred levels would hold 2**100 items."""
    doubled: object = 1
    for _ in range(12):
        doubled = evaluate(parse("[$x, $x]"), {"x": doubled})
    assert fault("[$x, $x]", {"x": doubled})[0] == "NS153"


def test_lists_do_not_nest_without_end():
    nested: object = 1
    for _ in range(LIST_DEPTH_LIMIT):
        nested = evaluate(parse("[$x]"), {"x": nested})
    assert fault("[$x]", {"x": nested})[:2] == ("NS153", "lists inside lists with more than 64 levels")


def test_strings_are_bounded():
    text = "a" * (STRING_LIMIT // 2)
    assert len(value("$s + $s", {"s": text})) == STRING_LIMIT
    assert fault("$s + $s + 'a'", {"s": text})[:2] == ("NS153", "a string with more than 10000 characters")


def test_steps_are_bounded():
    assert value("sum(range(9999)) + sum(range(9999))") == 2 * sum(range(9999))
    code, message, cure, _ = fault(" + ".join(["sum(range(9999))"] * 20))
    assert (code, message) == ("NS154", "the expression takes more than 100000 steps")
    assert "shorter lists" in cure


@pytest.mark.parametrize(
    "text",
    [
        "$huge + 1",
        "$huge * 1.5",
        "$huge / 2",
        "abs($huge)",
        "max($huge, 1)",
        "divisible($huge, 8)",
        "-$huge - 1",
    ],
)
def test_numbers_from_outside_are_held_to_the_bounds_when_computed_with(text):
    assert fault(text, {"huge": 10**5000})[:2] == ("NS152", "the number is too large")


def test_messages_spell_huge_numbers_short():
    huge = {"huge": 10**5000, **SCOPE}
    assert fault("$huge // 0", huge)[1] == "division by zero: an integer of 16610 bits // 0"
    assert fault("$xs[$huge]", huge)[1] == "there is no item an integer of 16610 bits in a list of 3 items"
    assert fault("divisible(8, 0 if $no else $huge)", huge | {"huge": -(10**5000)})[0] == "NS159"
