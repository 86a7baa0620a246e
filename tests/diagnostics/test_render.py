"""What diagnostics look like: on a terminal, to a program, on GitHub."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from netspec.diagnostics import Diagnostic, Note, Severity, Source, Span
from netspec.diagnostics.listing import WIDTH
from netspec.diagnostics.render import NOTE_LIMIT, render_github, render_json, render_text, summary


class Mismatch(Diagnostic):
    code = "NS998"
    message = "Add cannot combine {left} and {right}"

    left: object = 128
    right: object = 64
    says: str = ""
    cure: str = ""

    @property
    def label(self) -> str:
        return self.says

    @property
    def help(self) -> str:
        return self.cure


class Unused(Diagnostic):
    code = "NS999"
    message = "nothing reads this"
    severity: ClassVar[Severity] = Severity.WARNING


SPEC = "layers:\n  - branches:\n      main: [A]\n      other: [B]\n    merge: Add\n"


def span_of(text: str, part: str, name: str = "specs/bad.yaml") -> Span:
    start = text.index(part)
    return Span(Source(name, text), start, start + len(part))


def in_same_source(span: Span, part: str) -> Span:
    start = span.source.text.index(part)
    return Span(span.source, start, start + len(part))


def test_source_lines_notes_help_and_count_make_one_picture() -> None:
    span = span_of(SPEC, "Add")
    note = Note("main is (batch, 128)", in_same_source(span, "main"))
    diagnostic = Mismatch(
        span=span, notes=(note,), says="other is (batch, {right})", cure="project it", times=3
    )
    assert render_text([diagnostic]) == (
        "specs/bad.yaml:5:12: error[NS998]: Add cannot combine 128 and 64 (3 times)\n"
        "   |\n"
        " 3 |       main: [A]\n"
        "   |       ---- main is (batch, 128)\n"
        " 5 |     merge: Add\n"
        "   |            ^^^ other is (batch, 64)\n"
        "   = help: project it\n"
        "\n"
        "1 error\n"
    )


def test_a_note_in_another_file_has_a_listing_of_its_own() -> None:
    notes = (
        Note("instantiated here", span_of("- Block\n", "Block", "net.yaml")),
        Note("no place"),
    )
    text = render_text([Unused(span=span_of(SPEC, "main"), notes=notes)])
    assert text == (
        "specs/bad.yaml:3:7: warning[NS999]: nothing reads this\n"
        "   |\n"
        " 3 |       main: [A]\n"
        "   |       ^^^^\n"
        "  --> net.yaml:1:3\n"
        "   |\n"
        " 1 | - Block\n"
        "   |   ----- instantiated here\n"
        "   = note: no place\n"
        "\n"
        "1 warning\n"
    )


def test_two_marks_on_one_line_share_it() -> None:
    span = span_of("a: 1, a: 2\n", "2")
    text = render_text([Mismatch(span=span, notes=(Note("first", in_same_source(span, "1")),))])
    assert text.count("a: 1, a: 2") == 1
    assert " 1 | a: 1, a: 2\n   |    - first\n   |          ^\n" in text


def test_a_diagnostic_without_text_or_place_is_its_message() -> None:
    nowhere = Mismatch()
    empty = Mismatch(span=Span(Source("gone.yaml", ""), 0, 0))
    assert render_text([nowhere, empty]) == (
        "error[NS998]: Add cannot combine 128 and 64\n"
        "\n"
        "gone.yaml:1:1: error[NS998]: Add cannot combine 128 and 64\n"
        "\n"
        "2 errors\n"
    )


@pytest.mark.parametrize(
    ("diagnostics", "expected"),
    [
        ([], ""),
        ([Mismatch()], "1 error"),
        ([Unused(), Mismatch(), Unused(), Mismatch()], "2 errors, 2 warnings"),
    ],
)
def test_the_summary_counts_by_severity(diagnostics: list[Diagnostic], expected: str) -> None:
    assert summary(diagnostics) == expected


def test_nothing_renders_to_nothing() -> None:
    assert render_text([]) == ""
    assert render_github([]) == ""
    assert json.loads(render_json([])) == []


def test_many_notes_are_cut() -> None:
    span = span_of(SPEC, "Add")
    notes = tuple(Note(f"number {i}", span) for i in range(NOTE_LIMIT + 5))
    text = render_text([Mismatch(span=span, notes=notes)])
    assert text.count("number ") == NOTE_LIMIT
    assert "= note: and 5 more" in text


def carets(text: str) -> tuple[str, str]:
    """The source line and the line of carets of a rendering, gutters removed."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if re.match(r" +\| +\^", line) or re.match(r" +\| \^", line))
    return lines[at - 1].split(" | ", 1)[1], lines[at].split(" | ", 1)[1]


def test_carets_stand_under_wide_characters() -> None:
    text = "k: 日本語 x\n"
    line, marks = carets(render_text([Mismatch(span=span_of(text, "x"))]))
    assert cell_len(line[: line.index("x")]) == marks.index("^")
    line, marks = carets(render_text([Mismatch(span=span_of(text, "日本語"))]))
    assert marks == "   ^^^^^^"


