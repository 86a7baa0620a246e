"""Diagnostics for a terminal, for a program (JSON), and for GitHub's annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netspec.diagnostics.diagnostic import Diagnostic, Note, Severity, printable
from netspec.diagnostics.listing import WIDTH, Mark, listing, same_source
from netspec.diagnostics.span import Span
from netspec.diagnostics.styled import Line, paint

NOTE_LIMIT = 12
"""Notes shown of one diagnostic; a deep chain of blocks can have a hundred."""


def render_text(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """The diagnostics with their source lines, for a terminal of 80 columns, and a line that counts them.

    Nothing in it can move a cursor or reorder text: what a file holds of such characters is spelled out.
    """
    found = tuple(diagnostics)
    blocks = ["\n".join(paint(line, color) for line in _block(diagnostic)) + "\n" for diagnostic in found]
    if found:
        blocks.append(summary(found) + "\n")
    return "\n".join(blocks)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many there are: `2 errors, 1 warning`; empty where there are none."""
    severities = [diagnostic.severity for diagnostic in diagnostics]
    counts = [(severities.count(severity), str(severity)) for severity in Severity]
    return ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for count, word in counts if count)


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list with an object for each diagnostic; lines and columns count from 1, ends are exclusive."""
    import json  # here, since only programs ask for it

    return json.dumps([_record(diagnostic) for diagnostic in diagnostics], indent=2)


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """One workflow command a line; GitHub shows them beside the lines of a pull request."""
    return "".join(_command(diagnostic) + "\n" for diagnostic in diagnostics)


def _block(diagnostic: Diagnostic) -> Iterator[Line]:
    """The lines of one diagnostic: what and where, the source, notes, the cure."""
    style = f"bold {'red' if diagnostic.severity is Severity.ERROR else 'yellow'}"
    where = f"{printable(str(diagnostic.span))}: " if diagnostic.span else ""
    times = f" ({diagnostic.times} times)" if diagnostic.times > 1 else ""
    head = (f"{diagnostic.severity}[{diagnostic.code}]", style)
    yield [(where, "bold"), head, (f": {printable(diagnostic.text)}{times}", "bold")]

    shown, left = diagnostic.notes[:NOTE_LIMIT], len(diagnostic.notes) - NOTE_LIMIT
    here, elsewhere, placeless = _sorted_notes(diagnostic.span, shown)
    if diagnostic.span:
        label = printable(diagnostic.fill(diagnostic.label))
        marks = [Mark(diagnostic.span, label, "^", style)]
        marks += [Mark(span, printable(note.text), "-", "blue") for note, span in here]
        yield from listing(diagnostic.span.source, marks)
    for note, span in elsewhere:
        yield [("  --> ", "blue"), (printable(str(span)), "")]
        yield from listing(span.source, [Mark(span, printable(note.text), "-", "blue")])
    for note in placeless:
        yield from _remark("note", note.text)
    if left > 0:
        yield from _remark("note", f"and {left} more")
    if diagnostic.help:
        yield from _remark("help", diagnostic.fill(diagnostic.help))


def _sorted_notes(
    span: Span | None, notes: Sequence[Note]
) -> tuple[list[tuple[Note, Span]], list[tuple[Note, Span]], list[Note]]:
    """Notes in the text of `span`, in other texts, and without a place."""
    here, elsewhere, placeless = [], [], []
    for note in notes:
        if note.span is None:
            placeless.append(note)
        elif span and same_source(note.span.source, span.source) and note.span.source.text:
            here.append((note, note.span))
        else:
            elsewhere.append((note, note.span))
    return here, elsewhere, placeless


def _remark(kind: str, text: str) -> Iterator[Line]:
    """`= help: …`, its further lines below its first, none wider than the terminal if its words are not."""
    indent = len(kind) + 7
    lines = [part for line in text.split("\n") for part in _wrapped(printable(line), WIDTH - indent)]
    yield [("   = ", "blue"), (f"{kind}: ", "bold"), (lines[0], "")]
    for line in lines[1:]:
        yield [(" " * indent + line, "")]


def _wrapped(line: str, width: int) -> Iterator[str]:
    """`line` broken at spaces; what it is indented by, it keeps."""
    while len(line) > width:
        at = line.rfind(" ", 0, width + 1)
        if not line[: at + 1].strip():
            at = line.find(" ", width)
        if at < 0:
            break
        yield line[:at]
        line = line[at + 1 :]
    yield line


def _place(span: Span | None) -> dict[str, str | int | None]:
    names = ("file", "line", "column", "end_line", "end_column")
    if span is None:
        return dict.fromkeys(names)
    values = (span.source.name, span.line, span.column, span.end_line, span.end_column)
    return dict(zip(names, values, strict=True))


def _record(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.text,
        "label": diagnostic.fill(diagnostic.label) or None,
        "help": diagnostic.fill(diagnostic.help) or None,
        **_place(diagnostic.span),
        "notes": [{"message": note.text, **_place(note.span)} for note in diagnostic.notes],
        "times": diagnostic.times,
    }


def _command(diagnostic: Diagnostic) -> str:
    properties = {"title": diagnostic.code}
    if span := diagnostic.span:
        properties = {
            "file": printable(span.source.name),
            "line": str(span.line),
            "endLine": str(span.end_line),
            "col": str(span.column),
            "endColumn": str(span.end_column),
        } | properties
    text = printable(diagnostic.text)
    if diagnostic.help:
        text += "\nhelp: " + "\n".join(map(printable, diagnostic.fill(diagnostic.help).split("\n")))
    written = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{diagnostic.severity} {written}::{_escaped(text)}"


def _escaped(text: str, further: str = "") -> str:
    """`text` with the characters that end or divide a workflow command as percent codes."""
    for character in "%\r\n" + further:  # the percent sign first, since the others bring their own
        text = text.replace(character, f"%{ord(character):02X}")
    return text
