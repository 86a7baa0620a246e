"""A Document to a Graph: steps become nodes, names are looked up, and every shape is inferred on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Collector, Diagnostic, Severity, Span
from netspec.ir.dim import symbol
from netspec.ir.graph import Graph, GraphInput, GraphOutput, Value
from netspec.ir.tensor import UNKNOWN_TYPE, DType, Shape, TensorType
from netspec.language.bindings import Operation
from netspec.language.calls import Aborted, Calls
from netspec.language.document import Document
from netspec.language.infer import Inference
from netspec.language.outputs import OutputResolver
from netspec.language.references import Layer
from netspec.language.rooms import Room
from netspec.language.sections import InputSection
from netspec.language.siblings import Siblings, plan_of
from netspec.language.walk import Walker

if TYPE_CHECKING:
    from netspec.language.initialisation import Drawing

RECURSION_LIMIT = 20_000


class UnusedInput(Diagnostic):
    """An input that no layer and no output reads."""

    code = "NS217"
    message = "nothing reads the input {name}"

    name: str

    @property
    def help(self) -> str:
        return "remove it, or read it with from: {name}"


class UnusedLayer(Diagnostic):
    """A layer that no output depends on."""

    code = "NS218"
    message = "no output depends on {name}"
    severity = Severity.WARNING

    name: str

    @property
    def help(self) -> str:
        return "remove it, or list it in outputs"


class UnusedBlock(Diagnostic):
    """A block of the file that no step uses."""

    code = "NS253"
    message = "nothing uses the block {name}"
    severity = Severity.WARNING

    name: str


class _Elaborator:
    """Makes the graph of one document; everything wrong goes to the collector."""

    def __init__(self, document: Document, collector: Collector) -> None:
        self.document = document
        self.collector = collector
        self.inference = Inference(document.bounds, {}, collector)
        self.room = self._room()
        self.drawing = self._drawing()
        self.calls = Calls(self.inference, self.drawing, collector)
        self.walker = Walker(document.callables, self.calls, Siblings(collector), collector)

    def graph(self) -> Graph | None:
        """The whole graph; only complete when nothing was collected that is an error."""
        document = self.document
        inputs = tuple(self._graph_inputs())
        previous = inputs[0].value if len(inputs) == 1 else None
        try:
            with _deep_recursion():
                last = self.walker.body(document.body, self.room, previous)
        except Aborted:
            return None
        outputs = tuple(self._outputs(last))
        self.inference.check_declared(self._places_of_dims())
        if self.collector.failed:
            return None
        if self.calls.drawing is not None:
            self.calls.drawing.check_use()
        self._check_use(inputs, outputs)
        return Graph(
            document.name,
            inputs,
            tuple(self.calls.nodes),
            outputs,
            self.inference.bounds,
            self._resolved(),
            tuple(self.walker.scopes),
        )

    def _resolved(self) -> dict[str, Any]:
        """The spec as plain data that stands alone: its parameters set, the blocks of other files inside."""
        document = self.document
        resolved = {**document.tree.value, "netspec": 1, "name": document.name}
        for key in ("$schema", "use", "variants"):
            resolved.pop(key, None)
        if document.parameters.values:
            resolved["params"] = {
                name: value.plain if isinstance(value, Operation) else value
                for name, value in document.parameters.values.items()
            }
        blocks = document.callables.blocks
        if blocks:
            used = {name: block.tree.value for name, block in blocks.items() if name in self.walker.used}
            resolved.pop("blocks", None)
            resolved = {
                key: value
                for before, entry in resolved.items()
                for key, value in (
                    (("blocks", used), (before, entry)) if before == "layers" and used else ((before, entry),)
                )
            }
        return resolved

    def _room(self) -> Room:
        document = self.document
        places = self._places_of_inputs()
        layers: dict[str, Layer] = {}
        for name, section in document.inputs.items():
            type = UNKNOWN_TYPE if section is None else self._input_type(section)
            self.inference.origins[name] = places[name]
            layers[name] = Layer(Value(name, type), places[name])
        dims = {name: symbol(name, known.multiple_of) for name, known in document.bounds.items()}
        return Room.of(
            "",
            document.body,
            dims | dict(document.parameters.values),
            layers,
            self.inference.bounds,
            self.collector,
            complete=document.complete and document.parameters.complete,
            what="file",
        )

    def _places_of_inputs(self) -> dict[str, Span]:
        inputs = self.document.tree.find(("inputs",))
        return {name: inputs.key_span(name) for name in self.document.inputs}

    def _drawing(self) -> Drawing | None:
        """What the file's `init` says; None, and nothing is loaded for it, where there is none."""
        entry = self.document.tree.entries.get("init")
        if entry is None:
            return None
        from netspec.language.initialisation import Drawing

        plan = None
        if entry.value.value is not None:
            plan = plan_of(entry.value, self.room.resolver, self.collector, of_step=False)
        return Drawing(plan, self.collector)

    def _places_of_dims(self) -> dict[str, Span]:
        dims = self.document.tree.find(("dims",))
        return {name: entry.value.span for name, entry in dims.entries.items()}

    def _graph_inputs(self) -> Iterator[GraphInput]:
        for name in self.document.inputs:
            layer = self.room.names.layers[name]
            assert layer.value is not None
            yield GraphInput(layer.value, layer.span, self.document.preprocess.get(name))

    def _input_type(self, section: InputSection) -> TensorType:
        bounds = self.inference.bounds
        shape: Shape = tuple(
            symbol(size, bounds[size].multiple_of) if isinstance(size, str) else size
            for size in section.shape
        )
        return TensorType(shape, DType(section.dtype))

    def _outputs(self, last: Value | None) -> Iterator[GraphOutput]:
        asked, steps = self.document.outputs, self.document.body.steps
        name = ""
        if steps:
            name = steps[-1].name or (last.name.replace(".", "_") if last is not None else "output")
        if asked is None:
            if steps and last is not None:
                name = f"{name}_out" if name in self.document.inputs else name.replace(".", "_")
                yield GraphOutput(name, last, steps[-1].place)
            return

        def find(path: str, place: Span) -> Value | None:
            return self.room.flow.find(path, place, last)

        resolver = OutputResolver(self.room.names, self.document.inputs, name or "prev", find, self.collector)
        yield from resolver.graph_outputs(asked)

    def _check_use(self, inputs: tuple[GraphInput, ...], outputs: tuple[GraphOutput, ...]) -> None:
        """Report inputs that nothing reads, and layers that no output depends on."""
        read = {value.name for node in self.calls.nodes for value in node.inputs}
        read |= {output.value.name for output in outputs}
        for graph_input in inputs:
            if graph_input.name not in read:
                self.collector.add(UnusedInput(name=graph_input.name).at(graph_input.span))
        needed = {output.value.name for output in outputs}
        for node in reversed(self.calls.nodes):
            if any(value.name in needed for value in node.outputs):
                needed.update(value.name for value in node.inputs)
            else:
                self.collector.add(UnusedLayer(name=node.name).at(node.span))
        words = set(_words(self.document.tree.value.get("params"), self.document.tree.value.get("variants")))
        for name, block in self.document.callables.blocks.items():
            if name not in self.walker.used | words and block.place.source is self.document.tree.source:
                self.collector.add(UnusedBlock(name=name).at(block.place))


def _words(*values: Any) -> Iterator[str]:
    """Every text in nested values: a parameter or a variant may name a block."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _words(*value, *value.values())
        elif isinstance(value, list):
            yield from _words(*value)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Room for blocks in blocks: each takes a few dozen calls of Python, which keeps them off the C stack."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def elaborate(document: Document, collector: Collector) -> Graph | None:
    """The graph of a document; None, and diagnostics in the collector, where it has an error.

    Every node's types are inferred as it is added. A node with an error gives unknown types, which silence
    what would follow from it.
    """
    graph = _Elaborator(document, collector).graph()
    return None if collector.failed else graph
