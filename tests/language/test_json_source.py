"""JSON text to a Tree."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.language.scalars import MAX_DIGITS
from netspec.language.source import parse
from netspec.language.tree import MAX_DEPTH, Tree

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


def read_json(text: str) -> Tree:
    return parse(text, "spec.json", "json")


def refused(text: str) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read_json(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span
    assert diagnostic.text
    diagnostic.fill(diagnostic.help)
    return diagnostic


def scalars(tree: Tree) -> list[Tree]:
    children = [*tree.items, *(entry.value for entry in tree.entries.values())]
    return [leaf for child in children for leaf in scalars(child)] if children else [tree]


@given(value=PLAIN, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_it_reads_what_json_writes(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    tree = read_json(text)
    assert repr(tree.value) == repr(value)  # by repr, since 1 == 1.0 == True
    assert text[tree.start : tree.end] == text
    for leaf in scalars(tree):
        assert repr(json.loads(text[leaf.start : leaf.end])) == repr(leaf.value)


@given(text=st.text(st.sampled_from("{}[]:,\"\\ \n\t0123456789.eE+-truefalsn/#'\ud800é"), max_size=40))
def test_it_accepts_what_the_standard_library_accepts(text: str) -> None:
    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in found}) < len(found):
            raise ValueError("duplicate")
        return dict(found)

    def finite(digits: str) -> float:
        if math.isinf(value := float(digits)):
            raise ValueError("infinite")
        return value

    def refuse(constant: str) -> float:
        raise ValueError(constant)

    try:
        expected = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse, parse_float=finite)
        json.dumps(expected, ensure_ascii=False).encode()
    except ValueError:
        refused(text)
    else:
        assert repr(read_json(text).value) == repr(expected)


def test_places_of_keys_and_values() -> None:
    tree = read_json('{"layers": [\n  {"Conv2d": {"k": 3}}\n]}')
    assert str(tree.key_span("layers")) == "spec.json:1:2"
    assert str(tree.find(["layers", 0, "Conv2d", "k"]).span) == "spec.json:2:20"
    conv = tree.find(["layers", 0])
    assert conv.source.text[conv.start : conv.end] == '{"Conv2d": {"k": 3}}'


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ('{"a": 1, "a": 2}', "NS111", '"a": 2'),
        ("[NaN]", "NS113", "NaN"),
        ("[-Infinity]", "NS113", "-Inf"),
        ("[1e999]", "NS113", "1e999"),
        ("[1, 2", "NS120", "["),
        ('{"a": [1}', "NS125", "}"),
        ('{"a": "b}', "NS120", '"b'),
        ('["a\nb"]', "NS120", '"a'),
        ("// comment\n{}", "NS126", "//"),
        ('{"a": 1 /* b */}', "NS126", "/*"),
        ('{"a": 1 # b\n}', "NS126", "#"),
        ("[1, 2,]", "NS127", ",]"),
        ('{"a": 1,\n}', "NS127", ",\n"),
        ("{'a': 1}", "NS128", "'a"),
        ("{a: 1}", "NS128", "a:"),
        ('{"a": True}', "NS128", "True"),
        ('{"a": $b}', "NS128", "$b"),
        ('["a\tb"]', "NS129", "\t"),
        ('["\\q"]', "NS129", "\\q"),
        ('["\\ud800"]', "NS129", '"\\u'),
        ('["\ud800"]', "NS129", '"\ud800'),
        ("[01]", "NS125", "01"),
        ("[+1]", "NS125", "+1"),
        ("[.5]", "NS125", ".5"),
        ("[1 2]", "NS125", "2"),
        ('{"a" 1}', "NS125", "1"),
        ("[1,,2]", "NS125", ",2"),
        ("{} {}", "NS125", "{}"),
    ],
)
def test_refused_with_code_and_place(text: str, code: str, part: str) -> None:
    diagnostic = refused(text)
    assert diagnostic.code == code
    assert diagnostic.span
    assert diagnostic.span.start == (text.rindex(part) if part == "{}" else text.index(part))
    assert diagnostic.help


def test_a_duplicate_names_the_first() -> None:
    (note,) = refused('{"a": 1,\n "b": {}, "a": 2}').notes
    assert str(note.span) == "spec.json:1:2"


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_nothing_is_refused(text: str) -> None:
    assert refused(text).code == "NS108"


def test_depth_is_limited_and_costs_no_recursion() -> None:
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH).value
    diagnostic = refused("[" * 10_000)
    assert diagnostic.code == "NS110"
    assert diagnostic.span
    assert diagnostic.span.start == MAX_DEPTH
    assert refused('{"a":' * 10_000).code == "NS110"


def test_digits_are_limited() -> None:
    assert read_json("9" * MAX_DIGITS).value == 10**MAX_DIGITS - 1
    assert refused("9" * (MAX_DIGITS + 1)).code == "NS112"
    assert refused("0." + "9" * MAX_DIGITS).code == "NS112"
