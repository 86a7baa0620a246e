"""What a step reads: its `from`, looked up and brought into the order of its operation's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError, Span, nearest, spell
from netspec.ir.graph import Value
from netspec.ir.tensor import UNKNOWN_TYPE
from netspec.language.references import Layer, Names, NoPrevious
from netspec.language.steps import Step


class WrongInputs(Diagnostic):
    """A step reads more or fewer tensors than its operation takes."""

    code = "NS216"
    message = "{op} takes {wanted}, and {giver} gives {given_words}"

    op: str
    wanted: str
    given: int
    too_many: bool
    giver: str = "`from`"
    inputs: tuple[str, ...] = ()
    nothing: str = ""  # a path whose * stands for no number

    @property
    def given_words(self) -> str:
        return str(self.given) if self.given else "none"

    @property
    def help(self) -> str:
        if self.nothing:
            return "{nothing} stands for nothing here: its loop or repetition is taken 0 times"
        if self.too_many:
            return "combine them first, with Add or Concat"
        if len(self.inputs) > 1:
            return "name what each of its inputs reads in `from`: {inputs}"
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


class MissingInput(Diagnostic):
    """`from` by name leaves out an input that must be there."""

    code = "NS245"
    message = "{op} needs its input {name}"

    op: str
    name: str

    @property
    def help(self) -> str:
        return "add {name}: … to `from`"


class Callee(NamedTuple):
    """What a step calls, as far as its inputs go."""

    name: str
    arguments: tuple[str, ...]
    optional: int = 0
    variadic: bool = False


class Sources(NamedTuple):
    """The values that a step reads; `slots` as in a Node."""

    values: list[Value]
    slots: tuple[int, ...] | None = None


class Flow:
    """Looks up what steps read, in the names of one scope of a file or block with these `inputs`."""

    __slots__ = ("collector", "inputs", "names", "what")

    def __init__(
        self, names: Names, inputs: Mapping[str, Layer], collector: Collector, what: str = "file"
    ) -> None:
        self.names = names
        self.inputs = inputs
        self.collector = collector
        self.what = what

    def sources(self, step: Step, callee: Callee, previous: Value | None) -> Sources | None:
        """The values that a step reads, in the order of what it calls; None after an error.

        Errors: NS212 to NS216, NS232, NS243 to NS245.
        """
        given = step.section.from_
        entry = step.tree.entries.get("from")
        if entry is None and not callee.arguments:
            return Sources([])
        if isinstance(given, dict):
            return self._by_name(step, callee, given, previous)
        if entry is None and len(callee.arguments) - callee.optional == 1 and previous is not None:
            return Sources([previous])
        if isinstance(given, str):
            references = [(given, step.span_of("from"))]
        elif entry is None:
            return None
        else:
            references = [(path, item.span) for path, item in zip(given, entry.value.items, strict=True)]
        lists = [(path, self.find_all(path, place, previous)) for path, place in references]
        values = [value for _, found in lists for value in found]
        most, least = len(callee.arguments), len(callee.arguments) - callee.optional
        if len(values) < least or (len(values) > most and not callee.variadic):
            wrong = WrongInputs(
                op=callee.name,
                wanted=_wanted(least, most, callee.variadic),
                given=len(values),
                too_many=len(values) > most,
                inputs=callee.arguments,
                nothing=next((path for path, found in lists if not found), "") if len(values) < least else "",
            )
            self.collector.add(wrong.at(step.span_of("from")))
            return None
        found = [value for value in values if value is not None]
        return Sources(found) if len(found) == len(values) else None

    def _by_name(
        self, step: Step, callee: Callee, given: Mapping[str, str], previous: Value | None
    ) -> Sources | None:
        written = step.tree.entries["from"].value
        known = callee.arguments
        strangers = [key for key in given if key not in known]
        for key in strangers:
            unknown = UnknownInput(
                op=callee.name, name=spell(key), known=known, suggestion=nearest(key, known)
            )
            self.collector.add(unknown.at(written.key_span(key)))
        missing = [key for key in known[: len(known) - callee.optional] if key not in given]
        if missing and not strangers and given:
            self.collector.add(MissingInput(op=callee.name, name=missing[0]).at(written.span))
        if missing and not given:
            most, least = len(known), len(known) - callee.optional
            wanted = _wanted(least, most, callee.variadic)
            wrong = WrongInputs(op=callee.name, wanted=wanted, given=0, too_many=False)
            self.collector.add(wrong.at(written.span))
        if strangers or missing:
            return None
        slots = tuple(slot for slot, key in enumerate(known) if key in given)
        places = [written.entries[known[slot]].value.span for slot in slots]
        values = [
            self.find(given[known[slot]], place, previous) for slot, place in zip(slots, places, strict=True)
        ]
        found = [value for value in values if value is not None]
        if len(found) < len(values):
            return None
        return Sources(found, None if slots == tuple(range(len(slots))) else slots)

    def source(self, step: Step, previous: Value | None) -> Value | None:
        """The one value that a step of several parts passes to them; None where there is none."""
        given = step.section.from_
        if given == "prev":
            return previous
        if not isinstance(given, str):
            wrong = WrongInputs(
                op=f"a step of {step.word}", wanted="one input", given=len(given), too_many=True
            )
            self.collector.add(wrong.at(step.span_of("from")))
            return Value(step.name, UNKNOWN_TYPE)
        return self.find(given, step.span_of("from"), previous) or Value(step.name, UNKNOWN_TYPE)

    def find_all(self, path: str, place: Span, previous: Value | None) -> list[Value | None]:
        """As `find`, of a path that may hold `*`."""
        if "*" not in path:
            return [self.find(path, place, previous)]
        try:
            found = self.names.find_all(path, place)
        except DiagnosticError as error:
            self.collector.add(*error.diagnostics)
            return [None]
        return [value or Value(path, UNKNOWN_TYPE) for value in found]

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
        if not self.inputs and self.what == "file":
            return Value(word, UNKNOWN_TYPE)  # that there are none is an error of its own
        if len(self.inputs) != 1:
            first = next(iter(self.inputs), "")
            no_previous = NoPrevious(word=word, count=len(self.inputs), first=first, what=self.what)
            raise DiagnosticError(no_previous.at(place))
        (layer,) = self.inputs.values()  # a step inside a branch may have its name
        return layer.value


def _wanted(least: int, most: int, variadic: bool) -> str:
    if variadic or least == most:
        number = "no input" if least == 0 else "one input" if least == 1 else f"{least} inputs"
        return f"at least {number}" if variadic else number
    return f"{least} to {most} inputs"
