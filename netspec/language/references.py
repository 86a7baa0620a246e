"""What `from`, `outputs` and expressions name: the layers of a scope, their ports, its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, Span, nearest, spell
from netspec.ir.graph import Value
from netspec.ops.base import Op

if TYPE_CHECKING:
    from netspec.language.blocks import Block

LISTED = 20  # ports that a message names


class DuplicateName(Diagnostic):
    """A name that another step or input of the scope has."""

    code = "NS211"
    message = "the name {name} is taken"

    name: str
    automatic: bool = False

    @property
    def label(self) -> str:
        return "this is called {name}, because it has no name of its own" if self.automatic else ""

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
    """A name of a step that comes later, of the step itself, or of one around it."""

    code = "NS213"
    message = "{name} {why}: a step reads what is above it"

    name: str
    inside: bool = False  # the step that reads it is it, or part of it

    @property
    def why(self) -> str:
        return "is this very step, or one around it" if self.inside else "comes later"

    @property
    def help(self) -> str:
        return "write prev for what the step before gives" if self.inside else ""


class NotNumbered(Diagnostic):
    """`*` behind something that has no numbered parts."""

    code = "NS244"
    message = "{name} has no numbered parts that * could stand for"

    name: str

    @property
    def help(self) -> str:
        return "* stands for every iteration of a loop or repetition that has a name"


class NoPrevious(Diagnostic):
    """`prev` or `in` where the file or block has no input or several, so that neither is clear."""

    code = "NS214"
    message = "{word} is not clear here: {reason}"

    word: str
    count: int
    first: str
    what: str = "file"

    @property
    def reason(self) -> str:
        several = f"the {self.what} has {self.count or 'no'} inputs"
        return several if self.word == "in" else f"no step comes before, and {several}"

    @property
    def help(self) -> str:
        return "say which one the step reads, for example from: {first}" if self.first else ""


class UnknownPort(Diagnostic):
    """A part of a layer that it does not have."""

    code = "NS215"
    message = "{layer} has no {port}"

    layer: str
    port: str
    known: tuple[str, ...]
    suggestion: str | None
    switch: str | None
    encapsulated: bool = False

    @property
    def help(self) -> str:
        if self.encapsulated and not self.suggestion:
            return "of a block only its outputs are visible: list {port} in its `outputs`"
        if self.switch:
            return "write {switch}: true among the arguments of {layer}"
        if self.suggestion:
            return "did you mean {layer}.{suggestion}?"
        return "it has {known}" if self.known else "it is one tensor: write {layer} alone"


class NotTaken(Diagnostic):
    """A reference to a layer that a condition or a repetition leaves out."""

    code = "NS243"
    message = "{name} is not there: {reason}"

    name: str
    reason: str

    @property
    def help(self) -> str:
        return "read what is there in either case: name the step that has the condition"


class Layer:
    """What a name stands for: an input, a layer with its ports, an instance of a block, or a scope.

    `value` is what the name alone means, None as long as the scope is not at its end; `made` is the operation
    or block, `path` its name in the graph. What is `absent` was left out, for the reason that it gives: its
    value is then what it would have read, if that is anything.
    """

    __slots__ = ("absent", "complete", "inner", "made", "path", "ports", "span", "value")

    def __init__(
        self,
        value: Value | None,
        span: Span,
        made: Op | Block | None = None,
        ports: Mapping[str, Value] = MappingProxyType({}),
        *,
        inner: Mapping[str, Layer] = MappingProxyType({}),
        path: str = "",
        complete: bool = True,
        absent: str = "",
    ) -> None:
        self.value = value
        self.span = span
        self.made = made
        self.ports = ports
        self.inner = inner
        self.path = path
        self.complete = complete  # false after an error: what is missing inside is unknown, not absent
        self.absent = absent


class Names:
    """The names of one scope, in the order in which its steps define them, and those of the scopes around it.

    `later` has the names of steps to come. Where an error leaves open how some layer is called, the scope is
    not `complete`: a name that it lacks is then unknown, not wrong.
    """

    __slots__ = ("_complete", "_dotted", "_later", "layers", "outer")

    def __init__(self, later: Mapping[str, Span], complete: bool, outer: Names | None = None) -> None:
        self.layers: dict[str, Layer] = {}
        self.outer = outer
        self._later = later
        self._complete = complete
        self._dotted = False

    def define(self, name: str, layer: Layer) -> None:
        self.layers.setdefault(name, layer)
        self._dotted = self._dotted or "." in name

    def incomplete(self) -> None:
        """From here on, a name that is missing is unknown."""
        self._complete = False

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> Layer | None:
        return self.layers.get(name) or (self.outer.get(name) if self.outer is not None else None)

    def means_other(self, name: str, value: Value) -> bool:
        """Whether a name stands for something else than this value."""
        layer = self.get(name)
        return layer is not None and (layer.value is None or layer.value.name != value.name)

    def find(self, path: str, span: Span) -> Value | None:
        """The value of a name or path; None where an earlier error left it unknown.

        Raises DiagnosticError with NS212, NS213, NS215 or NS243.
        """
        found = self.look_up(path, span)
        if isinstance(found, Layer):
            if found.absent and found.value is None:
                raise DiagnosticError(NotTaken(name=spell(path), reason=found.absent).at(span))
            if found.value is None and found.complete:
                note = Note("it is here", found.span)  # it is not at its end, so that this step is part of it
                unfinished = ForwardReference(name=spell(path), inside=True, span=span, notes=(note,))
                raise DiagnosticError(unfinished)
            return found.value
        return found

    def find_all(self, path: str, span: Span) -> list[Value | None]:
        """As `find`, of a path in which `*` stands for every number of a scope."""
        before, star, behind = path.partition(".*")
        if not star:
            return [self.find(path, span)]
        scope = self.look_up(before, span)
        if scope is None or (isinstance(scope, Layer) and not scope.complete):
            return [None]
        numbers = [part for part in scope.inner if part.isdigit()] if isinstance(scope, Layer) else []
        # A scope of its own that holds nothing is that of a loop without iterations.
        if not numbers and not (
            isinstance(scope, Layer) and isinstance(scope.inner, dict) and not scope.inner
        ):
            raise DiagnosticError(NotNumbered(name=spell(before), span=span))
        return [value for number in numbers for value in self.find_all(f"{before}.{number}{behind}", span)]

    def look_up(self, path: str, span: Span) -> Layer | Value | None:
        """The layer or port of a name or path; None where an earlier error left it unknown.

        Raises DiagnosticError with NS212, NS213, NS215 or NS243.
        """
        first, *rest = path.split(".")
        layer = self.get(first)
        while layer is None and rest and self._has_dotted():
            first, rest = f"{first}.{rest[0]}", rest[1:]
            layer = self.get(first)
        if layer is None:
            self._raise_if_missing(path, span)
            return None
        reached = first
        for number, part in enumerate(rest):
            if layer.absent:
                raise DiagnosticError(NotTaken(name=spell(f"{reached}.{part}"), reason=layer.absent).at(span))
            if part in layer.inner:
                layer = layer.inner[part]
            elif part in layer.ports and number == len(rest) - 1:
                return layer.ports[part]
            elif not layer.complete:
                return None
            elif layer.value is None and part.isdigit():
                name, note = spell(f"{reached}.{part}"), Note("it is here", layer.span)
                raise DiagnosticError(ForwardReference(name=name, span=span, notes=(note,)))
            else:
                raise DiagnosticError(_unknown_port(layer, reached, part).at(span))
            reached = f"{reached}.{part}"
        return layer

    def _has_dotted(self) -> bool:
        return self._dotted or (self.outer is not None and self.outer._has_dotted())

    def _raise_if_missing(self, path: str, span: Span) -> None:
        """Raise for a name that is not there, unless an error may hide it."""
        first = path.partition(".")[0]
        scopes: list[Names] = []
        scope: Names | None = self
        while scope is not None:
            scopes.append(scope)
            scope = scope.outer
        for scope in scopes:
            for name in (path, first):
                if name in scope._later:
                    place = scope._later[name]
                    # What begins above and is not there yet has not ended.
                    inside = place.source is span.source and place.start < span.start
                    missing = ForwardReference(name=spell(name), inside=inside, span=span)
                    raise DiagnosticError(missing.at(span, Note("it is here", place)))
        if all(scope._complete for scope in scopes):
            known = [name for scope in scopes for name in scope.layers]
            suggestion = nearest(first, [*known, "prev"])
            raise DiagnosticError(UnknownReference(name=spell(path), suggestion=suggestion, span=span))


def _unknown_port(layer: Layer, name: str, port: str) -> UnknownPort:
    known = tuple(layer.inner)[:LISTED] or tuple(layer.ports)
    switch = f"return_{port}"  # MaxPool2d has the port indices with return_indices
    has_switch = isinstance(layer.made, Op) and switch in type(layer.made).model_fields
    return UnknownPort(
        layer=spell(name),
        port=spell(port),
        known=known if len(known) > 1 or layer.inner else (),
        encapsulated=layer.made is not None and not isinstance(layer.made, Op),
        suggestion=nearest(port, known),
        switch=switch if has_switch else None,
    )
