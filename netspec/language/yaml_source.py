"""YAML text to a Tree: libyaml's events, the core schema of YAML 1.2, and nothing that surprises.

Anchors, aliases, merge keys, tags, directives for tags and further documents are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.reader import ReaderError

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, Source, Span, spell
from netspec.language.scalars import STRING_STARTS, resolve
from netspec.language.tree import MAX_DEPTH, DuplicateKey, Entry, TooDeep, Tree

try:
    from yaml._yaml import CParser as Parser
except ImportError:  # PyYAML built without libyaml: the same events, ten times slower
    from yaml import Loader as Parser  # type: ignore[assignment]


def parse_yaml(source: Source) -> Tree | None:
    """The one document of a YAML text, or None where there is nothing but white space and comments.

    Errors: NS109 to NS124, each with its place.
    """
    if not source.text.isascii():
        _refuse_characters(source)
    composer = _Composer(source)
    try:
        return composer.run()
    except MarkedYAMLError as error:
        from netspec.language.yaml_mistakes import explain  # here: good specs do without

        raise DiagnosticError(explain(error, source, [frame.tree for frame in composer.frames])) from None
    except ReaderError as error:
        _refuse_characters(source)
        raise AssertionError("the YAML reader refuses a character that netspec allows") from error


# What YAML forbids, and what its versions disagree about: NEL, LS and PS break lines in one of them only.
_REFUSED = (
    "[^\\t\\n\\r\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)


def _refuse_characters(source: Source) -> None:
    if found := re.search(_REFUSED, source.text):  # compiled here: it takes longer than most specs
        raise DiagnosticError(IllegalCharacter(character=found[0], span=Span(source, *found.span())))


class _Frame:
    """An open list (its `items`) or mapping (its `entries`, and the key that waits for its value)."""

    __slots__ = ("entries", "items", "key", "key_end", "key_start", "tree", "values")

    def __init__(self, tree: Tree, items: list[Tree] | None, entries: dict[str, Entry] | None) -> None:
        self.tree = tree
        self.items = items
        self.entries = entries
        self.values = tree.value
        self.key: str | None = None
        self.key_start = self.key_end = 0


class _Composer:
    """Builds the tree from events. The open containers are a stack, so depth costs no recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Tree | None = None
        self.frames: list[_Frame] = []  # the containers around the next event, the outermost first
        self.frame: _Frame | None = None  # the innermost

    def run(self) -> Tree | None:
        handlers: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self.scalar,
            MappingStartEvent: self.begin,
            SequenceStartEvent: self.begin,
            MappingEndEvent: self.end,
            SequenceEndEvent: self.end,
            DocumentStartEvent: self.document,
            AliasEvent: self.alias,
        }
        next_event = Parser(self.source.text).get_event
        while (event := next_event()) is not None:
            if handle := handlers.get(event.__class__):
                handle(event)
        return self.root

    def scalar(self, event: Any) -> None:
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        style = event.style
        if event.tag is not None or event.anchor is not None:
            raise DiagnosticError(_decoration(event, self.source))
        value = word = event.value
        if not style:
            if word[:1] not in STRING_STARTS:
                value = self.resolved(word, start, end)
            elif "(" in word or " - " in word:
                self.doubt(start, end, key=False)
        elif style in "|>":
            end = start + len(self.source.text[start:end].rstrip())  # the mark is at the next token
        frame = self.frame
        if frame is None or frame.key is not None or frame.entries is None:
            self.attach(Tree(self.source, start, end, value))
            return
        if value.__class__ is not str or (word == "<<" and not style):
            raise DiagnosticError(_bad_key(word, Span(self.source, start, end)))
        if word in frame.entries:
            raise DiagnosticError(_duplicate(self.source, word, frame.entries[word], start, end))
        if ":" in word and not style:
            self.doubt(start, end, key=True)
        frame.key = word
        frame.key_start = start
        frame.key_end = end

    def doubt(self, start: int, end: int, key: bool) -> None:
        """Refuse a plain scalar that YAML reads, but hardly as it was meant."""
        from netspec.language.yaml_mistakes import misread_key, misread_value  # here: few specs need it

        if mistake := (misread_key if key else misread_value)(self.source, start, end):
            raise DiagnosticError(mistake)

    def resolved(self, word: str, start: int, end: int) -> object:
        """The value of a plain scalar, its diagnostics placed."""
        try:
            return resolve(word)
        except DiagnosticError as error:
            raise DiagnosticError(error.diagnostics[0].at(Span(self.source, start, end))) from None

    def begin(self, event: Any) -> None:
        """A list or mapping opens; it hangs in its place at once, still empty."""
        start: int = event.start_mark.index
        frame = self.frame
        if event.tag is not None or event.anchor is not None:
            raise DiagnosticError(_decoration(event, self.source))
        if len(self.frames) >= MAX_DEPTH:
            raise DiagnosticError(TooDeep(span=Span(self.source, start, start + 1)))
        if frame is not None and frame.entries is not None and frame.key is None:
            raise DiagnosticError(KeyNotText(written=None, span=Span(self.source, start, start + 1)))
        if event.__class__ is MappingStartEvent:
            entries: dict[str, Entry] = {}
            tree = Tree(self.source, start, start, {}, entries=entries)
            inner = _Frame(tree, None, entries)
        else:
            items: list[Tree] = []
            tree = Tree(self.source, start, start, [], items)
            inner = _Frame(tree, items, None)
        self.attach(tree)
        self.frames.append(inner)
        self.frame = inner

    def attach(self, tree: Tree) -> None:
        """Hang a value into the innermost container."""
        frame = self.frame
        if frame is None:
            self.root = tree
        elif frame.items is not None:
            frame.items.append(tree)
            frame.values.append(tree.value)
        elif frame.entries is not None and (key := frame.key) is not None:
            frame.entries[key] = Entry(frame.key_start, frame.key_end, tree)
            frame.values[key] = tree.value
            frame.key = None

    def end(self, event: Any) -> None:
        """The innermost list or mapping closes, with a bracket or by indentation."""
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        frame = self.frames.pop()
        frame.tree.end = end if end > start else _last_end(frame)
        self.frame = self.frames[-1] if self.frames else None

    def document(self, event: Any) -> None:
        start: int = event.start_mark.index
        if event.tags:
            at = max(self.source.text.find("%TAG", start), 0)
            raise DiagnosticError(TagRefused(written="%TAG", span=Span(self.source, at, at + 4)))
        if self.root is not None:
            raise DiagnosticError(SecondDocument(span=Span(self.source, start, start + 3)))

    def alias(self, event: Any) -> None:
        span = Span(self.source, event.start_mark.index, event.end_mark.index)
        raise DiagnosticError(AnchorRefused(written="*" + event.anchor, span=span))


