"""Gathers the diagnostics of one run: all independent errors, in the order of the text, without echoes."""

from __future__ import annotations

from collections.abc import Iterable

from netspec.diagnostics.diagnostic import Diagnostic, DiagnosticError, Note, Severity

ERROR_LIMIT = 1_000  # a file with more errors than this is not read for them
CHAIN_SHOWN = 6  # of the steps that lead into a block in a block


class Collector:
    """An ordered set of diagnostics; the same message at the same place is kept once, with a count."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._chain: list[Note] = []

    def enter(self, note: Note) -> None:
        """From here on diagnostics lie inside of something, which this note adds to them."""
        self._chain.append(note)

    def leave(self) -> None:
        """Behind the part that the last `enter` opened."""
        self._chain.pop()

    def add(self, *diagnostics: Diagnostic) -> None:
        """Record diagnostics; one that says the same of the same place raises the other's count."""
        for diagnostic in diagnostics:
            span = diagnostic.span
            place = (span.source.name, span.start, span.end) if span else ()
            # Inside of a block, what differs between its instances is the sizes in the text.
            key = (diagnostic.code, place, "" if self._chain and place else diagnostic.text)
            if self._chain:
                diagnostic = diagnostic.at(span, *self._notes())
            if key in self._found:
                known = self._found[key]
                self._found[key] = known.but(times=known.times + 1)
            elif len(self._found) < ERROR_LIMIT:
                self._found[key] = diagnostic

    def _notes(self) -> list[Note]:
        """The chain from the inside out; of a long one its ends."""
        chain = [note for number, note in enumerate(self._chain) if note not in self._chain[number + 1 :][:1]]
        chain.reverse()
        if len(chain) <= CHAIN_SHOWN:
            return chain
        left_out = Note(f"and {len(chain) - CHAIN_SHOWN} more in between")
        return [*chain[: CHAIN_SHOWN - 1], left_out, chain[-1]]

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
