"""Gathers the diagnostics of one run: all independent errors, in the order of the text, without echoes."""

from __future__ import annotations

from collections.abc import Iterable

from netspec.diagnostics.diagnostic import Diagnostic, DiagnosticError, Severity

ERROR_LIMIT = 1_000  # a file with more errors than this is not read for them


class Collector:
    """An ordered set of diagnostics; the same message at the same place is kept once, with a count."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}

    def add(self, *diagnostics: Diagnostic) -> None:
        """Record diagnostics; one that says the same of the same place raises the other's count."""
        for diagnostic in diagnostics:
            span = diagnostic.span
            place = (span.source.name, span.start, span.end) if span else ()
            key = (diagnostic.code, place, diagnostic.text)
            if key in self._found:
                known = self._found[key]
                self._found[key] = known.but(times=known.times + 1)
            elif len(self._found) < ERROR_LIMIT:
                self._found[key] = diagnostic

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.add(*diagnostics)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything recorded, by file and position; diagnostics without a place come first."""

        def place(diagnostic: Diagnostic) -> tuple[str, int]:
            span = diagnostic.span
            return ("", -1) if span is None else (span.source.name, span.start)

        return tuple(sorted(self._found.values(), key=place))

    @property
    def failed(self) -> bool:
        """Whether any recorded diagnostic is an error."""
        return any(d.severity is Severity.ERROR for d in self._found.values())

    def raise_if_failed(self) -> None:
        """Raise DiagnosticError with everything recorded when there is an error among it."""
        if self.failed:
            raise DiagnosticError(*self.diagnostics)