def _last_end(frame: _Frame) -> int:
    """Where a container without brackets ends: with its last child. Events know only the next token."""
    if frame.items:
        return max(frame.tree.start, frame.items[-1].end)
    if frame.entries:
        last = next(reversed(frame.entries.values()))
        return max(last.key_end, last.value.end)
    return frame.tree.start


def _duplicate(source: Source, key: str, first: Entry, start: int, end: int) -> Diagnostic:
    note = Note("first written here", Span(source, first.key_start, first.key_end))
    return DuplicateKey(key=key, span=Span(source, start, end), notes=(note,))


def _bad_key(word: str, span: Span) -> Diagnostic:
    return MergeKey(span=span) if word == "<<" else KeyNotText(written=word, span=span)


def _decoration(event: Any, source: Source) -> Diagnostic:
    """The diagnostic for an event that carries an anchor or a tag, at that anchor or tag."""
    start: int = event.start_mark.index
    text = source.text[start : event.end_mark.index]
    for word in text.split():  # the mark starts at the first of the two, and they stand in any order
        if word[0] in "&!":
            break
    else:
        word = text
    at = start + max(text.find(word), 0)
    span = Span(source, at, at + len(word))
    if word.startswith("&"):
        return AnchorRefused(written=word, span=span)
    return TagRefused(written=word, span=span)


class IllegalCharacter(Diagnostic):
    """A control character, or a line break of one YAML version only."""

    code = "NS109"
    message = "the character {name} cannot stand in a YAML file"

    character: str

    @property
    def name(self) -> str:
        return f"U+{ord(self.character):04X}"

    @property
    def help(self) -> str:
        if self.character.encode(errors="ignore") == b"":
            return "delete it; it is half of a pair of surrogates, which is no character"
        return "delete it (it may be invisible); inside double quotes it can be written as {escape}"

    @property
    def escape(self) -> str:
        return self.character.encode("unicode_escape").decode()


class AnchorRefused(Diagnostic):
    """`&name` or `*name`."""

    code = "NS114"
    message = "{written_text} is a YAML {kind}, which netspec does not read"

    written: str

    @property
    def written_text(self) -> str:
        return spell(self.written)

    @property
    def kind(self) -> str:
        return "alias" if self.written.startswith("*") else "anchor"

    @property
    def help(self) -> str:
        return "put quotes around text or an expression; to use a part twice, make it a block or a parameter"


class MergeKey(Diagnostic):
    """`<<` as a key."""

    code = "NS115"
    message = "<< is YAML's merge key, which netspec does not read"

    @property
    def help(self) -> str:
        return "write the merged entries out, or make the common part a block with parameters"


class TagRefused(Diagnostic):
    """`!tag`, `!!type` or the `%TAG` directive."""

    code = "NS116"
    message = "{written_text} is a YAML tag, which netspec does not read"

    written: str

    @property
    def written_text(self) -> str:
        return spell(self.written)

    @property
    def help(self) -> str:
        return "remove it; for text that begins with an exclamation mark, put quotes around the text"


class SecondDocument(Diagnostic):
    """A second YAML document in one file."""

    code = "NS117"
    message = "a second YAML document begins here; a spec is one document"

    @property
    def help(self) -> str:
        return "remove this ---, or move what follows into a file of its own"


class KeyNotText(Diagnostic):
    """A key that is null, a boolean or a number, or (`written` is None) a list or a mapping."""

    code = "NS118"
    message = "{what} is not a name; keys are text"

    written: str | None

    @property
    def what(self) -> str:
        if self.written is None:
            return "a list or a mapping as a key"
        return f"the key {spell(self.written)}" if self.written else "an empty key"

    @property
    def help(self) -> str:
        if self.written is None:
            return "remove the brackets, or put quotes around the whole value if it is an expression"
        return 'put quotes around it: "{written}"' if self.written else "write a name before the colon"
