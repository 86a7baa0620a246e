"""What `from`, `outputs` and expressions name: the layers of a scope, their ports, its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, Span, nearest, spell
from netspec.ir.graph import Value


class DuplicateName(Diagnostic):
    """A name that another step or input of the scope has."""

    code = "NS211"
    message = "the name {name} is taken"

    name: str
    automatic: bool = False

    @property
    def label(self) -> str:
        return "this step is called {name}, because it has no name of its own" if self.automatic else ""

    @property
    def help(self) -> str:
        return "give one of the two another name"


class UnknownReference(Diagnostic):
    """A name that no earlier step, input or port has."""

    code = "NS212"
    message = "nothing is called {name}"

    name: str
    suggestion: str | None

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        return "name an earlier layer with `name:`, an input, or write prev"


class ForwardReference(Diagnostic):
    """A name of a step that comes later, or of the step itself."""

    code = "NS213"
    message = "{name} comes later: a step reads what is above it"

    name: str


class NoPrevious(Diagnostic):
    """`prev` at the head of a file with several inputs."""

    code = "NS214"
    message = "there is no previous step yet, and the file has {count} inputs"

    count: int
    first: str

    @property
    def help(self) -> str:
        return "say which one the step reads, for example from: {first}"


class UnknownPort(Diagnostic):
    """A part of a layer that it does not have."""

    code = "NS215"
    message = "{layer} has no {port}"

    layer: str
    port: str
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        return "it has {known}"


@dataclass(slots=True)
class Layer:
    """What a name stands for: an input, a layer with its ports, or a scope of repetitions.

    `value` is what the name alone means.
    """

    value: Value
    span: Span
    ports: Mapping[str, Value] = field(default_factory=dict)
    inner: dict[str, Layer] = field(default_factory=dict)
    complete: bool = True  # false after an error: what is missing inside is unknown, not absent


class Names:
    """The names of one scope, in the order in which its steps define them."""

    def __init__(self, later: Mapping[str, Span]) -> None:
        self._layers: dict[str, Layer] = {}
        self._later = later

    def define(self, name: str, layer: Layer) -> None:
        self._layers.setdefault(name, layer)

    def __contains__(self, name: str) -> bool:
        return name in self._layers

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def get(self, name: str) -> Layer | None:
        return self._layers.get(name)

    def find(self, path: str, span: Span) -> Value | None:
        """The value of a name or path; None where an earlier error left it unknown.

        Raises DiagnosticError with NS212, NS213 or NS215.
        """
        first, *rest = path.split(".")
        layer = self._layers.get(first)
        if layer is None:
            if first in self._later:
                note = Note("it is here", self._later[first])
                raise DiagnosticError(ForwardReference(name=spell(first), span=span, notes=(note,)))
            suggestion = nearest(first, [*self._layers, "prev"])
            raise DiagnosticError(UnknownReference(name=spell(path), suggestion=suggestion, span=span))
        reached = first
        for number, part in enumerate(rest):
            if part in layer.inner:
                layer = layer.inner[part]
            elif part in layer.ports and number == len(rest) - 1:
                return layer.ports[part]
            elif not layer.complete:
                return None
            else:
                known = tuple([*layer.inner, *layer.ports][:20]) or ("no ports",)
                unknown = UnknownPort(layer=spell(reached), port=spell(part), known=known)
                raise DiagnosticError(unknown.at(span))
            reached = f"{reached}.{part}"
        return layer.value
