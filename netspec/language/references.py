"""What `from`, `outputs` and expressions name: the layers of a scope, their ports, its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, Span, nearest, spell
from netspec.ir.graph import Value
from netspec.ops.base import Op

LISTED = 20  # ports that a message names


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
    """`prev` or `in` where the file has several inputs, so that neither is clear."""

    code = "NS214"
    message = "{word} is not clear here: {reason}"

    word: str
    count: int
    first: str

    @property
    def reason(self) -> str:
        several = f"the file has {self.count} inputs"
        return several if self.word == "in" else f"no step comes before, and {several}"

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
    suggestion: str | None
    switch: str | None

    @property
    def help(self) -> str:
        if self.switch:
            return "write {switch}: true among the arguments of {layer}"
        if self.suggestion:
            return "did you mean {layer}.{suggestion}?"
        return "it has {known}" if self.known else "it is one tensor: write {layer} alone"


class Layer:
    """What a name stands for: an input, a layer with its ports, or a scope of repetitions.

    `value` is what the name alone means, `op` the layer's operation.
    """

    __slots__ = ("complete", "inner", "op", "ports", "span", "value")

    def __init__(
        self,
        value: Value,
        span: Span,
        op: Op | None = None,
        ports: Mapping[str, Value] = MappingProxyType({}),
        *,
        complete: bool = True,
    ) -> None:
        self.value = value
        self.span = span
        self.op = op
        self.ports = ports
        self.inner: dict[str, Layer] = {}
        self.complete = complete  # false after an error: what is missing inside is unknown, not absent


class Names:
    """The names of one scope, in the order in which its steps define them.

    `later` has the names of steps to come. Where an error leaves open how some layer is called, the scope is
    not `complete`: a name that it lacks is then unknown, not wrong.
    """

    def __init__(self, later: Mapping[str, Span], complete: bool) -> None:
        self._layers: dict[str, Layer] = {}
        self._later = later
        self._complete = complete

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
            if not self._complete:
                return None
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
                raise DiagnosticError(_unknown_port(layer, reached, part).at(span))
            reached = f"{reached}.{part}"
        return layer.value


def _unknown_port(layer: Layer, name: str, port: str) -> UnknownPort:
    known = tuple(layer.inner)[:LISTED] or tuple(layer.ports)
    switch = f"return_{port}"  # MaxPool2d has the port indices with return_indices
    has_switch = layer.op is not None and switch in type(layer.op).model_fields
    return UnknownPort(
        layer=spell(name),
        port=spell(port),
        known=known if len(known) > 1 or layer.inner else (),
        suggestion=nearest(port, known),
        switch=switch if has_switch else None,
    )
