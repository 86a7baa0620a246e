"""What is wrong with text that YAML cannot read: the parser's complaint turned into cause and cure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic, Note, Source, Span, spell
from netspec.language.tree import Tree, Unclosed

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError

EXPRESSION_LIMIT = 200  # characters within which the end of an expression is looked for

_KEY_WITHOUT_SPACE = re.compile(r"[ \t-]*(\w+:)(?=[^\s:])")


def explain(error: MarkedYAMLError, source: Source, open_trees: Sequence[Tree]) -> Diagnostic:
    """The diagnostic for a parser's error; `open_trees` are the containers around it, the outermost first.

    libyaml and PyYAML word their complaints differently; what is looked for is in both.
    """
    site = _Site(error, source, open_trees)
    problem = site.problem
    if site.character == "\t":
        return TabIndentation(span=site.span)
    if "quoted scalar" in site.context:
        return site.in_quotes()
    if "flow" in site.context or (site.bracket is not None and "node content" in problem):
        return site.in_brackets(site.bracket if site.bracket is not None else site.context_at)
    if "mapping values are not allowed" in problem:
        return site.second_colon()
    if "could not find expected ':'" in problem:
        return site.missing_colon()
    if "block mapping" in site.context or "block collection" in site.context or "node content" in problem:
        return site.in_block()
    for words, mistake in _MISTAKES:
        if words in problem or words in site.context:
            return YamlSyntax(mistake=mistake, span=site.context_span)
    return YamlSyntax(mistake=problem, span=site.span)


def misread_value(source: Source, start: int, end: int) -> Diagnostic | None:
    """The diagnostic for a plain scalar that YAML reads, but hardly as it was meant."""
    return _split_call(source, start, end) or _folded_item(source, start, end)


def misread_key(source: Source, start: int, end: int) -> Diagnostic | None:
    """The diagnostic for `a:1` in `{a:1}` and for `a:{b` in `a:{b: 1}`, which YAML reads as keys."""
    text = source.text
    found = re.match(r"\w+:", text[start:end])
    if found is None or not (
        text[end : end + 1] in (",", "}") or text[start + found.end() : end][:1] in ("[", "{")
    ):
        return None
    return SpaceMissing(key=found[0], span=Span(source, start, start + found.end()))


def _split_call(source: Source, start: int, end: int) -> Diagnostic | None:
    """The diagnostic for `max($a` as the head of `{k: max($a, $b)}`, which YAML splits at the comma."""
    text = source.text
    if text.count("(", start, end) <= text.count(")", start, end):
        return None
    near = text[start : start + EXPRESSION_LIMIT]
    if "$" not in near or ")" not in near:
        return None
    end = _expression_end(text, start)
    written = text[start:end]
    if "$" in written and written.count("(") == written.count(")"):
        return ExpressionUnquoted(written=written, span=Span(source, start, end))
    return None


def _folded_item(source: Source, start: int, end: int) -> Diagnostic | None:
    """The diagnostic for a dash that is indented too far, so that YAML folds its item into the one above."""
    found = re.search(r"[\r\n]([ \t]*)-[ \t]", source.text[start:end])
    if found is None or "$" in source.text[start:end]:
        return None
    dash = start + found.end(1)
    return Indentation(spaces=len(found[1]), span=Span(source, dash, dash + 1))


def _expression_end(text: str, start: int) -> int:
    """Where an expression in brackets that begins at `start` ends: before a comma or bracket not its own."""
    depth = 0
    for at in range(start, min(len(text), start + EXPRESSION_LIMIT)):
        character = text[at]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        if depth < 0 or character in "\r\n" or (character == "," and depth == 0):
            return start + len(text[start:at].rstrip())
    return min(len(text), start + EXPRESSION_LIMIT)


class _Site:
    """Where a parser stopped, and what stands around."""

    def __init__(self, error: MarkedYAMLError, source: Source, open_trees: Sequence[Tree]) -> None:
        self.source = source
        self.text = text = source.text
        self.problem = str(error.problem or "")
        self.context = str(error.context or "")
        self.at = min(error.problem_mark.index, len(text)) if error.problem_mark else 0
        self.context_at = min(error.context_mark.index, len(text)) if error.context_mark else self.at
        self.character = text[self.at : self.at + 1]
        self.line_number, column = source.position(self.at)
        self.line_start = self.at - column + 1
        self.before = text[self.line_start : self.at]  # on the same line
        brackets = [tree.start for tree in open_trees if text[tree.start : tree.start + 1] in ("[", "{")]
        self.bracket = brackets[-1] if brackets else None  # the innermost one that is open

    @property
    def span(self) -> Span:
        return self.span_of(self.at, self.at + 1)

    @property
    def context_span(self) -> Span:
        """Where the thing began that the parser could not read, when that is on the same line."""
        start = self.context_at if self.line_start <= self.context_at < self.at else self.at
        return self.span_of(start, max(self.at, start + 1))

    def span_of(self, start: int, end: int) -> Span:
        return Span(self.source, start, min(end, len(self.text)))

    def syntax(self, mistake: str) -> Diagnostic:
        return YamlSyntax(mistake=mistake, span=self.span)

    def unclosed(self, opening: int, *notes: Note) -> Diagnostic:
        span = self.span_of(opening, opening + 1)
        return Unclosed(opening=self.text[opening : opening + 1], span=span, notes=notes)

    def in_quotes(self) -> Diagnostic:
        if re.match(r"[dD][89a-fA-F]", self.text[self.at :][:2]):
            return self.syntax("surrogate")
        if "escape" in self.problem or "hex" in self.problem:
            return self.syntax("escape")
        return self.unclosed(self.context_at)

    def in_brackets(self, opening: int) -> Diagnostic:
        if not self.text[self.at :].strip():
            return self.unclosed(opening)
        delimiters = list(re.finditer(r"[,\[{]|:\s", self.before))
        start = self.line_start + (delimiters[-1].end() if delimiters else 0)
        start += len(self.text[start : self.at]) - len(self.text[start : self.at].lstrip())
        end = _expression_end(self.text, start)
        if "$" in self.text[start:end] and (self.character in ("[", "{") or self.after_quote):
            written = self.text[start:end]
            return ExpressionUnquoted(written=written, span=self.span_of(start, end))
        if self.after_quote:
            return self.syntax("after quote")
        if self.source.position(opening)[0] < self.line_number:
            return self.unclosed(opening, Note("YAML cannot go on here", self.span))
        return self.syntax("empty place" if self.character == "," else "comma")

    @property
    def after_quote(self) -> bool:
        return self.before.rstrip().endswith(("'", '"'))

    def second_colon(self) -> Diagnostic:
        """A colon where no key can be: on the line of another, or below a value that is complete."""
        if found := self.key_without_space(self.line_number) or self.key_without_space(self.line_number - 1):
            return found
        if re.search(r":\s", self.before):
            return self.syntax("second colon")
        if self.line_number > 1:
            above = self.source.line(self.line_number - 1)
            word = re.fullmatch(r"(\s*-\s+)(\w+)\s*", above)
            if word and _indent(self.before) == len(word[1]):
                start = self.source.line_starts[self.line_number - 2] + len(word[1])
                return YamlSyntax(mistake="bare step", span=self.span_of(start, start + len(word[2])))
            if _indent(self.before) > _indent(above):
                return self.indentation()
        return self.syntax("second colon")

    def missing_colon(self) -> Diagnostic:
        """A line among keys that is no key."""
        line, _ = self.source.position(self.context_at)
        if found := self.key_without_space(line):
            return found
        end = self.context_at + len(self.text[self.context_at :].split("\n", 1)[0].rstrip())
        return YamlSyntax(mistake="no colon", span=self.span_of(self.context_at, end))

    def in_block(self) -> Diagnostic:
        """Something that does not fit where it stands among lines."""
        before = self.before.rstrip()
        if self.character in ("]", "}"):
            return self.syntax("bracket")
        if before.endswith(("'", '"')):
            return self.syntax("after quote")
        if before.endswith(("]", "}")):
            return self.syntax("after bracket")
        column, expected = self.source.position(self.at)[1], self.source.position(self.context_at)[1]
        if column == expected and "node content" not in self.problem:
            if self.character == ":":
                return self.syntax("empty key")
            return self.syntax("item among keys" if "mapping" in self.context else "key among items")
        return self.indentation()

    def indentation(self) -> Diagnostic:
        notes: tuple[Note, ...] = ()
        if self.context_at < self.line_start:
            notes = (
                Note("it may belong to what begins here", self.span_of(self.context_at, self.context_at + 1)),
            )
        return Indentation(spaces=_indent(self.before), span=self.key_span, notes=notes)

    @property
    def key_span(self) -> Span:
        """From the first character of the line to the problem."""
        start = self.line_start + _indent(self.before)
        return self.span_of(start, max(self.at, start + 1))

    def key_without_space(self, number: int) -> Diagnostic | None:
        """The diagnostic for a line `key:value`."""
        found = _KEY_WITHOUT_SPACE.match(self.source.line(number)) if number else None
        if found is None:
            return None
        start = self.source.line_starts[number - 1]
        return SpaceMissing(key=found[1], span=self.span_of(start + found.start(1), start + found.end(1)))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


class ExpressionUnquoted(Diagnostic):
    """An expression whose brackets or commas YAML takes for its own."""

    code = "NS119"
    message = "YAML takes a part of the expression {shown} for its own syntax"

    written: str

    @property
    def shown(self) -> str:
        return spell(self.written)

    @property
    def help(self) -> str:
        return "put quotes around it: {quote}{shown}{quote}"

    @property
    def quote(self) -> str:
        return "'" if '"' in self.written else '"'


class TabIndentation(Diagnostic):
    """A tab where YAML counts spaces."""

    code = "NS121"
    message = "YAML does not allow a tab here"

    @property
    def help(self) -> str:
        return "indent with spaces; editors can turn tabs into spaces"


class Indentation(Diagnostic):
    """A line that belongs to no block by its indentation."""

    code = "NS122"
    message = "the indentation of this line ({spaces_text}) fits nothing above it"

    spaces: int

    @property
    def spaces_text(self) -> str:
        return "1 space" if self.spaces == 1 else f"{self.spaces} spaces"

    @property
    def help(self) -> str:
        return "the keys of one mapping, and the dashes of one list, stand exactly below one another"


class SpaceMissing(Diagnostic):
    """`key:value`."""

    code = "NS123"
    message = "a space is missing after {key}"

    key: str

    @property
    def help(self) -> str:
        return "write the key, a colon, a space, then the value"


class YamlSyntax(Diagnostic):
    """A mistake that YAML's grammar forbids; `mistake` is a key of _PROSE, or the parser's own words."""

    code = "NS124"
    message = "{cause}"

    mistake: str

    @property
    def cause(self) -> str:
        return (
            _PROSE[self.mistake][0] if self.mistake in _PROSE else f"this is not valid YAML: {self.mistake}"
        )

    @property
    def help(self) -> str:
        return _PROSE[self.mistake][1] if self.mistake in _PROSE else ""


_PROSE = {
    "escape": ("this is no escape that YAML knows", "write \\\\ for a backslash, or use single quotes"),
    "surrogate": (
        "YAML has no surrogate escapes",
        "write the character itself, or its code with eight digits after a capital \\U",
    ),
    "empty key": ("no key stands before this colon", "write the key, a colon, a space, then the value"),
    "after quote": (
        "the value ended with its closing quote; nothing can follow it here",
        "put quotes around the whole value, or separate two values",
    ),
    "after bracket": (
        "the value ended with its closing bracket; nothing can follow it here",
        "remove what follows, or put it on a line of its own",
    ),
    "bracket": ("this bracket closes nothing", "remove it, or add the bracket that opens"),
    "comma": (
        "a comma or the closing bracket is expected here",
        "separate entries with commas; put quotes around text that holds colons or brackets",
    ),
    "empty place": ("a value is expected before this comma", "remove the comma, or write the value"),
    "second colon": (
        "a second colon in one line: a value cannot be a key",
        "put quotes around a value that holds a colon, or begin a new line",
    ),
    "bare step": (
        "a step with further keys below it needs a colon",
        "write the colon after the operation's name",
    ),
    "no colon": (
        "this line stands among keys but has no colon",
        "write key: value, or indent it as the value above",
    ),
    "item among keys": (
        "a list item stands among the keys of a mapping",
        "indent the list, or give it a key",
    ),
    "key among items": ("a key stands among the items of a list", "begin it with a dash, or indent it"),
    "dash": (
        "a list cannot begin on the line of its key",
        "begin it on the next line, or write it in brackets; put quotes around text that begins with a dash",
    ),
    "reserved": ("YAML allows no value to begin with this character", "put quotes around the value"),
    "block scalar": (
        "> and | announce text on the lines below; nothing can follow them on theirs",
        "put quotes around a value that begins with > or |",
    ),
    "anchor": (
        "YAML takes * and & for the names of anchors",
        "put quotes around a value that begins with * or &",
    ),
    "tag": ("YAML takes ! for the beginning of a tag", "put quotes around a value that begins with !"),
    "directive": (
        "YAML takes a line that begins with % for a directive",
        "remove the line; a spec needs no directives",
    ),
    "document": ("nothing can follow the end of the document", "remove the line with the three dots"),
}

_MISTAKES = (
    ("sequence entries are not allowed", "dash"),
    ("cannot start any token", "reserved"),
    ("block scalar", "block scalar"),
    ("an alias", "anchor"),
    ("an anchor", "anchor"),
    ("a tag", "tag"),
    ("tag handle", "tag"),
    ("directive", "directive"),
    ("%YAML", "directive"),
    ("<document start>", "document"),
)
