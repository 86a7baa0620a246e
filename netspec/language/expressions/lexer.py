"""Expression text -> tokens; also which scalars are expressions at all."""

from __future__ import annotations

import re
from typing import ClassVar

from netspec.diagnostics import Diagnostic, printable
from netspec.language.expressions.fault import ExpressionFault
from netspec.language.expressions.values import INT_LIMIT, NumberTooLarge

TEXT_LIMIT = 1_000  # characters of an expression

KEYWORDS = frozenset(("and", "or", "not", "if", "else", "true", "false"))


class Token:
    """One word of an expression: its kind, its value, and the characters that it spans.

    Kinds are `name` (without the `$`), `number`, `string`, `word`, `member` (what follows a dot), `sign`
    (operators, brackets, keywords) and `end`.
    """

    __slots__ = ("end", "kind", "start", "value")

    def __init__(self, kind: str, value: int | float | str, start: int, end: int) -> None:
        self.kind = kind
        self.value = value
        self.start = start
        self.end = end


class TextTooLong(Diagnostic):
    """An expression that no person would write."""

    code: ClassVar[str] = "NS130"
    message: ClassVar[str] = "the expression has {length} characters; at most {limit} are read"
    length: int
    limit: int = TEXT_LIMIT

    @property
    def help(self) -> str:
        return "give parts of it names of their own, as parameters"


class DollarWithoutName(Diagnostic):
    """A `$` that no name follows, or a name in braces, as a shell writes it."""

    code: ClassVar[str] = "NS132"
    message: ClassVar[str] = "a name must follow `$`"
    braced: str = ""

    @property
    def help(self) -> str:
        if self.braced:
            return "names are written without braces: `${braced}`"
        return "`$name` reads a value, in text that then is an expression; a literal dollar is written `$$`"


class DollarInString(Diagnostic):
    """A single `$` between quotes, where it would mean nothing."""

    code: ClassVar[str] = "NS134"
    message: ClassVar[str] = "a `$` between quotes reads no name"

    @property
    def help(self) -> str:
        return "take the name out of the quotes, or write `$$` for a literal dollar"


class DollarOutsideString(Diagnostic):
    """A literal dollar where a value is expected."""

    code: ClassVar[str] = "NS135"
    message: ClassVar[str] = "`$$` is a literal dollar, which stands only in text"

    @property
    def help(self) -> str:
        return "write one `$` before a name; in an expression, text stands in quotes: 'a $$'"


class UnclosedString(Diagnostic):
    """A quote without its partner."""

    code: ClassVar[str] = "NS136"
    message: ClassVar[str] = "the string is not closed: a second {quote} is missing"
    quote: str


class MalformedNumber(Diagnostic):
    """`12px`, `0x10`, `1_000`, `1.2.3`."""

    code: ClassVar[str] = "NS137"
    message: ClassVar[str] = "`{written}` is not a number"
    written: str

    @property
    def help(self) -> str:
        return "numbers in expressions are decimal: 12, 0.5 or 1e-4; a space ends a number"


class NotInLanguage(Diagnostic):
    """Something that other languages have and expressions do not."""

    code: ClassVar[str] = "NS138"
    message: ClassVar[str] = "expressions have no {what} (`{written}`)"
    written: str

    @property
    def what(self) -> str:
        return _REFUSED[self.written][0] if self.written in _REFUSED else "such character"

    @property
    def help(self) -> str:
        if self.written in _REFUSED:
            return _REFUSED[self.written][1]
        if self.written.isalpha():
            return "names consist of A to Z, a to z, digits and `_`; other text stands in quotes"
        return ""


_BITS = ("bit operations", "")
_OPERATOR = "such operator"
_NULL = ("null", "leave the argument out where it is not wanted")

# What is refused, by how it is written: what it is, and the cure (a template).
_REFUSED = {
    "**": ("powers", "multiply instead: `$n * $n`"),
    "=": ("assignments or named arguments", "compare with `==`; give arguments by their position"),
    ":=": ("assignments", "compare with `==`"),
    "===": (_OPERATOR, "write `==`"),
    "!==": (_OPERATOR, "write `!=`"),
    "<>": (_OPERATOR, "write `!=`"),
    "&&": (_OPERATOR, "write `and`"),
    "||": (_OPERATOR, "write `or`"),
    "!": (_OPERATOR, "write `not`"),
    "?": (_OPERATOR, "write `a if condition else b`"),
    "×": (_OPERATOR, "write `*`"),
    "·": (_OPERATOR, "write `*`"),
    "÷": (_OPERATOR, "write `/`, or `//` for a whole number"),
    "−": (_OPERATOR, "write `-`"),
    "≤": (_OPERATOR, "write `<=`"),
    "≥": (_OPERATOR, "write `>=`"),
    "≠": (_OPERATOR, "write `!=`"),
    "<<": _BITS,
    ">>": _BITS,
    "&": _BITS,
    "|": _BITS,
    "^": ("bit operations or powers", "multiply instead: `$n * $n`"),
    "~": _BITS,
    "@": ("matrix products or decorators", ""),
    ":": ("slices", "`$xs[0]` is one item; a choice is written `a if condition else b`"),
    ";": ("statements", "an expression is one value"),
    "`": ("backticks", "text stands in quotes: 'text'"),
    "\u201c": ("typographic quotes", "write \" or '"),
    "\u201d": ("typographic quotes", "write \" or '"),
    "\u2018": ("typographic quotes", "write \" or '"),
    "\u2019": ("typographic quotes", "write \" or '"),
    "{": ("braces", "a list is written `[1, 2]`, a group `(1 + 2)`"),
    "}": ("braces", "a list is written `[1, 2]`, a group `(1 + 2)`"),
    "\\": ("backslashes", "text stands in quotes, and a quote in it between quotes of the other kind"),
    "lambda": ("functions of your own", "a block with parameters is what is written once and used often"),
    "for": ("loops or comprehensions", "a step with `for` and `do` makes layers in a loop"),
    "in": ("membership test", "compare with `==` and `or`"),
    "is": ("identity test", "compare with `==`"),
    "elif": ("chains of conditions", "write `a if condition else b if other else c`"),
    "then": ("then", "write `a if condition else b`"),
    "None": _NULL,
    "none": _NULL,
    "null": _NULL,
}

