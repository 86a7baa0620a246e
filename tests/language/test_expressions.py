"""The `$`-expressions: what they mean, by example."""

from __future__ import annotations

import pytest

from netspec.ir.dim import UNKNOWN, Bounds
from netspec.language.expressions import (
    ExpressionFault,
    evaluate,
    evaluate_condition,
    is_expression,
    kind,
    names,
    parse,
    unescape,
)
from netspec.language.expressions.nodes import children
from tests.language.expression_cases import ACT, SCOPE, H, N, fault, value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("16", False),
        ("$n", True),
        ("2 * $n", True),
        ("costs $$5", False),
        ("$$$$", False),
        ("$$$n", True),
        ("$$ and $n", True),
        ("$", True),
    ],
)
def test_a_scalar_is_an_expression_when_a_dollar_in_it_is_not_doubled(text, expected):
    assert is_expression(text) is expected


def test_unescape_halves_the_dollars():
    assert unescape("a $$ and $$$$") == "a $ and $$"
    assert unescape("plain") == "plain"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # literals
        ("12", 12),
        ("007", 7),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e-4", 1e-4),
        ("2E3", 2000.0),
        ("'a b'", "a b"),
        ('"it\'s"', "it's"),
        ("'$$5'", "$5"),
        ("''", ""),
        ("true", True),
        ("false", False),
        ("[1, 'a', [true]]", [1, "a", [True]]),
        ("[1, 2,]", [1, 2]),
        ("[]", []),
        # names, items, attributes
        ("$n", 7),
        ("  $n\n", 7),
        ("$xs", [3, 1, 2]),
        ("$xs[0]", 3),
        ("$xs[-1]", 2),
        ("$xs[$n - 5]", 2),
        ("$nested[1][0]", 3),
        ("$pair[1]", 6),
        ("[4, 5][1]", 5),
        ("$prev.channels", 64),
        ("$prev.height", H),
        ("$prev.width", 224),
        ("$prev.features", 224),
        ("$prev.shape", [N, 64, H, 224]),
        ("$prev.shape[1]", 64),
        ("$in.width", 32),
        ("$in.channels", 3),
        ("$flat.channels", 10),
        ("$flat.features", 10),
        ("$vector.features", 5),
        # arithmetic
        ("2 * $width", 128),
        ("$n - 1", 6),
        ("1 - 2 - 3", -4),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("100 // 7 % 4", 2),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("--$n", 7),
        ("2 - -2", 4),
        ("6 / 3", 2.0),
        ("7 / 2", 3.5),
        ("7.5 // 2", 3.0),
        ("$half * 4", 2.0),
        ("'a' + 'b'", "ab"),
        ("$xs + [9]", [3, 1, 2, 9]),
        ("$pair + $xs", [5, 6, 3, 1, 2]),
        # comparisons
        ("1 < 2", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("1 == 1.0", True),
        ("1 != 2", True),
        ("$mode == 'same'", True),
        ("$mode != 'same'", False),
        ("$yes == true", True),
        ("$xs == [3, 1, 2]", True),
        ("$xs != [3, 1]", True),
        ("$pair == [5, 6]", True),
        ("[1, [2]] == [1, [2.0]]", True),
        ("[1, 2] == [1, 3]", False),
        # logic
        ("true and true and false", False),
        ("false or false or true", True),
        ("not 1 == 2", True),
        ("not not true", True),
        ("true or true and false", True),
        ("not true or true", True),
        ("not false and false", False),
        ("1 if $yes else 2", 1),
        ("1 if $no else 2", 2),
        ("1 if false else 2 if false else 3", 3),
        ("[1 if true else 2, 3]", [1, 3]),
        ("1 + 2 if true else 3", 3),
        # functions
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("min($xs)", 1),
        ("max(1, 2.5)", 2.5),
        ("max(1, 1.0)", 1),
        ("abs(-3)", 3),
        ("abs(2.5)", 2.5),
        ("round(2.5)", 2),
        ("round(3.5)", 4),
        ("round(-0.4)", 0),
        ("floor(-1.5)", -2),
        ("ceil(1.2)", 2),
        ("ceil(5)", 5),
        ("len($xs)", 3),
        ("len($empty)", 0),
        ("sum($xs)", 6),
        ("sum([])", 0),
        ("sum([1, 0.5])", 1.5),
        ("range(3)", [0, 1, 2]),
        ("range(1, 3)", [1, 2]),
        ("range(5, 0, -2)", [5, 3, 1]),
        ("range(3, 1)", []),
        ("max(1, 2,)", 2),
    ],
)
def test_values(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_an_operation_is_handed_on_as_it_is():
    assert value("$act") is ACT
    assert value("$act if $n > 3 else $half") is ACT
    assert value("[$act]")[0] is ACT


def test_lists_are_new():
    assert value("$xs + []") is not SCOPE["xs"]
    shape = value("$prev.shape")
    shape.append(0)
    assert value("$prev.shape") == [N, 64, H, 224]


@pytest.mark.parametrize(
    ("v", "by", "expected"),
    [
        # worked by hand: nearest multiple, ties upward, not below by, not below 90 %
        (32, 8, 32),
        (33, 8, 32),  # 32 is nearest, and above 29.7
        (16 * 0.75, 8, 16),  # 12 is half way
        (12, 8, 16),
        (24 * 0.35, 8, 8),
        (3, 8, 8),
        (0, 8, 8),
        (11, 8, 16),  # 8 is below 9.9
        (10, 9, 9),  # 9 is exactly 90 %
        (9.9, 8, 16),
        (8.8, 8, 8),
        (1280 * 1.4, 8, 1792),
    ],
)
def test_divisible_rounds_as_mobilenet(v, by, expected):
    assert evaluate(parse("divisible($v, $by)"), {"v": v, "by": by}) == expected


def test_names_are_those_behind_dollars():
    assert names(parse("max($a, $b[$c]) if $d.channels > 1 else -$a")) == {"a", "b", "c", "d"}
    assert names(parse("1 + len([])")) == frozenset()


def test_a_lone_name_is_told_apart():
    assert parse("$act").lone_name == "act"
    assert parse("($act)").lone_name == "act"
    assert parse("-$act").lone_name is None


def test_a_text_is_parsed_once():
    assert parse("$n + 41") is parse("$n + 41")


def test_nodes_span_what_they_were_read_from():
    text = " ($a + 2) * max($b[0], -$c) "
    root = parse(text).root
    assert text[root.start : root.end] == text.strip()
    first, call = children(root)
    assert text[first.start : first.end] == "($a + 2)"
    assert [text[c.start : c.end] for c in children(call)] == ["$b[0]", "-$c"]


# -- short circuits and unknowns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("false and $nowhere", False),
        ("true or 1 / 0 == 1", True),
        ("1 if true else $nowhere", 1),
        ("$nowhere if false else 2", 2),
        ("2 < 1 < $nowhere", False),
    ],
)
def test_only_what_is_needed_is_evaluated(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "$lost",
        "$lost + 1",
        "[1] + $lost",
        "'a' * $lost",
        "-$lost",
        "not $lost",
        "$lost[0]",
        "$xs[$lost]",
        "$lost.channels",
        "$lost.shape[5].width",
        "$lost == 'a'",
        "1 < $lost < 0",
        "$lost and $nowhere",
        "$lost or true",
        "1 if $lost else 2",
        "max(1, $lost)",
        "divisible($lost, 8)",
        "sum($partly)",
        "max($partly)",
        "$partly == [1, 2]",
        "$partly != [1, 2]",
        "$broken.channels",
        "$broken.shape[0]",
        "$blurred.channels * 2",
    ],
)
def test_unknown_makes_unknown_and_nothing_louder(text):
    assert value(text) is UNKNOWN


