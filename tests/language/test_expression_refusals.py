"""What expressions refuse, each with its exact message, cure, and the characters pointed at."""

from __future__ import annotations

import pytest

from tests.language.expression_cases import fault

FUNCTIONS = "min, max, abs, round, floor, ceil, len, sum, range, divisible"
ATTRIBUTES = ".channels, .height, .width, .features, .shape"
READ = "read an attribute of it: .channels, .height, .width, .features or .shape"
COMPARE = "compare it with something: `!= 0`, `== 'text'`"
MULTIPLY = "multiply instead: `$n * $n`"
DOLLAR = "`$name` reads a value, in text that then is an expression; a literal dollar is written `$$`"
DECIMAL = "numbers in expressions are decimal: 12, 0.5 or 1e-4; a space ends a number"
LARGE = "integers stay below 2 to the power of 63 (about 9.2e18), floats below 1.8e308"

REFUSED = {
    # dollars and strings
    "${n} + 1": ("NS132", "a name must follow `$`", "names are written without braces: `$n`", "${n}"),
    "${{ n }}": ("NS132", "a name must follow `$`", "names are written without braces: `$n`", "${{ n }}"),
    "costs $5": ("NS132", "a name must follow `$`", DOLLAR, "$"),
    "1 + $": ("NS132", "a name must follow `$`", DOLLAR, "$"),
    "'$n'": (
        "NS134",
        "a `$` between quotes reads no name",
        "take the name out of the quotes, or write `$$` for a literal dollar",
        "$",
    ),
    "$$n + $n": (
        "NS135",
        "`$$` is a literal dollar, which stands only in text",
        "write one `$` before a name; in an expression, text stands in quotes: 'a $$'",
        "$$",
    ),
    "$mode == 'same": ("NS136", "the string is not closed: a second ' is missing", "", "'same"),
    # numbers
    "12px + $n": ("NS137", "`12px` is not a number", DECIMAL, "12px"),
    "0x10": ("NS137", "`0x10` is not a number", DECIMAL, "0x10"),
    "1_000": ("NS137", "`1_000` is not a number", DECIMAL, "1_000"),
    "1.2.3": ("NS137", "`1.2.3` is not a number", DECIMAL, "1.2.3"),
    "1 + 9223372036854775808": ("NS152", "the number is too large", LARGE, "9223372036854775808"),
    "1e999": ("NS152", "the number is too large", LARGE, "1e999"),
    "9223372036854775807 + 1": ("NS152", "the number is too large", LARGE, "9223372036854775807 + 1"),
    "1e308 * 10": ("NS152", "the number is too large", LARGE, "1e308 * 10"),
    "1e308 // 1e-308": ("NS152", "the number is too large", LARGE, "1e308 // 1e-308"),
    "ceil(1e300)": ("NS152", "the number is too large", LARGE, "ceil(1e300)"),
    "divisible(1e300, 8)": ("NS152", "the number is too large", LARGE, "divisible(1e300, 8)"),
    # what other languages have
    "2 ** $n": ("NS138", "expressions have no powers (`**`)", MULTIPLY, "**"),
    "$n ^ 2": ("NS138", "expressions have no bit operations or powers (`^`)", MULTIPLY, "^"),
    "$n = 1": (
        "NS138",
        "expressions have no assignments or named arguments (`=`)",
        "compare with `==`; give arguments by their position",
        "=",
    ),
    "max(a=1)": (
        "NS138",
        "expressions have no assignments or named arguments (`=`)",
        "compare with `==`; give arguments by their position",
        "=",
    ),
    "(m := $n)": ("NS138", "expressions have no assignments (`:=`)", "compare with `==`", ":="),
    "$yes && $no": ("NS138", "expressions have no such operator (`&&`)", "write `and`", "&&"),
    "!$yes": ("NS138", "expressions have no such operator (`!`)", "write `not`", "!"),
    "$n ? 1 : 2": (
        "NS138",
        "expressions have no such operator (`?`)",
        "write `a if condition else b`",
        "?",
    ),
    "$n ≤ 3": ("NS138", "expressions have no such operator (`≤`)", "write `<=`", "≤"),
    "$xs[0:1]": (
        "NS138",
        "expressions have no slices (`:`)",
        "`$xs[0]` is one item; a choice is written `a if condition else b`",
        ":",
    ),
    "lambda: $n": (
        "NS138",
        "expressions have no functions of your own (`lambda`)",
        "a block with parameters is what is written once and used often",
        "lambda",
    ),
    "[1 for i in $xs]": (
        "NS138",
        "expressions have no loops or comprehensions (`for`)",
        "a step with `for` and `do` makes layers in a loop",
        "for",
    ),
    "3 in $xs": ("NS138", "expressions have no membership test (`in`)", "compare with `==` and `or`", "in"),
    "`$n`": ("NS138", "expressions have no backticks (```)", "text stands in quotes: 'text'", "`"),
    "{1: $n}": (
        "NS138",
        "expressions have no braces (`{`)",
        "a list is written `[1, 2]`, a group `(1 + 2)`",
        "{",
    ),
    "$n # 2": ("NS138", "expressions have no such character (`#`)", "", "#"),
    "$größe": (
        "NS138",
        "expressions have no such character (`ö`)",
        "names consist of A to Z, a to z, digits and `_`; other text stands in quotes",
        "ö",
    ),
    "$n\x1b[0m": ("NS138", "expressions have no such character (`\\x1b`)", "", "\x1b"),
    "$n if $n is 3 else 1": ("NS138", "expressions have no identity test (`is`)", "compare with `==`", "is"),
    # what is missing or left over
    "": ("NS139", "expected a value, found the end of the expression", "", ""),
    "$n +": ("NS139", "expected a value after `+`, found the end of the expression", "", "+"),
    "* $n": ("NS139", "expected a value, found `*`", "", "*"),
    "$n $n": ("NS139", "expected an operator or the end after `$n`, found `$n`", "", "$n"),
    "$n 'a'": ("NS139", "expected an operator or the end after `$n`, found `'a'`", "", "'a'"),
    "max(1 2)": ("NS139", "expected an operator or `)` after `1`, found `2`", "", "2"),
    "max(,)": ("NS139", "expected a value after `(`, found `,`", "", ","),
    "1 if $yes": ("NS139", "expected `else` after `$yes`, found the end of the expression", "", "$yes"),
    "$prev.": ("NS139", "expected an operator or the end after `$prev`, found `.`", "", "."),
    "$yes == not $no": (
        "NS139",
        "expected a value after `==`, found `not`",
        "put the `not` and its operand into parentheses",
        "not",
    ),
    "2 * (1 + $n": ("NS140", "`(` is never closed", "", "("),
    "[1, $n": ("NS140", "`[` is never closed", "", "["),
    "$xs[1": ("NS140", "`[` is never closed", "", "["),
    "max(1": ("NS140", "`(` is never closed", "", "("),
    "1 + $n)": ("NS141", "`)` closes nothing: no bracket is open", "", ")"),
    "[1, $n)": ("NS141", "`)` closes nothing: the open one is `[`", "", ")"),
    # words
    "width * 2": (
        "NS142",
        "`width` means nothing by itself",
        "a name is written with a dollar, `$width`; text in quotes, 'width'",
        "width",
    ),
    "True": (
        "NS142",
        "`True` means nothing by itself",
        "did you mean `true`? a name is written `$True`, text 'True'",
        "True",
    ),
    "max + 1": (
        "NS142",
        "`max` means nothing by itself",
        "it is a function: write `max(…)`; a parameter of this name is `$max`",
        "max",
    ),
    "__import__('os').system('x')": (
        "NS143",
        "there is no function `__import__`",
        f"the functions are {FUNCTIONS}",
        "__import__",
    ),
    "maximum(1, 2)": ("NS143", "there is no function `maximum`", "did you mean `max`?", "maximum"),
    "$max(1, 2)": (
        "NS144",
        "`$max` cannot be called",
        "functions are written without a dollar: `max(…)`",
        "$max(",
    ),
    "$n(1)": ("NS144", "`$n` cannot be called", f"only the functions can be: {FUNCTIONS}", "$n("),
    "max(1, 2)(3)": (
        "NS144",
        "`max(1, 2)` cannot be called",
        f"only the functions can be: {FUNCTIONS}",
        "max(1, 2)(",
    ),
    "abs()": ("NS145", "`abs(x)` takes 1 argument, not 0", "", "abs()"),
    "min()": ("NS145", "`min(a, b, …)` takes at least 1 argument, not 0", "", "min()"),
    "1 + round(2.5, 1)": ("NS145", "`round(x)` takes 1 argument, not 2", "", "round(2.5, 1)"),
    "range(1, 2, 3, 4)": (
        "NS145",
        "`range(start, stop, step)` takes 1 to 3 arguments, not 4",
        "",
        "range(1, 2, 3, 4)",
    ),
    "divisible(8)": ("NS145", "`divisible(v, by)` takes 2 arguments, not 1", "", "divisible(8)"),
    "$prev.channel": ("NS146", "there is no attribute `.channel`", "did you mean `.channels`?", ".channel"),
    "$prev.__class__": (
        "NS146",
        "there is no attribute `.__class__`",
        f"the attributes are {ATTRIBUTES}",
        ".__class__",
    ),
    "$prev.0.conv": ("NS146", "there is no attribute `.0`", f"the attributes are {ATTRIBUTES}", ".0"),
    "'a'.format($n)": ("NS146", "there is no attribute `.format`", None, ".format"),
    "$widht": ("NS147", "there is no `$widht` here", "did you mean `$width`?", "$widht"),
    "$true": ("NS147", "there is no `$true` here", "`true` is written without a dollar", "$true"),
    "$len": ("NS147", "there is no `$len` here", "`len` is written without a dollar", "$len"),
    # kinds
    "2 * (1 + $xs)": ("NS148", "`+` cannot add an int and a list", "", "1 + $xs"),
    "1 + 2 + 'a' + 3": (
        "NS148",
        "`+` cannot add an int and a string",
        "a number is written without quotes",
        "1 + 2 + 'a'",
    ),
    "$xs * 2": ("NS148", "`*` cannot multiply a list by an int", "", "$xs * 2"),
    "$mode * 2": (
        "NS148",
        "`*` cannot multiply a string by an int",
        "a number is written without quotes",
        "$mode * 2",
    ),
    "$yes + 1": (
        "NS148",
        "`+` cannot add a bool and an int",
        "true and false are not numbers: write `1 if condition else 0`",
        "$yes + 1",
    ),
    "$yes + $yes": ("NS148", "`+` cannot add a bool and a bool", "", "$yes + $yes"),
    "$n == $yes": (
        "NS148",
        "`==` cannot compare an int with a bool",
        "true and false are not numbers: write `1 if condition else 0`",
        "$n == $yes",
    ),
    "$n != '7'": (
        "NS148",
        "`!=` cannot compare an int with a string",
        "a number is written without quotes",
        "$n != '7'",
    ),
    "[1] == ['a']": (
        "NS148",
        "`==` cannot compare an int with a string",
        "a number is written without quotes",
        "[1] == ['a']",
    ),
    "'a' < 'b'": (
        "NS148",
        "`<` cannot order a string and a string",
        "only numbers have an order",
        "'a' < 'b'",
    ),
    "1 < 2 < 'b'": ("NS148", "`<` cannot order an int and a string", None, "2 < 'b'"),
    "$act == 'ReLU'": ("NS148", "`==` cannot compare an operation with a string", "", "$act == 'ReLU'"),
    "$prev + 1": (
        "NS148",
        "`+` cannot add a tensor and an int",
        "read an attribute of the tensor: .channels, .height, .width, .features or .shape",
        "$prev + 1",
    ),
    "$n - $empty": ("NS148", "`-` cannot subtract a list from an int", "", "$n - $empty"),
    "$xs % 2": ("NS148", "`%` cannot take a list modulo an int", "", "$xs % 2"),
    "sum(['a'])": (
        "NS148",
        "`+` cannot add an int and a string",
        "a number is written without quotes",
        "['a']",
    ),
    "$prev": (
        "NS149",
        "the value must be a number, a string, a list or an operation, not a tensor",
        READ,
        "$prev",
    ),
    "[1, $prev]": (
        "NS149",
        "an item of a list must be a number, a string, a list or an operation, not a tensor",
        READ,
        "$prev",
    ),
    "-$xs": ("NS149", "the operand of `-` must be a number, not a list", "", "$xs"),
    "-true": ("NS149", "the operand of `-` must be a number, not a bool", "", "true"),
    "not $n": ("NS149", "the operand of `not` must be true or false, not an int", COMPARE, "$n"),
    "$yes and $n": ("NS149", "each side of `and` must be true or false, not an int", COMPARE, "$n"),
    "$n or $yes": ("NS149", "each side of `or` must be true or false, not an int", COMPARE, "$n"),
    "1 if $n else 2": (
        "NS149",
        "what stands behind `if` must be true or false, not an int",
        COMPARE,
        "$n",
    ),
    "$n[0]": ("NS149", "what has items must be a list, not an int", "", "$n"),
    "$mode[0]": ("NS149", "what has items must be a list, not a string", "", "$mode"),
    "$xs[true]": ("NS149", "an index must be an int, not a bool", "", "true"),
    "$xs['a']": ("NS149", "an index must be an int, not a string", "", "'a'"),
    "$n.channels": ("NS149", "what has `.channels` must be a tensor, not an int", "", "$n"),
    "$prev.shape[1].width": ("NS149", "what has `.width` must be a tensor, not an int", "", "$prev.shape[1]"),
    "len($n)": ("NS149", "the only argument of `len` must be a list, not an int", "", "$n"),
    "abs('a')": ("NS149", "the argument of `abs` must be a number, not a string", "", "'a'"),
    "max(1, $mode)": ("NS149", "every value of `max` must be a number, not a string", "", "$mode"),
    "max($nested)": ("NS149", "every value of `max` must be a number, not a list", "", "$nested"),
    "range(1.5)": ("NS149", "every argument of `range` must be an int, not a float", "", "1.5"),
    "range($prev.height)": (
        "NS149",
        "every argument of `range` must be an int, not a symbolic dimension",
        "",
        "$prev.height",
    ),
    "divisible(8, 2.0)": ("NS149", "`by` of `divisible` must be an int, not a float", "", "2.0"),
    # values
    "$n // ($n - 7)": ("NS150", "division by zero: 7 // 0", "", "($n - 7)"),
    "1 / 0": ("NS150", "division by zero: 1 / 0", "", "0"),
    "1.5 % 0.0": ("NS150", "division by zero: 1.5 % 0.0", "", "0.0"),
    "$xs[3]": (
        "NS151",
        "there is no item 3 in a list of 3 items",
        "items are counted from 0 to 2, or from the end: -1 is the last",
        "3",
    ),
    "$xs[-4]": ("NS151", "there is no item -4 in a list of 3 items", None, "-4"),
    "$empty[0]": ("NS151", "there is no item 0 in a list of 0 items", "", "0"),
    "$flat.height": (
        "NS157",
        "there is no `.height` in a tensor of shape (batch, 10)",
        "`.height` belongs to shapes (batch, channels, height, width); `.shape[0]` reads any dimension",
        ".height",
    ),
    "$in.height": ("NS157", "there is no `.height` in a tensor of shape (batch, 3, 32)", None, ".height"),
    "$flat.width": ("NS157", "there is no `.width` in a tensor of shape (batch, 10)", None, ".width"),
    "$vector.channels": ("NS157", "there is no `.channels` in a tensor of shape (5,)", None, ".channels"),
    "min($empty)": ("NS158", "`min` of an empty list has no value", "", "min($empty)"),
    "range(1, 2, 0)": ("NS159", "`step` of `range` must be other than zero, not 0", "", "0"),
    "divisible(8, -8)": ("NS159", "`by` of `divisible` must be positive, not -8", "", "-8"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text):
    code, message, cure, part = REFUSED[text]
    found = fault(text)
    assert found == (code, message, found[2] if cure is None else cure, part)


def test_unknown_names_list_what_there_is():
    assert fault("$zzz", {})[2] == "no name is known here"
    assert fault("$zzz", {"depth": 1, "width": 2})[2] == "the names here are `$depth`, `$width`"
    assert fault("$zzz", {f"name{i}": i for i in range(20)})[2].count("`") == 16
