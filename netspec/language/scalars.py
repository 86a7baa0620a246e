"""What an unquoted word is: null, a boolean, a number or a string, by the core schema of YAML 1.2."""

from __future__ import annotations

import re

from netspec.diagnostics import Diagnostic, DiagnosticError, spell

MAX_DIGITS = 1_000
"""Characters of a number."""

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

STRING_STARTS = frozenset("abcdeghijklmopqrsuvwxyzABCDEGHIJKLMOPQRSUVWXYZ$_*/(")
"""First characters after which a plain scalar is a string whatever follows: they settle most scalars."""


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar.

    Errors: NS112, NS113, without a place, for a number that no spec can hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return integer(text)
    if _FLOAT.fullmatch(text):
        return real(text)
    if _NOT_FINITE.fullmatch(text):
        raise DiagnosticError(NumberNotFinite(written=text))
    return text


def integer(text: str) -> int:
    """The integer that decimal, `0o` or `0x` digits spell."""
    _check_length(text)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


def real(text: str) -> float:
    """The float that a decimal number spells."""
    _check_length(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise DiagnosticError(NumberNotFinite(written=text))
    return value


def _check_length(text: str) -> None:
    if len(text) > MAX_DIGITS:
        raise DiagnosticError(NumberTooLong(digits=len(text)))


class NumberTooLong(Diagnostic):
    """A number of more than MAX_DIGITS characters."""

    code = "NS112"
    message = "this number has {digits:,} digits; at most {limit:,} are read"

    digits: int
    limit: int = MAX_DIGITS

    @property
    def help(self) -> str:
        return "put quotes around it if it is meant as text"


class NumberNotFinite(Diagnostic):
    """An infinity, a NaN, or a number beyond a double's range."""

    code = "NS113"
    message = "{written_text} is not a finite number"

    written: str

    @property
    def written_text(self) -> str:
        return spell(self.written)

    @property
    def help(self) -> str:
        return "numbers go up to 1.79e308; put quotes around it if it is meant as text"
