"""Expressions beside Python's own evaluation, and under garbage."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.language.expressions import evaluate, parse
from netspec.language.expressions.nodes import Node, children
from tests.language.expression_cases import SCOPE, attempt, value


@given(v=st.integers(1, 5000) | st.floats(0.5, 5000.0), by=st.integers(1, 64))
def test_divisible_keeps_its_promises(v, by):
    found = evaluate(parse("divisible($v, $by)"), {"v": v, "by": by})
    assert found % by == 0
    assert found >= by
    assert found >= 0.9 * v
    assert found == by or found - v < by  # never a whole step too large


def _expressions(leaves, operators, functions=()):
    def grown(inner):
        choices = [
            st.builds("{} {} {}".format, inner, st.sampled_from(operators), inner),
            st.builds("({} {} {})".format, inner, st.sampled_from(operators), inner),
            st.builds("-{}".format, inner),
            st.builds("({})".format, inner),
            st.builds(
                "({} if {} {} {} else {})".format, inner, inner, st.sampled_from(RELATIONS), inner, inner
            ),
        ]
        choices += [st.builds((name + "({}, {})").format, inner, inner) for name in functions]
        return st.one_of(choices)

    return st.recursive(leaves, grown, max_leaves=12)


RELATIONS = ["<", "<=", ">", ">=", "==", "!="]
VALUES = {"a": 5, "b": -3, "c": 12, "zero": 0}
LEAVES = st.integers(0, 30).map(str) | st.sampled_from([f"${name}" for name in VALUES])
INTEGERS = _expressions(LEAVES, ["+", "-", "*", "//", "%", "/"], ["min", "max"])


def _python(text):
    """Python's own answer, or None where it has none."""
    try:
        found = eval(text.replace("$", ""), {"__builtins__": {"min": min, "max": max}}, dict(VALUES))
    except (ZeroDivisionError, OverflowError):
        return None
    return found if not isinstance(found, complex) else None


@settings(max_examples=300, deadline=None)
@given(INTEGERS)
def test_arithmetic_is_pythons(text):
    expected = _python(text)
    found, stopped = attempt(text, VALUES)
    if stopped is None:
        assert type(found) is type(expected)
        assert found == expected
    else:
        code = stopped.diagnostic.code
        assert code in {"NS130", "NS131", "NS150", "NS152"}
        assert expected is None or code != "NS150"


BOOLEANS = st.recursive(
    st.sampled_from(["true", "false"])
    | st.builds("{} {} {}".format, LEAVES, st.sampled_from(RELATIONS), LEAVES)
    | st.builds("{} {} {} {} {}".format, LEAVES, st.sampled_from(RELATIONS), LEAVES, st.just("<"), LEAVES),
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
        st.builds("({}) if ({}) else {}".format, inner, inner, inner),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(BOOLEANS)
def test_logic_is_pythons(text):
    python = text.replace("true", "True").replace("false", "False").replace("$", "")
    assert value(text, VALUES) is eval(python, {"__builtins__": {}}, dict(VALUES))


PIECES = [
    "$a",
    "$b",
    "$xs",
    "$",
    "$$",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "1",
    "0",
    "2.5",
    "'",
    '"',
    "+",
    "-",
    "*",
    "/",
]
PIECES += [
    "//",
    "%",
    "<",
    "==",
    "=",
    "and ",
    "or ",
    "not ",
    " if ",
    " else ",
    "true",
    "max(",
    "len(",
    "range(",
    "sum(",
]
PIECES += [
    ".shape",
    ".channels",
    "divisible(",
    "{",
    "}",
    "`",
    "\\",
    "é",
    "\x00",
    "\ud800",
    " ",
    "\n",
    "$prev",
    "$lost",
    "$huge",
    "$inf",
    "$nan",
    "round(",
]
GARBAGE = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30)


@settings(max_examples=600, deadline=None)
@given(GARBAGE)
def test_garbage_raises_faults_with_places_and_nothing_else(text):
    scope = SCOPE | {"a": 2, "b": 0.5, "huge": 10**5000, "inf": float("inf"), "nan": float("nan")}
    _, stopped = attempt(text, scope)
    if stopped is not None:
        assert 0 <= stopped.start <= stopped.end <= len(text)
        diagnostic = stopped.diagnostic
        for part in (diagnostic.text, diagnostic.fill(diagnostic.label), diagnostic.fill(diagnostic.help)):
            assert part.isprintable()


@settings(max_examples=100, deadline=None)
@given(INTEGERS)
def test_every_node_lies_inside_its_parent(text):
    def check(node: Node) -> None:
        assert text[node.start : node.end].strip() == text[node.start : node.end] != ""
        for child in children(node):
            assert node.start <= child.start < child.end <= node.end
            check(child)

    if attempt(text, VALUES)[1] is None:
        check(parse(text).root)
