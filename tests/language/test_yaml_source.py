"""YAML text to a Tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.language import yaml_source
from netspec.language.scalars import MAX_DIGITS
from netspec.language.source import parse, read
from netspec.language.tree import MAX_DEPTH, Tree

UNWRITABLE = "".join(map(chr, range(0x7F, 0xA0))) + "\u2028\u2029\ufeff\ufffe\uffff"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters=UNWRITABLE), max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)
LENET = """\
netspec: 1
name: lenet
inputs:
  image: [batch, 1, 28, 28]            # a word is a symbolic dimension
layers:
  - Conv2d: {out_channels: 6, kernel_size: 5, padding: 2}
  - Sigmoid
  - Linear: {out_features: $classes}
    name: logits
outputs: [logits]
"""


class Dumper(yaml.SafeDumper):
    """PyYAML writes by YAML 1.1, to which `0E0` and `0o7` are strings: all but words stand in quotes."""


def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isalpha() else "'" if len(text) % 2 else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


Dumper.add_representer(str, represent_text)


def read_yaml(text: str) -> Tree:
    return parse(text, "spec.yaml", "yaml")


def only(error: DiagnosticError) -> Diagnostic:
    (diagnostic,) = error.diagnostics
    assert diagnostic.span
    assert diagnostic.text
    assert "\n" not in diagnostic.text
    diagnostic.fill(diagnostic.help)
    diagnostic.fill(diagnostic.label)
    return diagnostic


def refused(text: str) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read_yaml(text)
    return only(caught.value)


def written(diagnostic: Diagnostic) -> str:
    """The characters that a diagnostic points at."""
    assert diagnostic.span
    return diagnostic.span.source.text[diagnostic.span.start : diagnostic.span.end]


def leaves(tree: Tree) -> list[Tree]:
    children = [*tree.items, *(entry.value for entry in tree.entries.values())]
    return [leaf for child in children for leaf in leaves(child)] if children else [tree]


# Values


@given(value=PLAIN, indent=st.sampled_from([None, 1]))
def test_json_is_yaml(value: object, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert repr(read_yaml(text).value) == repr(value)


@given(value=PLAIN, flow=st.sampled_from([None, False, True]), width=st.sampled_from([20, 1_000]))
def test_it_reads_what_pyyaml_writes_and_every_span_reads_back(
    value: object, flow: bool | None, width: int
) -> None:
    style: dict[str, Any] = {
        "default_flow_style": flow,
        "width": width,
        "allow_unicode": True,
        "sort_keys": False,
    }
    text = yaml.dump(value, Dumper=Dumper, **style)
    tree = read_yaml(text)
    assert repr(tree.value) == repr(value)
    for leaf in leaves(tree):
        if leaf.value not in ([], {}):
            again = read_yaml(
                "k: " + text[leaf.start : leaf.end]
            )  # as the value of a key, since it may be indented
            assert repr(again.value) == repr({"k": leaf.value})


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("y", "y"),
        ("null", None),
        ("Null", None),
        ("~", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+1", 1),
        ("-0", 0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("-0x1", "-0x1"),
        ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"),
        ("\u0661", "\u0661"),  # a digit, but not of ASCII
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("$a + 1", "$a + 1"),
        ("'1'", "1"),
        ('"null"', "null"),
        ("=", "="),
    ],
)
def test_words_are_what_yaml_1_2_says(word: str, value: object) -> None:
    assert repr(read_yaml(f"k: {word}\n").value) == repr({"k": value})
    assert repr(read_yaml(f"- {word}").value) == repr([value])


def test_empty_values_are_null() -> None:
    assert read_yaml("a:\nb: {c: , d}\ne:\n  -\n").value == {
        "a": None,
        "b": {"c": None, "d": None},
        "e": [None],
    }


# Places


def test_places_of_keys_and_values() -> None:
    tree = read_yaml(LENET)
    assert str(tree.key_span("layers")) == "spec.yaml:5:1"
    assert str(tree.find(["layers", 0, "Conv2d", "padding"]).span) == "spec.yaml:6:56"
    assert str(tree.find(["layers", 2]).key_span("name")) == "spec.yaml:9:5"
    conv = tree.find(["layers", 0, "Conv2d"])
    assert LENET[conv.start : conv.end] == "{out_channels: 6, kernel_size: 5, padding: 2}"


def test_a_block_ends_with_its_last_value() -> None:
    tree = read_yaml(LENET + "\n\n# the end\n")
    step = tree.find(["layers", 2])
    assert LENET[step.start : step.end] == "Linear: {out_features: $classes}\n    name: logits"
    layers = tree.find(["layers"])
    assert LENET[layers.start : layers.end].startswith("- Conv2d")
    assert LENET[: tree.end] == LENET.rstrip()
    assert read_yaml("a:\n  b: |\n    text\n\n\nc: 1").find(["a"]).end == len("a:\n  b: |\n    text")
    assert read_yaml("a:\n  b:\n\nc: 1").find(["a"]).end == len("a:\n  b:")


def test_values_are_shared_with_the_children() -> None:
    tree = read_yaml(LENET)
    assert tree.value["layers"][0]["Conv2d"] is tree.find(["layers", 0, "Conv2d"]).value
    assert tree.value["layers"] is tree.entries["layers"].value.value


def test_find_passes_over_what_does_not_exist() -> None:
    tree = read_yaml("a: [{b: 1}]")
    assert tree.find(["a", "tag", 0, "Union", "b"]).value == 1
    assert tree.find(["a", 5, "nothing"]) is tree.entries["a"].value
    assert tree.find([]) is tree


@pytest.mark.parametrize("scalar", ["$a + $bc", "'$a + $bc'", '"$a + $bc"'])
def test_a_part_of_a_string_has_a_place(scalar: str) -> None:
    value = read_yaml(f"k: {scalar}\n").find(["k"])
    span = value.scalar_span(5, 8)
    assert span.source.text[span.start : span.end] == "$bc"


@pytest.mark.parametrize("scalar", ['"\\x24a + $bc"', "$a +\n   $bc", "'it''s $bc'", "|\n  $a + $bc"])
def test_a_part_of_an_escaped_string_is_the_whole(scalar: str) -> None:
    value = read_yaml(f"k: {scalar}\n").find(["k"])
    assert value.scalar_span(5, 8) == value.span


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_breaks_and_a_byte_order_mark_move_nothing(tmp_path: Path, line_break: str, mark: bytes) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(mark + LENET.replace("\n", line_break).encode())
    tree = read(path)
    assert tree.value == read_yaml(LENET).value
    span = tree.find(["layers", 2, "name"]).span
    assert (span.line, span.column) == (9, 11)
    assert span.source.line(9) == "    name: logits"


def test_characters_beyond_ascii_count_once() -> None:
    assert str(read_yaml("é日😀: {b: 1}").find(["é日😀", "b"]).span) == "spec.yaml:1:10"


# Refusals


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("a: 1\nb: 2\na: 3", "NS111", "a"),
        ("{b: 1, 'b': 2}", "NS111", "'b'"),
        ("a: &x 1", "NS114", "&x"),
        ("a: &x\n  b: 1", "NS114", "&x"),
        ("&x a: 1", "NS114", "&x"),
        ("- &x [1]", "NS114", "&x"),
        ("a: *x", "NS114", "*x"),
        ("<<: {a: 1}", "NS115", "<<"),
        ("a: !!python/object:os.system x", "NS116", "!!python/object:os.system"),
        ("a: !x [1]", "NS116", "!x"),
        ("a: ! x", "NS116", "!"),
        ("a: &y !x 1", "NS114", "&y"),
        ("%TAG ! tag:x\n---\na: 1", "NS116", "%TAG"),
        ("a: 1\n---\nb: 2", "NS117", "---"),
        ("1: a", "NS118", "1"),
        ("null: a", "NS118", "null"),
        ("true: a", "NS118", "true"),
        ("? [a]\n: b", "NS118", "["),
        ("a: {{x}}", "NS118", "{"),
        ("a: .inf", "NS113", ".inf"),
        ("a: -.INF", "NS113", "-.INF"),
        ("a: .nan", "NS113", ".nan"),
        ("a: 1e999", "NS113", "1e999"),
        ("{a: ${x}}", "NS119", "${x}"),
        ("a: {k: ${x} + 1, l: 2}", "NS119", "${x} + 1"),
        ("{k: $xs[0]}", "NS119", "$xs[0]"),
        ("[$xs[0], 1]", "NS119", "$xs[0]"),
        ("- Conv2d: {\n    k: $xs[0]}", "NS119", "$xs[0]"),
        ("{k: max($a, $b)}", "NS119", "max($a, $b)"),
        ("{k: max(min(1, 2), $b) + 1, l: 2}", "NS119", "max(min(1, 2), $b) + 1"),
        ("[max(1, $b)]", "NS119", "max(1, $b)"),
        ("{k: 'x' if $b else 'y'}", "NS119", "'x' if $b else 'y'"),
        ("a: [1, 2\nb: 3", "NS120", "["),
        ("a:\n  - Conv2d: {k: 1\n  - ReLU\n", "NS120", "{"),
        ("a: [", "NS120", "["),
        ("a: {b: [1}", "NS124", "}"),
        ("a: 'b", "NS120", "'"),
        ('a: {b: "c}\nd: 1\n', "NS120", '"'),
        ("a:\n\t- b", "NS121", "\t"),
        ("\ta: 1", "NS121", "\t"),
        ("a: b\n\tc: d", "NS121", "\t"),
        ("a: b\n c: d", "NS122", "c"),
        ("a:\n  - b\n c: d", "NS122", "c"),
        ("- a\n - b", "NS122", "-"),
        ("a:b\nc: d", "NS123", "a:"),
        ("a: 1\nb:2\nc: 3", "NS123", "b:"),
        ("{a:1, b: 2}", "NS123", "a:"),
        ("- Conv2d:{k: 1}", "NS123", "Conv2d:"),
        ("a: b: c", "NS124", ":"),
        ("a: - b", "NS124", "-"),
        ("a: 1\nb", "NS124", "b"),
        ("a: ]", "NS124", "]"),
        ("a: [1]]", "NS124", "]"),
        ("a: [1,,2]", "NS124", ","),
        ("a: 'x' y", "NS124", "y"),
        ("a: [1] y", "NS124", "y"),
        ("a: @x", "NS124", "@"),
        ("a: `x`", "NS124", "`"),
        ("a: *", "NS124", "*"),
        ("a: > x", "NS124", "> "),
        ('a: "\\q"', "NS124", "\\"),
        ("layers:\n  - ReLU\n    name: x\n", "NS124", "ReLU"),
        ("a: 1\n- b", "NS124", "-"),
        ("- a\nb: 1", "NS124", "b"),
        (": a", "NS124", ":"),
        ("a: 1\n...\nb: 2", "NS124", "b"),
        ("a: \x1b[2J", "NS109", "\x1b"),
        ("a: \x00", "NS109", "\x00"),
        ("a: x # \x07", "NS109", "\x07"),
        ("a: x\u2028b: 1", "NS109", "\u2028"),
        ("a: x\x85b: 1", "NS109", "\x85"),
        ("a: \ud800", "NS109", "\ud800"),
    ],
)
def test_refused_with_code_place_and_cure(text: str, code: str, part: str) -> None:
    diagnostic = refused(text)
    assert (diagnostic.code, written(diagnostic)) == (code, part)
    assert diagnostic.help


@pytest.mark.parametrize(
    "text",
    [
        "k: $xs[0]",
        "k: ${x}",
        "k: max($a, $b)",
        "- max($a, $b)",
        '{k: "max($a, $b)"}',
        "[a (b, c) d]",
        "{k: $a + (1)}",
        "a: b:c",
        "{a: b:c}",
        "'a:b': c",
        "a: x - y",
        "a: x\n  y",
    ],
)
def test_what_only_looks_like_a_mistake_is_read(text: str) -> None:
    assert read_yaml(text).value == yaml.safe_load(text)


def test_the_cure_of_an_unquoted_expression_is_the_quoted_one() -> None:
    diagnostic = refused("{k: max($a, $b)}")
    assert diagnostic.fill(diagnostic.help) == 'put quotes around it: "max($a, $b)"'
    diagnostic = refused('{k: "x" if $b else "y"}')
    assert diagnostic.fill(diagnostic.help) == 'put quotes around it: \'"x" if $b else "y"\''


def test_a_duplicate_names_the_first() -> None:
    (note,) = refused("a: 1\nb: 2\na: 3").notes
    assert str(note.span) == "spec.yaml:1:1"


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n", "---\n", "---\n# nothing\n...\n"])
def test_nothing_is_refused(text: str) -> None:
    assert refused(text).code == "NS108"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
def test_depth_is_limited_and_costs_no_recursion(opening: str, closing: str) -> None:
    assert read_yaml(opening * MAX_DEPTH + "1" + closing * MAX_DEPTH).value
    diagnostic = refused(opening * 10_000)
    assert diagnostic.code == "NS110"
    assert diagnostic.span
    assert diagnostic.span.start == len(opening) * MAX_DEPTH


def test_digits_are_limited() -> None:
    assert read_yaml("9" * MAX_DIGITS).value == 10**MAX_DIGITS - 1
    assert refused("9" * (MAX_DIGITS + 1)).code == "NS112"
    assert refused("0x" + "9" * 10_000).code == "NS112"
    assert refused("0." + "9" * 10_000).code == "NS112"


# Robustness


@given(
    text=st.text(
        st.sampled_from(" \n\r\t:-[]{},?&*!|>'\"%@`#$()<~.ab01\\ux\x00\x1b\x85\u2028\ufeff\ud800é"),
        max_size=60,
    )
)
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = read_yaml(text)
    except DiagnosticError as error:
        only(error)
    else:
        assert all(tree.start <= leaf.start <= leaf.end <= len(text) for leaf in leaves(tree))


@given(data=st.data())
@settings(max_examples=300)
def test_a_mutated_spec_is_read_or_refused(data: st.DataObject) -> None:
    text = LENET
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 8))
        new = data.draw(
            st.sampled_from(
                ["", " ", "\t", "\n", ":", "[", "}", "'", "$x[0]", "(", text[at : at + length] * 2]
            )
        )
        text = text[:at] + new + text[at + length :]
    try:
        read_yaml(text)
    except DiagnosticError as error:
        only(error)


@given(value=PLAIN, flow=st.sampled_from([None, False, True]))
@settings(max_examples=50)
def test_without_libyaml_the_same_is_read(value: object, flow: bool | None) -> None:
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=flow, allow_unicode=True)
    expected = read_yaml(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_source, "Parser", yaml.Loader)
        tree = read_yaml(text)
    assert repr(tree.value) == repr(expected.value)
    assert [(leaf.start, leaf.end) for leaf in leaves(tree)] == [
        (leaf.start, leaf.end) for leaf in leaves(expected)
    ]


@given(text=st.text(st.sampled_from(" \n\t:-[]{},?&*!|>'\"%@#$(ab1\\\x00\ud800"), max_size=40))
def test_without_libyaml_any_text_is_read_or_refused(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_source, "Parser", yaml.Loader)
        try:
            read_yaml(text)
        except DiagnosticError as error:
            only(error)
