"""How an expression says that it is wrong."""

from __future__ import annotations

from typing import Protocol

from netspec.diagnostics import Diagnostic


class Part(Protocol):
    """Characters `start` up to but not including `end` of an expression's text: a token or a node."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


class ExpressionFault(Exception):
    """A diagnostic without a place, and the part of the expression at fault as offsets into its text.

    The caller knows where the text stands in the spec and places the diagnostic there.
    """

    def __init__(self, diagnostic: Diagnostic, start: int, end: int) -> None:
        super().__init__(diagnostic.text)
        self.diagnostic = diagnostic
        self.start = start
        self.end = end

    @classmethod
    def of(cls, diagnostic: Diagnostic, part: Part) -> ExpressionFault:
        """The fault of one token or node."""
        return cls(diagnostic, part.start, part.end)
