"""What a step reads: its `from`, looked up and brought into the order of its operation's inputs."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError, Span, nearest, spell
from netspec.ir.graph import Value
from netspec.ir.tensor import UNKNOWN_TYPE
from netspec.language.references import Names, NoPrevious
from netspec.language.steps import Step
from netspec.ops.base import Op


class WrongInputs(Diagnostic):
    """A step reads more or fewer tensors than its operation takes."""

    code = "NS216"
    message = "{op} takes {wanted}, and `from` gives {given_words}"

    op: str
    wanted: str
    given: int
    too_many: bool

    @property
    def given_words(self) -> str:
        return str(self.given) if self.given else "none"

    @property
    def help(self) -> str:
        if self.too_many:
            return "combine them first, with Add or Concat"
        return "leave `from` out to read the step before, or name what is read"


class UnknownInput(Diagnostic):
    """`from` names an input that the operation does not have."""

    code = "NS232"
    message = "{op} has no input {name}"

    op: str
    name: str
    known: tuple[str, ...]
    suggestion: str | None

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "it has {known}"


class Flow:
    """Looks up what steps read, in one scope of names with `inputs`."""

    def __init__(self, names: Names, inputs: Sequence[str], collector: Collector) -> None:
        self.names = names
        self.inputs = inputs
        self.collector = collector

    def sources(self, step: Step, operation: type[Op], previous: Value | None) -> list[Value] | None:
        """The values that a step reads, in the order of its operation's inputs; None after an error.

        Errors: NS212 to NS216, NS232.
        """
        given = step.section.from_
        entry = step.tree.entries.get("from")
        if isinstance(given, str):
            references = [(given, step.span_of("from"))]
        elif entry is None:
            return None
        elif isinstance(given, list):
            references = [(path, item.span) for path, item in zip(given, entry.value.items, strict=True)]
        else:
            for key in given:
                if key not in operation.arguments:
                    known = operation.arguments
                    unknown = UnknownInput(
                        op=operation.__name__, name=spell(key), known=known, suggestion=nearest(key, known)
                    )
                    self.collector.add(unknown.at(entry.value.key_span(key)))
            if any(key not in operation.arguments for key in given):
                return None
            order = [key for key in operation.arguments if key in given]
            references = [(given[key], entry.value.entries[key].value.span) for key in order]
        values = [self.find(path, place, previous) for path, place in references]
        wanted = len(operation.arguments)
        if len(values) < wanted or (len(values) > wanted and not operation.variadic):
            number = "one input" if wanted == 1 else f"{wanted} inputs"
            wrong = WrongInputs(
                op=operation.__name__,
                wanted=f"at least {number}" if operation.variadic else number,
                given=len(values),
                too_many=len(values) > wanted,
            )
            self.collector.add(wrong.at(step.span_of("from")))
            return None
        found = [value for value in values if value is not None]
        return found if len(found) == len(values) else None

    def find(self, path: str, place: Span, previous: Value | None) -> Value | None:
        """The value of one reference, its type unknown if an earlier error hides it; None after an error."""
        try:
            if path in ("prev", "in"):
                return self._word(path, place, previous)
            return self.names.find(path, place) or Value(path, UNKNOWN_TYPE)
        except DiagnosticError as error:
            self.collector.add(*error.diagnostics)
            return None

    def _word(self, word: str, place: Span, previous: Value | None) -> Value | None:
        if word == "prev" and previous is not None:
            return previous
        if not self.inputs:
            return Value(word, UNKNOWN_TYPE)  # that there are none is an error of its own
        if len(self.inputs) > 1:
            no_previous = NoPrevious(word=word, count=len(self.inputs), first=self.inputs[0])
            raise DiagnosticError(no_previous.at(place))
        return self.names.find(self.inputs[0], place)