_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\r\n]+ )
    | (?P<name>    \$ [A-Za-z_] [A-Za-z0-9_]* )
    | (?P<number>  (?: [0-9]+ (?: \. [0-9]* )? | \. [0-9]+ ) (?: [eE] [+-]? [0-9]+ )? )
    | (?P<word>    [A-Za-z_] [A-Za-z0-9_]* )
    | (?P<string>  ' [^']* ' | " [^"]* " )
    | (?P<refused> \*\* | === | !== | <> | << | >> | := | && | \|\| | = (?!=) )
    | (?P<sign>    // | <= | >= | == | != | [-+*/%<>()\[\],.] )
    """,
    re.VERBOSE,
)
_MEMBER = re.compile(r"\.[ \t]*([A-Za-z0-9_]+)")  # a digit is read so as to be refused as a member
_RUN = re.compile(r"[A-Za-z0-9_.]+")
_BRACED = re.compile(r"\$\{+[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}*")
_DOLLARS = re.compile(r"\$+")


def is_expression(text: str) -> bool:
    """Whether a scalar of the spec is an expression: it holds a `$` that no second `$` makes literal."""
    return "$" in text and any(len(run) % 2 for run in _DOLLARS.findall(text))


def unescape(text: str) -> str:
    """What a scalar that is no expression says: each `$$` is one dollar."""
    return text.replace("$$", "$")


def tokens(text: str) -> list[Token]:
    """The tokens of an expression, the last of them of kind `end`; raises ExpressionFault."""
    if len(text) > TEXT_LIMIT:
        raise ExpressionFault(TextTooLong(length=len(text)), 0, len(text))
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] == "." and found and _ends_operand(found[-1]) and (member := _MEMBER.match(text, at)):
            found.append(Token("member", member[1], at, member.end()))
            at = member.end()
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        at = match.end()
        if match.lastgroup != "space":
            found.append(_token(match))
    found.append(Token("end", "", at, at))
    return found


def _ends_operand(token: Token) -> bool:
    """Whether a dot behind this token asks for a member; elsewhere it begins a number."""
    return token.kind in ("name", "word", "string", "member") or token.value in (")", "]")


def _token(match: re.Match[str]) -> Token:
    kind, written, start, end = match.lastgroup, match[0], match.start(), match.end()
    match kind:
        case "name":
            return Token("name", written[1:], start, end)
        case "number":
            return Token("number", _number(match), start, end)
        case "string":
            return Token("string", _string(match), start, end)
        case "word" if written in KEYWORDS:
            return Token("sign", written, start, end)
        case "word" if written not in _REFUSED:
            return Token("word", written, start, end)
        case "sign":
            return Token("sign", written, start, end)
    raise ExpressionFault(NotInLanguage(written=written), start, end)


def _number(match: re.Match[str]) -> int | float:
    written, start, end = match[0], match.start(), match.end()
    run = _RUN.match(match.string, end)
    if run is not None:
        raise ExpressionFault(MalformedNumber(written=written + run[0]), start, run.end())
    value: int | float
    if written.isdigit():
        value = int(written)
        large = value >= INT_LIMIT
    else:
        value = float(written)
        large = value == float("inf")
    if large:
        raise ExpressionFault(NumberTooLarge(), start, end)
    return value


def _string(match: re.Match[str]) -> str:
    inside = match[0][1:-1]
    for run in _DOLLARS.finditer(inside):
        if len(run[0]) % 2:
            last = match.start() + 1 + run.end()
            raise ExpressionFault(DollarInString(), last - 1, last)
    return unescape(inside)


def _unreadable(text: str, at: int) -> ExpressionFault:
    """The fault of a character with which no token begins."""
    character = text[at]
    if character == "$":
        braced = _BRACED.match(text, at)
        if braced is not None:
            return ExpressionFault(DollarWithoutName(braced=braced[1]), at, braced.end())
        if text.startswith("$$", at):
            return ExpressionFault(DollarOutsideString(), at, at + 2)
        return ExpressionFault(DollarWithoutName(), at, at + 1)
    if character in "'\"":
        return ExpressionFault(UnclosedString(quote=character), at, len(text))
    return ExpressionFault(NotInLanguage(written=printable(character)), at, at + 1)
