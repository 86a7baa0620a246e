"""Where a piece of spec text stands: a Source and the Spans that point into it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


@dataclass(frozen=True, eq=False)
class Source:
    """The text of one spec file, as it was decoded.

    `name` is what messages call it: the path that the user gave, `<stdin>`, or a model's metadata.
    """

    name: str
    text: str = field(repr=False)

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets of the first character of every line; lines end in LF, CRLF or CR."""
        starts = [0]
        text = self.text
        at = 0
        while True:
            line_feed = text.find("\n", at)
            carriage = text.find("\r", at, None if line_feed < 0 else line_feed)
            if carriage >= 0 and text[carriage : carriage + 2] != "\r\n":
                at = carriage + 1
            elif line_feed >= 0:
                at = line_feed + 1
            else:
                return starts
            starts.append(at)

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based (line, column) of an offset; columns count characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its line break."""
        starts = self.line_starts
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")


class Span(NamedTuple):
    """Characters `start` up to but not including `end` of a source; lines are found when asked for."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def end_line(self) -> int:
        return self.source.position(max(self.start, self.end))[0]

    @property
    def end_column(self) -> int:
        return self.source.position(max(self.start, self.end))[1]

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