def test_unknown_items_leave_the_rest_of_a_list_known():
    assert value("len($partly)") == 2
    assert value("$partly[0]") == 1
    assert value("$partly == [2, 2]") is False
    assert value("$partly + [3]") == [1, UNKNOWN, 3]
    assert value("false and $lost") is False
    assert value("$blurred.height") == 8


# -- symbolic dimensions


def test_arithmetic_of_symbolic_dimensions_is_symbolic():
    assert value("$prev.height // 2 + 1") == (H + 2) // 2
    assert value("2 * $prev.height - $prev.height") == H
    assert value("$prev.height * $prev.shape[0]") == H * N
    assert value("$prev.height * 4 // $prev.height") == 4
    assert value("$prev.height % 1") == 0
    assert value("-$prev.height") == -H
    assert value("sum([1, $prev.height])") == H + 1
    assert value("round($prev.height)") == H
    assert value("abs($prev.height)") == H


def test_comparisons_of_symbolic_dimensions_are_decided_by_their_bounds():
    bounds = {"H": Bounds(min=32, max=64, multiple_of=16)}
    assert value("$prev.height > 0") is True
    assert value("$prev.height == $prev.height") is True
    assert value("$prev.height >= 32", bounds=bounds) is True
    assert value("$prev.height > 64", bounds=bounds) is False
    assert value("16 < $prev.height <= 64", bounds=bounds) is True
    assert value("max($prev.height, 32)", bounds=bounds) == H
    assert value("min($prev.height, 8)", bounds=bounds) == 8
    assert value("divisible($prev.height * 16, 16)", bounds=bounds) == H * 16
    assert value("[$prev.height] == [$prev.height]", bounds=bounds) is True


