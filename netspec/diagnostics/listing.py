"""Source lines with marks below them: the picture in the middle of a diagnostic."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from netspec.diagnostics.span import Source, Span
from netspec.diagnostics.styled import Line

WIDTH = 80
"""Columns of the terminal that listings are made for."""

TAB = "→   "
"""What a tab is shown as."""

CUT = "…"
LEAD = 12  # columns of a long line that are shown before the mark, where there is room


class Mark(NamedTuple):
    """A span to underline with `stroke`, and the words beside the strokes."""

    span: Span
    label: str
    stroke: str
    style: str


def listing(source: Source, marks: Sequence[Mark]) -> Iterator[Line]:
    """The lines of `source` that are marked, in order, each above its marks; none of an empty source."""
    if not source.text:
        return
    by_line: dict[int, list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: (mark.span.start, mark.stroke != "^")):
        by_line.setdefault(mark.span.line, []).append(mark)
    digits = max(len(str(max(by_line))), 2)
    blank = (" " * digits + " | ", "blue")
    yield [(blank[0].rstrip(), "blue")]
    for number, on_line in by_line.items():
        text = source.line(number)
        view: _View | None = None
        for mark in on_line:
            start, end = _columns(mark.span, len(text))
            if view is None or not view.shows(start):
                view = _View(text, start, end, WIDTH - len(blank[0]))
                yield [(f"{number:>{digits}} | ", "blue"), (view.text, "")]
            for row in view.underline(mark, start, end):
                yield [blank, *row]


def same_source(one: Source, other: Source) -> bool:
    """Whether two sources are one text by one name, so that their lines can stand in one listing."""
    return one is other or (one.name == other.name and one.text == other.text)


def _columns(span: Span, length: int) -> tuple[int, int]:
    """The characters of the span on its first line: `start` up to but not including `end`."""
    start = min(span.column - 1, length)
    end = length if span.end_line > span.line else min(span.end_column - 1, length)
    return start, max(start, end)


class _View:
    """As much of a source line as fits `width` columns, around characters `start` to `end`.

    Each character is shown by something printable. `first` and `last` are the characters at the edges, the
    last one excluded.
    """

    def __init__(self, text: str, start: int, end: int, width: int) -> None:
        self.width = width
        base = max(start - width, 0)  # what is far off in a line of millions is not looked at
        cells = [_shown(character) for character in text[base : start + width]]
        offsets = [0, *accumulate(map(_width, cells))]  # the column at which each character begins
        if base == 0 and offsets[-1] <= width and len(text) == len(cells):
            low, high = 0, len(cells)
        else:
            room = width - 2 * len(CUT)
            at = start - base
            marked = offsets[min(end - base, len(cells))] - offsets[at]
            lead = max(room - marked - LEAD, LEAD)
            low = bisect_left(offsets, offsets[at] - lead, 0, at)
            high = bisect_right(offsets, offsets[low] + room) - 1
        self.first, self.last = base + low, base + high
        self._is_end = self.last == len(text)
        self._lead = CUT if self.first else ""
        self._offsets = [offset - offsets[low] + len(self._lead) for offset in offsets[low : high + 1]]
        self.text = self._lead + "".join(cells[low:high]) + ("" if self._is_end else CUT)

    def shows(self, start: int) -> bool:
        return self.first <= start < self.last or (start == self.last and self._is_end)

    def underline(self, mark: Mark, start: int, end: int) -> Iterator[Line]:
        """The strokes under characters `start` to `end`, and the label beside them or, if too long, below."""
        column = self._offsets[start - self.first]
        length = max(self._offsets[min(end, self.last) - self.first] - column, 1)
        strokes = mark.stroke * length
        if column + length + 1 + len(mark.label) <= self.width:
            yield [(" " * column, ""), (f"{strokes} {mark.label}".rstrip(), mark.style)]
            return
        yield [(" " * column, ""), (strokes, mark.style)]
        yield [(" " * max(min(column, self.width - len(mark.label)), 0), ""), (mark.label, mark.style)]


def _shown(character: str) -> str:
    """A printable stand-in: controls, bidirectional marks and half surrogates cannot act on a terminal."""
    if character.isprintable():
        return character
    return TAB if character == "\t" else character.encode("unicode_escape").decode()


def _width(cell: str) -> int:
    """Columns that a terminal gives a cell: none to combining marks, two to wide characters."""
    if cell.isascii() or cell in (TAB, CUT):
        return len(cell)
    from unicodedata import category, east_asian_width  # here, since most specs are ASCII

    return sum(
        0 if category(character) in ("Mn", "Me") else 2 if east_asian_width(character) in "WF" else 1
        for character in cell
    )
