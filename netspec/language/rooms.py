"""Where steps are taken: the names and variables that they see, and the prefix of their own names."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Collector
from netspec.ir.dim import Bounds
from netspec.ir.graph import Value
from netspec.ir.tensor import UNKNOWN_TYPE, TensorType
from netspec.language.flow import Flow
from netspec.language.references import Layer, Names
from netspec.language.resolve import Resolver
from netspec.language.steps import Body


class Room:
    """One scope while its steps are taken: that of the file, of a block's instance, of a branch or iteration.

    `prefix` begins the names in the graph of what is inside; it ends in a dot, but for the file's.
    """

    __slots__ = ("flow", "names", "prefix", "resolver", "variables")

    def __init__(
        self, prefix: str, names: Names, variables: ChainMap[str, Any], flow: Flow, resolver: Resolver
    ) -> None:
        self.prefix = prefix
        self.names = names
        self.variables = variables
        self.flow = flow
        self.resolver = resolver

    @classmethod
    def of(
        cls,
        prefix: str,
        body: Body,
        variables: Mapping[str, Any],
        inputs: Mapping[str, Layer],
        bounds: Mapping[str, Bounds],
        collector: Collector,
        *,
        complete: bool,
        what: str,
    ) -> Room:
        """The room of a file or block, which sees its variables and inputs and nothing else."""
        names = Names(body.names, complete)
        scope: ChainMap[str, Any] = ChainMap(dict(variables))
        resolver = Resolver(scope, bounds, collector, complete=complete)
        room = cls(prefix, names, scope, Flow(names, inputs, collector, what), resolver)
        for name, layer in inputs.items():
            room.define(name, layer)
        if len(inputs) == 1:
            (layer,) = inputs.values()
            scope["in"] = _type(layer.value)
        return room

    def inner(self, prefix: str, body: Body, variables: Mapping[str, Any] | None = None) -> Room:
        """The room of a part of this one, which sees all that this one does."""
        names = Names(body.names, body.complete, self.names)
        scope = self.variables.new_child(dict(variables or {}))
        resolver = Resolver(
            scope, self.resolver.bounds, self.resolver.collector, complete=self.resolver.complete
        )
        flow = Flow(names, self.flow.inputs, self.flow.collector, self.flow.what)
        return Room(prefix, names, scope, flow, resolver)

    def define(self, name: str, layer: Layer) -> None:
        """Make a layer known by its name, to `from` and, where it has a value, to expressions."""
        self.names.define(name, layer)
        if layer.value is None or "." in name:
            return
        # As for `from` the innermost layer of a name counts; a parameter is hidden by none.
        if name not in self.variables or isinstance(self.variables[name], TensorType):
            self.variables[name] = layer.value.type

    def follow(self, previous: Value | None) -> None:
        """Let `$prev` be the type of what the last step gave, if there is such a value."""
        if previous is not None:
            self.variables["prev"] = previous.type
        else:
            self.variables.maps[0].pop("prev", None)


def _type(value: Value | None) -> Any:
    return UNKNOWN_TYPE if value is None else value.type