def test_a_condition_that_a_symbol_decides_names_the_symbol():
    cure = "layers are the same for all sizes: constrain {} under `dims`, or make it a fixed size"
    assert fault("1 if $prev.height > 8 else 2") == (
        "NS155",
        "whether H > 8 depends on the value of H",
        cure.format("H"),
        "$prev.height > 8",
    )
    assert fault("$prev.height == $prev.shape[0]")[1:3] == (
        "whether H == batch depends on the value of H and batch",
        cure.format("H and batch"),
    )
    assert fault("max($prev.height, 9) + 1")[3] == "max($prev.height, 9)"


def test_arithmetic_that_symbols_do_not_bear():
    assert fault("10 // $prev.height") == (
        "NS133",
        "whether H divides 10 depends on their values",
        "divide by a number, or give the input a fixed size",
        "10 // $prev.height",
    )
    assert fault("$prev.height / 2")[1:3] == (
        "`/` cannot divide a symbolic dimension by an int",
        "`//` divides symbolic dimensions, and rounds down",
    )
    assert fault("$prev.height * 1.5")[:3] == (
        "NS148",
        "`*` cannot multiply a symbolic dimension by a float",
        "symbolic dimensions are whole numbers: write `* 3 // 2` for `* 1.5`",
    )
    assert fault("$prev.height % 0")[1] == "division by zero: H % 0"
    code, message, _, _ = fault(" * ".join(["$prev.height", *["9000000000000000000"] * 5]))
    assert (code, message) == ("NS156", "the arithmetic of H becomes too large to reason about")


# -- conditions


def test_a_condition_is_true_false_or_unknown():
    assert evaluate_condition(parse("$n > 3"), SCOPE) is True
    assert evaluate_condition(parse("$no"), SCOPE) is False
    assert evaluate_condition(parse("$lost"), SCOPE) is UNKNOWN
    with pytest.raises(ExpressionFault) as caught:
        evaluate_condition(parse("$n"), SCOPE)
    assert caught.value.diagnostic.text == "the condition must be true or false, not an int"
    assert caught.value.diagnostic.fill(caught.value.diagnostic.label) == "this is 7"


def test_kinds_have_names():
    kinds = [kind(v) for v in (True, 1, 1.0, "a", [], (), H, UNKNOWN, SCOPE["prev"], None, ACT)]
    assert kinds == [
        "a bool",
        "an int",
        "a float",
        "a string",
        "a list",
        "a list",
        "a symbolic dimension",
        "an unknown value",
        "a tensor",
        "null",
        "an operation",
    ]
