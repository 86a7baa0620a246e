"""A spec's values as they stand in its text: each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from netspec.diagnostics import Diagnostic, Source, Span, spell

MAX_DEPTH = 64
"""Lists and mappings inside one another; no network needs a tenth of it."""


class Tree:
    """A value and the characters `start` to `end` of the source that it was read from.

    `value` is plain Python (None, bool, int, float, str, list, dict) and holds its children's values, not
    copies of them. A list has its children in `items`, a mapping in `entries`; elsewhere both are empty.
    """

    __slots__ = ("end", "entries", "items", "source", "start", "value")

    def __init__(
        self,
        source: Source,
        start: int,
        end: int,
        value: Any,
        items: Sequence[Tree] = (),
        entries: Mapping[str, Entry] = MappingProxyType({}),
    ) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.value = value
        self.items = items
        self.entries = entries

    def __repr__(self) -> str:
        return f"Tree({self.value!r}, {self.start}, {self.end})"

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)

    def key_span(self, key: str) -> Span:
        """Where a key of this mapping is written, its quotes included."""
        entry = self.entries[key]
        return Span(self.source, entry.key_start, entry.key_end)

    def find(self, path: Iterable[str | int]) -> Tree:
        """The deepest tree along a path of keys and indices; parts that do not exist are passed over.

        Passing over is what pydantic's locations need: they name the chosen member of a union too.
        """
        tree = self
        for part in path:
            if isinstance(part, str):
                if part in tree.entries:
                    tree = tree.entries[part].value
            elif 0 <= part < len(tree.items):
                tree = tree.items[part]
        return tree

    def scalar_span(self, start: int, end: int) -> Span:
        """Where characters `start` to `end` of a string's value are written.

        The whole scalar, where the text does not hold the value as it is: escapes, several lines.
        """
        written = self.source.text[self.start : self.end]
        if written == self.value:
            return Span(self.source, self.start + start, self.start + end)
        if written[1:-1] == self.value and written[0] in "'\"":
            return Span(self.source, self.start + 1 + start, self.start + 1 + end)
        return self.span


class Entry:
    """A value of a mapping, and where its key is written."""

    __slots__ = ("key_end", "key_start", "value")

    def __init__(self, key_start: int, key_end: int, value: Tree) -> None:
        self.key_start = key_start
        self.key_end = key_end
        self.value = value


class TooDeep(Diagnostic):
    """Lists and mappings nested beyond MAX_DEPTH."""

    code = "NS110"
    message = "lists and mappings are nested more than {limit} deep"

    limit: int = MAX_DEPTH

    @property
    def help(self) -> str:
        return "close brackets that were left open, or give inner parts a name as blocks"


class DuplicateKey(Diagnostic):
    """A key that a mapping has already."""

    code = "NS111"
    message = "the key {key_text} is written twice in this mapping"

    key: str

    @property
    def key_text(self) -> str:
        return spell(self.key)

    @property
    def help(self) -> str:
        return "keep one of the two; neither would silently win"


class Unclosed(Diagnostic):
    """A bracket or quote that is opened and never closed."""

    code = "NS120"
    message = "this {kind} {opening} is never closed"

    opening: str

    @property
    def kind(self) -> str:
        return "bracket" if self.opening in ("[", "{") else "quote"

    @property
    def label(self) -> str:
        return "opened here"

    @property
    def help(self) -> str:
        return "add the missing {closing}"

    @property
    def closing(self) -> str:
        return {"[": "]", "{": "}"}.get(self.opening, self.opening)