def test_combining_marks_take_no_column() -> None:
    _, marks = carets(render_text([Mismatch(span=span_of("e\u0301e\u0301 x\n", "x"))]))
    assert marks == "   ^"


def test_what_could_act_on_a_terminal_is_spelled_out() -> None:
    text = "a\tb\x1b[31m\u202e\ud800\x07 x\n"
    rendered = render_text(
        [Mismatch(left="\x1b[2J", span=span_of(text, "x", "na\x1bme"), says="\x1b", cure="\u202e")]
    )
    assert all(character.isprintable() for line in rendered.splitlines() for character in line)
    line, marks = carets(rendered)
    assert line == "a→   b\\x1b[31m\\u202e\\ud800\\x07 x"
    assert marks.startswith(" " * (len(line) - 1) + "^")
    rendered.encode()


@given(length=st.integers(1, 400), data=st.data())
def test_long_lines_are_shown_around_the_carets(length: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length - 1))
    text = "".join(chr(ord("a") + i % 26) for i in range(length)) + "\nnext\n"
    rendered = render_text([Mismatch(span=Span(Source("x", text), start, start + 1))])
    line, marks = carets(rendered)
    assert line[marks.index("^")] == text[start]
    assert line.strip("…") in text
    assert all(len(shown) <= WIDTH for shown in rendered.splitlines())


def test_marks_far_apart_on_a_long_line_are_both_seen() -> None:
    text = "first" + " " * 500 + "second\n"
    span = span_of(text, "second")
    rendered = render_text([Mismatch(span=span, notes=(Note("it", in_same_source(span, "first")),))])
    assert "----- it" in rendered
    assert "second" in rendered.split("it\n")[1]
    assert "^^^^^^" in rendered


@given(
    text=st.text(min_size=1, max_size=200),
    ends=st.tuples(st.integers(0, 210), st.integers(0, 210)),
    label=st.text(max_size=100),
)
def test_any_text_renders_printable(text: str, ends: tuple[int, int], label: str) -> None:
    start, end = sorted(min(at, len(text)) for at in ends)
    diagnostic = Mismatch(
        left=label, span=Span(Source(label, text), start, end), cure=label.replace("{", "").replace("}", "")
    )
    rendered = render_text([diagnostic, diagnostic])
    assert all(character.isprintable() for line in rendered.split("\n") for character in line)
    render_github([diagnostic]).encode()
    json.loads(render_json([diagnostic]))


def test_a_span_over_several_lines_is_marked_on_its_first() -> None:
    line, marks = carets(render_text([Mismatch(span=span_of("a: [1,\n  2]\n", "[1,\n  2]"))]))
    assert (line, marks) == ("a: [1,", "   ^^^")


def test_colour_changes_nothing_but_colour() -> None:
    diagnostics = [Mismatch(span=span_of(SPEC, "Add"), cure="project it"), Unused()]
    colored = render_text(diagnostics, color=True)
    assert "\x1b[1;31merror[NS998]" in colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in plain.splitlines()] == render_text(diagnostics).splitlines()


def test_plain_rendering_does_not_load_rich() -> None:
    code = (
        "import sys; from netspec.diagnostics import *; from netspec.diagnostics.render import render_text;"
        "from netspec.language.tree import TooDeep;"
        "render_text([TooDeep(span=Span(Source('x', 'abc'), 0, 1))]);"
        "sys.exit(any(name in sys.modules for name in ('rich', 'json', 'unicodedata')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_json_has_every_fact() -> None:
    span = span_of(SPEC, "Add")
    diagnostic = Mismatch(
        span=span, notes=(Note("why", in_same_source(span, "main")), Note("so")), cure="do", times=2
    )
    nowhere = {"file": None, "line": None, "column": None, "end_line": None, "end_column": None}
    assert json.loads(render_json([diagnostic, Unused()])) == [
        {
            "code": "NS998",
            "severity": "error",
            "message": "Add cannot combine 128 and 64",
            "label": None,
            "help": "do",
            "file": "specs/bad.yaml",
            "line": 5,
            "column": 12,
            "end_line": 5,
            "end_column": 15,
            "notes": [
                {
                    "message": "why",
                    "file": "specs/bad.yaml",
                    "line": 3,
                    "column": 7,
                    "end_line": 3,
                    "end_column": 11,
                },
                {"message": "so", **nowhere},
            ],
            "times": 2,
        },
        {
            "code": "NS999",
            "severity": "warning",
            "message": "nothing reads this",
            "label": None,
            "help": None,
            **nowhere,
            "notes": [],
            "times": 1,
        },
    ]


def test_github_commands_are_escaped() -> None:
    diagnostic = Mismatch(left="100%: a,b", span=span_of(SPEC, "Add", "a,b:c%.yaml"), cure="first\nsecond")
    assert render_github([diagnostic, Unused()]) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=5,endLine=5,col=12,endColumn=15,title=NS998"
        "::Add cannot combine 100%25: a,b and 64%0Ahelp: first%0Asecond\n"
        "::warning title=NS999::nothing reads this\n"
    )
