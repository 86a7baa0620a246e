"""A Document to a Graph: steps become nodes, names are looked up, and every shape is inferred on the way."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Collector, Diagnostic, Severity, Span
from netspec.ir.dim import symbol
from netspec.ir.graph import Graph, GraphInput, GraphOutput, Value
from netspec.ir.tensor import UNKNOWN_TYPE, DType, Shape, TensorType
from netspec.language.calls import NODE_LIMIT, Aborted, Calls
from netspec.language.document import Document
from netspec.language.infer import Inference
from netspec.language.outputs import OutputResolver
from netspec.language.references import Layer
from netspec.language.rooms import Room
from netspec.language.sections import InputSection
from netspec.language.siblings import Siblings, plan_of
from netspec.language.steps import every_call
from netspec.language.walk import Walker

if TYPE_CHECKING:
    from netspec.ir.training import Training
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


class UnreadInput(Diagnostic):
    """An input of a block that no step of it reads, in any of its instances."""

    code = "NS260"
    message = "no step of {block} reads its input {name}"
    severity = Severity.WARNING

    block: str
    name: str

    @property
    def help(self) -> str:
        if self.name == "in":
            return "write inputs: [] if the block needs none"
        return "remove it from the block's inputs, or read it with from: {name}"


class _Elaborator:
    """Makes the graph of one document; everything wrong goes to the collector."""

    def __init__(self, document: Document, collector: Collector) -> None:
        self.document = document
        self.collector = collector
        self.inference = Inference(document.bounds, {}, collector)
        self.room = self._room()
        self.drawing = self._drawing()
        self.calls = Calls(self.inference, self.drawing, collector)
        self.walker = Walker(document.callables, self.calls, Siblings(collector), self._excess, collector)

    def graph(self) -> Graph | None:
        """The whole graph; only complete when nothing was collected that is an error."""
        document = self.document
        inputs = tuple(self._graph_inputs())
        previous = inputs[0].value if len(inputs) == 1 else None
        try:
            with _deep_recursion():
                last = self.walker.body(document.body, self.room, previous)
        except Aborted as aborted:
            self.collector.add(*aborted.args)
            return None
        self._check_left_out()
        outputs = tuple(self._outputs(last))
        training = self._training(inputs, outputs)
        self.inference.check_declared(self._places_of_dims())
        if self.collector.failed:
            return None
        assert self.walker.complete, "a step of which nothing is known has an error that says so"
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
            training,
        )

    def _training(self, inputs: tuple[GraphInput, ...], outputs: tuple[GraphOutput, ...]) -> Training | None:
        """What the file's `train` says, held against the network; None where there is none."""
        planned, asked = self.document.training, self.document.outputs
        if planned is None or len(outputs) < (1 if not asked else len(asked)):
            return None
        from netspec.language.training.fitting import fitted

        return fitted(planned, inputs, outputs, self.calls.nodes, self.inference.bounds, self.collector)

    def _excess(self) -> Span | None:
        """The step with which there are sure to be too many layers; None where no count says so."""
        from netspec.language.counting import Counting

        counting, layers = Counting(self.document.callables), 0
        for step in self.document.body:
            layers += counting.step(step, self.document.parameters.values)
            if layers > NODE_LIMIT:
                return step.span_of("repeat")
        return None

    def _resolved(self) -> dict[str, Any]:
        """The spec as plain data that stands alone: its parameters set, the blocks of other files inside."""
        document = self.document
        resolved = {**document.tree.value, "netspec": 1, "name": document.name}
        for key in ("$schema", "use", "variants"):
            resolved.pop(key, None)
        if document.training is not None:
            resolved["train"] = document.training.written
        if document.parameters.values:
            resolved["params"] = {name: _escaped(value) for name, value in document.parameters.values.items()}
        named = self._blocks(resolved["layers"], dict(document.parameters.values))
        blocks = {name: document.callables.blocks[name].tree.value for name in named}
        resolved.pop("blocks", None)
        if not blocks:
            return resolved
        before = list(resolved).index("layers")
        items = list(resolved.items())
        return dict([*items[:before], ("blocks", blocks), *items[before:]])

    def _blocks(self, *written: Any) -> list[str]:
        """The blocks that were used or that these values name, themselves or in another such block.

        A step that is not taken names one too: it counts among the names of the others, and it bears its
        block's.
        """
        blocks = self.document.callables.blocks
        unread = [*written, *self.walker.used]
        named: set[str] = set()
        while unread:
            found = {name for text in _texts(unread.pop()) for name in _CAPITALISED.findall(text)}
            fresh = (found & blocks.keys()) - named
            named |= fresh
            unread += [blocks[name].tree.value for name in fresh]
        return [name for name in blocks if name in named]

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
            name = steps[-1].name or (last.name if last is not None else "output")
        if asked is None:
            if steps and last is not None:
                yield GraphOutput(self._free(name.replace(".", "_"), last), last, steps[-1].place)
            return
        if steps and last is not None and not steps[-1].name:
            name = self._free(name.replace(".", "_"), last)

        def find(path: str, place: Span) -> Value | None:
            return self.room.flow.find(path, place, last)

        resolver = OutputResolver(self.room.names, self.document.inputs, name or "prev", find, self.collector)
        yield from resolver.graph_outputs(asked)

    def _free(self, name: str, value: Value) -> str:
        """A name for an output that no input has, and no layer that gives something else."""
        while name in self.document.inputs or self.room.names.means_other(name, value):
            name = f"{name}_out"
        return name

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
        self._check_inputs_of_blocks()
        written = self.document.tree.value
        named = self._blocks(*(written.get(key) for key in ("layers", "params", "variants")))
        for name, block in self.document.callables.blocks.items():
            if name not in named and block.place.source is self.document.tree.source:
                self.collector.add(UnusedBlock(name=name).at(block.place))

    def _check_left_out(self) -> None:
        """Check what is written in steps that were never taken, of the file and its blocks."""
        walker, blocks = self.walker, self.document.callables.blocks
        bodies = (self.document.body, *(blocks[name].body for name in sorted(walker.used)))
        left_out = [step for body in bodies for step in every_call(body) if id(step) not in walker.taken]
        if left_out:
            from netspec.language.left_out import LeftOut

            checks = LeftOut(self.document.callables, self.inference.bounds, self.collector)
            for step in left_out:
                checks.check(step, named=id(step) in walker.left_out)

    def _check_inputs_of_blocks(self) -> None:
        """Report inputs that no instance of a block reads, and no step that may be left out names."""
        for name, unread in self.walker.instances.unread.items():
            block = self.document.callables.blocks[name]
            written = block.tree.value
            texts = _texts([written.get("layers"), written.get("outputs")]) if unread else ()
            named = {word for text in texts for word in _WORD.findall(text)}
            for own in block.arguments:
                if own in unread - named:
                    place = block.place if block.inputs is None else block.inputs[own]
                    self.collector.add(UnreadInput(block=name, name=own).at(place))


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CAPITALISED = re.compile(r"[A-Z][A-Za-z0-9_]*")


def _texts(value: Any) -> Iterator[str]:
    """Every text in nested values, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value:
            yield from _texts(item)
        for item in value.values() if isinstance(value, dict) else ():
            yield from _texts(item)


def _escaped(value: Any) -> Any:
    """A parameter's value as a spec writes it: a dollar in it is no expression's."""
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


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
