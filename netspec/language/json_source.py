"""JSON text to a Tree: the grammar of RFC 8259, with the place of every value."""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, Source, Span, nearest, spell
from netspec.language.scalars import NumberNotFinite, integer, real
from netspec.language.tree import MAX_DEPTH, DuplicateKey, Entry, TooDeep, Tree, Unclosed

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?(?![\w.+-])")
_WORD = re.compile(r"[^\s,:\[\]{}\"'#]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
_NUMBER_STARTS = tuple("0123456789+-.")
_NOT_FINITE = frozenset(("nan", "-nan", "infinity", "-infinity", "inf", "-inf"))


def parse_json(source: Source) -> Tree:
    """The one value of a JSON text.

    Errors: NS110 to NS113, NS120, NS125 to NS129, each with its place.
    """
    reader = _Reader(source)
    root = reader.value()
    while reader.open:
        reader.step()
    reader.finish()
    return root


class _Reader:
    """A place that moves through the text; the open containers are a stack, so depth costs no recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.at = 0
        self.open: list[tuple[Tree, list[Tree] | dict[str, Entry]]] = []  # with its items or entries

    def value(self) -> Tree:
        """The scalar that comes next, or the container that opens next; that one is filled by `step`."""
        character = self.peek()
        start = self.at
        if character == '"':
            text = self.string()
            return Tree(self.source, start, self.at, text)
        if character in ("[", "{"):
            return self.container(character)
        if number := _NUMBER.match(self.text, start):
            self.at = number.end()
            return Tree(self.source, start, self.at, self.number(number))
        word = _WORD.match(self.text, start)
        if word is None or word[0] not in _WORDS:
            raise DiagnosticError(self.wrong("a value"))
        self.at = word.end()
        return Tree(self.source, start, self.at, _WORDS[word[0]])

    def container(self, bracket: str) -> Tree:
        if len(self.open) >= MAX_DEPTH:
            raise DiagnosticError(TooDeep(span=self.span(1)))
        start = self.at
        self.at += 1
        if bracket == "[":
            items: list[Tree] = []
            tree = Tree(self.source, start, self.at, [], items)
            self.open.append((tree, items))
        else:
            entries: dict[str, Entry] = {}
            tree = Tree(self.source, start, self.at, {}, entries=entries)
            self.open.append((tree, entries))
        return tree

    def step(self) -> None:
        """One item or entry of the innermost open container, or its closing bracket."""
        tree, children = self.open[-1]
        closing = "]" if isinstance(children, list) else "}"
        character = self.peek()
        if character != closing and children:
            if character != ",":
                raise DiagnosticError(self.wrong(f"a comma or {closing}"))
            comma = self.at
            self.at += 1
            if self.peek() == closing:
                raise DiagnosticError(TrailingComma(span=Span(self.source, comma, comma + 1)))
        elif character == closing:
            self.at += 1
            tree.end = self.at
            self.open.pop()
            return
        if isinstance(children, list):
            child = self.value()
            children.append(child)
            tree.value.append(child.value)
        else:
            key, start, end = self.key(children)
            child = self.value()
            children[key] = Entry(start, end, child)
            tree.value[key] = child.value

    def key(self, entries: dict[str, Entry]) -> tuple[str, int, int]:
        """A key and its colon."""
        if self.peek() != '"':
            raise DiagnosticError(self.wrong("a key in double quotes"))
        start = self.at
        key = self.string()
        end = self.at
        if first := entries.get(key):
            note = Note("first written here", Span(self.source, first.key_start, first.key_end))
            raise DiagnosticError(DuplicateKey(key=key, span=Span(self.source, start, end), notes=(note,)))
        if self.peek() != ":":
            raise DiagnosticError(self.wrong("a colon"))
        self.at += 1
        return key, start, end

    def finish(self) -> None:
        if self.peek():
            raise DiagnosticError(self.wrong("the end of the file"))

    def peek(self) -> str:
        """The next character that is not white space; empty at the end of the text."""
        if space := _SPACE.match(self.text, self.at):
            self.at = space.end()
        return self.text[self.at : self.at + 1]

    def string(self) -> str:
        start = self.at
        try:
            value: str
            value, self.at = scanstring(self.text, start + 1, True)
        except JSONDecodeError as error:
            at = min(error.pos, len(self.text))
            if self.text[at : at + 1] in ("", "\n", "\r") or at == start:
                raise DiagnosticError(Unclosed(opening='"', span=self.span(1))) from None
            raise DiagnosticError(
                JsonString(reason=_string_reason(error.msg), span=Span(self.source, at, at + 1))
            ) from None
        if not value.isascii() and _SURROGATE.search(value):
            raise DiagnosticError(JsonString(reason="surrogate", span=Span(self.source, start, self.at)))
        return value

    def number(self, match: re.Match[str]) -> int | float:
        try:
            return integer(match[0]) if match[1] is match[2] is None else real(match[0])
        except DiagnosticError as error:
            raise DiagnosticError(error.diagnostics[0].at(Span(self.source, *match.span()))) from None

    def span(self, length: int) -> Span:
        return Span(self.source, self.at, min(self.at + length, len(self.text)))

    def wrong(self, expected: str) -> Diagnostic:
        """The diagnostic for what stands here in the place of `expected`."""
        here = self.text[self.at : self.at + 2]
        if not here and self.open:
            bracket = self.open[-1][0].start
            opening = self.text[bracket]
            return Unclosed(opening=opening, span=Span(self.source, bracket, bracket + 1))
        if here in ("//", "/*") or here[:1] == "#":
            return JsonComment(span=self.span(len(here.rstrip())))
        word = _WORD.match(self.text, self.at)
        if here[:1] == "'" or (word and (word[0][0].isalpha() or word[0][0] in "_$")):
            return self.unquoted(word[0] if word else "'", expected)
        if word and word[0].lower() in _NOT_FINITE:
            return NumberNotFinite(written=word[0], span=self.span(len(word[0])))
        return JsonSyntax(expected=expected, found=word[0] if word else here[:1], span=self.span(1))

    def unquoted(self, word: str, expected: str) -> Diagnostic:
        """The diagnostic for a word that is no JSON, or for single quotes."""
        if "value" in expected and word.lower() in _NOT_FINITE:
            return NumberNotFinite(written=word, span=self.span(len(word)))
        if "value" in expected or "key" in expected:
            return JsonQuotes(word=word, span=self.span(len(word)))
        return JsonSyntax(expected=expected, found=word, span=self.span(len(word)))


class JsonSyntax(Diagnostic):
    """Something else than the grammar allows."""

    code = "NS125"
    message = "{expected} is expected here, not {found_text}"

    expected: str
    found: str

    @property
    def found_text(self) -> str:
        return spell(self.found) if self.found else "the end of the file"

    @property
    def help(self) -> str:
        if "value" in self.expected and self.found[:1] in _NUMBER_STARTS:
            return (
                "JSON writes numbers as 12, -3, 0.5 or 1e-4: no leading +, 0 or point, no hexadecimal digits"
            )
        if self.found == "," or "comma" in self.expected:
            return "one comma stands between two entries"
        return "this text is read as JSON; the names of YAML files end in .yaml"


class JsonComment(Diagnostic):
    """`//`, `/*` or `#`."""

    code = "NS126"
    message = "JSON has no comments"

    @property
    def help(self) -> str:
        return "remove it, or write the spec as YAML, where # begins a comment"


class TrailingComma(Diagnostic):
    """A comma before a closing bracket."""

    code = "NS127"
    message = "JSON allows no comma after the last entry"

    @property
    def help(self) -> str:
        return "remove the comma"


class JsonQuotes(Diagnostic):
    """A word without quotes, or text in single quotes; `word` is the word, or the single quote."""

    code = "NS128"
    message = "{what}"

    word: str

    @property
    def what(self) -> str:
        if self.word == "'":
            return "JSON has double quotes only"
        return f"{spell(self.word)} is no JSON value; text stands in double quotes"

    @property
    def shown(self) -> str:
        return spell(self.word)

    @property
    def help(self) -> str:
        if self.word == "'":
            return "write double quotes on both sides"
        if self.word.lower() in ("none", "nil"):
            return "did you mean null?"
        return "did you mean {near}?" if self.near else 'write "{shown}"'

    @property
    def near(self) -> str | None:
        return nearest(self.word, _WORDS)


class JsonString(Diagnostic):
    """A string's contents; `reason` is a key of the table of its prose."""

    code = "NS129"
    message = "{cause}"

    reason: str

    @property
    def cause(self) -> str:
        return _STRING_PROSE[self.reason][0]

    @property
    def help(self) -> str:
        return _STRING_PROSE[self.reason][1]


_STRING_PROSE = {
    "control": (
        "a control character cannot stand in a JSON string",
        "delete it (it may be invisible), or write it as an escape such as \\t",
    ),
    "escape": (
        "this is no escape that JSON knows",
        r"write \\ for a backslash; the escapes are \" \\ \/ \b \f \n \r \t and \uXXXX",
    ),
    "surrogate": (
        "this text holds half of a pair of surrogates, which is no character",
        r"write both halves, \uD800 to \uDBFF and then \uDC00 to \uDFFF, or the character itself",
    ),
}


def _string_reason(words: str) -> str:
    """The key of _STRING_PROSE for the words of the standard library's scanner."""
    return "control" if "control" in words else "escape"
