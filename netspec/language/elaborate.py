"""A Document to a Graph: steps become nodes, names are looked up, and every shape is inferred on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Collector, Diagnostic, Note, Severity, Span, spell
from netspec.ir.dim import UNKNOWN, symbol
from netspec.ir.graph import Graph, GraphInput, GraphOutput, Node, Value
from netspec.ir.tensor import UNKNOWN_TYPE, DType, Shape, TensorType
from netspec.language.arguments import find_operation, make_operation, meant_operation
from netspec.language.document import Document
from netspec.language.flow import Flow
from netspec.language.infer import Inference
from netspec.language.names import check_name, snake_case
from netspec.language.outputs import OutputResolver
from netspec.language.references import DuplicateName, Layer, Names
from netspec.language.resolve import Resolver, holds_expression
from netspec.language.sections import InputSection
from netspec.language.steps import Step
from netspec.language.tree import Tree
from netspec.language.validation import WrongValue, advice_on, quoted
from netspec.ops.base import Op

if TYPE_CHECKING:
    from netspec.language.initialisation import Drawing, Plan

NODE_LIMIT = 1_000_000  # layers of one network, repetitions counted


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


class TooManyLayers(Diagnostic):
    """A network beyond the limit."""

    code = "NS221"
    message = "the network has more than {limit:,} layers"

    limit: int = NODE_LIMIT

    @property
    def help(self) -> str:
        return "repeat counts as that many layers"


class _Elaborator:
    """Makes the graph of one document; everything wrong goes to the collector."""

    def __init__(self, document: Document, collector: Collector) -> None:
        self.document = document
        self.collector = collector
        self.nodes: list[Node] = []
        self.origins: dict[str, Span] = {}
        self.inference = Inference(document.bounds, self.origins, collector)
        self.step_names = list(self._name_steps())
        later = {name: step.place for name, step in zip(self.step_names, document.steps, strict=True)}
        self.names = Names(later, document.complete)
        self.flow = Flow(self.names, tuple(document.inputs), collector)
        self.scope: dict[str, Any] = dict(document.parameters.values)
        complete = document.complete and document.parameters.complete
        self.resolver = Resolver(self.scope, self.inference.bounds, collector, complete=complete)
        self.drawing = self._drawing()

    def graph(self) -> Graph | None:
        """The whole graph; only complete when nothing was collected that is an error."""
        document = self.document
        inputs = tuple(self._inputs())
        previous = inputs[0].value if len(inputs) == 1 else None
        for name, step in zip(self.step_names, document.steps, strict=True):
            self.scope["prev"] = UNKNOWN_TYPE if previous is None else previous.type
            previous = self._step(name, step, previous)
            if len(self.nodes) > NODE_LIMIT:
                self.collector.add(TooManyLayers(span=step.place))
                return None
        outputs = tuple(self._outputs(previous))
        self.inference.check_declared(self._places_of_dims())
        if self.collector.failed:
            return None
        if self.drawing is not None:
            self.drawing.check_use()
        self._check_use(inputs, outputs)
        resolved = {**document.tree.value, "netspec": 1, "name": document.name}
        resolved.pop("$schema", None)  # for editors only
        if document.parameters.values:
            resolved["params"] = dict(document.parameters.values)
        return Graph(document.name, inputs, tuple(self.nodes), outputs, self.inference.bounds, resolved)

    def _drawing(self) -> Drawing | None:
        """What says how weights are drawn; None, and nothing is loaded for it, where no `init` is."""
        trees = (self.document.tree, *(step.tree for step in self.document.steps))
        if not any("init" in tree.entries for tree in trees):
            return None
        from netspec.language.initialisation import Drawing

        return Drawing(self._plan(self.document.tree, of_step=False), self.collector)

    def _places_of_dims(self) -> dict[str, Span]:
        dims = self.document.tree.find(("dims",))
        return {name: entry.value.span for name, entry in dims.entries.items()}

    def _name_steps(self) -> Iterator[str]:
        """Every step's name: its own, or its operation in snake case with its number among its like."""
        counted: Counter[str] = Counter()
        inputs = self.document.tree.find(("inputs",))
        taken: dict[str, Span] = {name: inputs.key_span(name) for name in self.document.inputs}
        for step in self.document.steps:
            kind = snake_case(meant_operation(step.operation).lstrip("$"))
            counted[kind] += 1
            name, place = step.section.name, step.span_of("name")
            if name is None:
                name, place = f"{kind}_{counted[kind]}", step.place
            else:
                fault = check_name(name, "a layer")
                if fault is not None:
                    self.collector.add(fault.at(place))
            if name in taken and (step.named or step.section.name is not None):
                automatic = step.section.name is None
                duplicate = DuplicateName(name=spell(name), automatic=automatic)
                self.collector.add(duplicate.at(place, Note("the other is here", taken[name])))
            taken.setdefault(name, place)
            yield name

    def _inputs(self) -> Iterator[GraphInput]:
        inputs = self.document.tree.find(("inputs",))
        for name, section in self.document.inputs.items():
            span = inputs.key_span(name)
            type = UNKNOWN_TYPE if section is None else self._input_type(section)
            value = Value(name, type)
            self.origins[name] = span
            self.names.define(name, Layer(value, span))
            self.scope.setdefault(name, type)
            if len(self.document.inputs) == 1:
                self.scope["in"] = type
            yield GraphInput(value, span, self.document.preprocess.get(name))

    def _input_type(self, section: InputSection) -> TensorType:
        bounds = self.inference.bounds
        shape: Shape = tuple(
            symbol(size, bounds[size].multiple_of) if isinstance(size, str) else size
            for size in section.shape
        )
        return TensorType(shape, DType(section.dtype))

    def _step(self, name: str, step: Step, previous: Value | None) -> Value:
        """Add a step's nodes; the value that the next step's `prev` means."""
        operation = self._operation(step)
        sources = None if operation is None else self.flow.sources(step, operation, previous)
        plan = self._plan(step.tree, of_step=True)
        times = self._repeat(step)
        if operation is None or sources is None or times is UNKNOWN or step.broken:
            if operation is not None:
                make_operation(operation, step.arguments, step.place, self.resolver, self.collector)
            layer = Layer(Value(name, UNKNOWN_TYPE), step.place, complete=False)
        else:
            layer = self._layers(name, step, operation, sources, plan, times)
        self.names.define(name, layer)
        self.scope.setdefault(name, layer.value.type)
        return layer.value

    def _operation(self, step: Step) -> type[Op] | None:
        if step.operation.startswith("$"):
            fault = WrongValue(key="a step", expected="an operation", got=quoted(step.operation))
            self.collector.add(fault.at(step.place))
            return None
        return find_operation(step.operation, step.place, self.collector) if step.operation else None

    def _layers(
        self, name: str, step: Step, operation: type[Op], sources: list[Value], plan: Plan | None, times: Any
    ) -> Layer:
        """The layer of a step, or with `repeat` the scope of its repetitions."""
        constant = step.arguments is None or not holds_expression(step.arguments)
        made: Op | None = None
        if constant:
            made = make_operation(operation, step.arguments, step.place, self.resolver, self.collector)
        if times is None:
            return self._layer(name, step, operation, made, sources, plan, constant)
        whole = Layer(sources[0], step.place)
        if len(self.nodes) + times > NODE_LIMIT:
            self.collector.add(TooManyLayers(span=step.span_of("repeat")))
            return Layer(Value(name, UNKNOWN_TYPE), step.place, complete=False)
        for number in range(times):
            inner = self._layer(f"{name}.{number}", step, operation, made, sources, plan, constant)
            sources = [inner.value, *sources[1:]]
            self.scope["prev"] = inner.value.type
            whole.inner[str(number)] = inner
            whole.value = inner.value
        return whole

    def _layer(
        self,
        name: str,
        step: Step,
        operation: type[Op],
        made: Op | None,
        sources: list[Value],
        plan: Plan | None,
        constant: bool,
    ) -> Layer:
        if not constant:
            made = make_operation(operation, step.arguments, step.place, self.resolver, self.collector)
        self.origins[name] = step.place
        if made is None:
            return Layer(Value(name, UNKNOWN_TYPE), step.place, complete=False)
        types = self.inference.types(made, sources, step)
        ports = made.ports(*(value.type for value in sources))
        values = tuple(
            Value(name if number == 0 else f"{name}.{port}", type)
            for number, (port, type) in enumerate(zip(ports, types, strict=True))
        )
        for value in values[1:]:
            self.origins[value.name] = step.place
        node = Node(name, made, tuple(sources), values, step.place)
        if self.drawing is not None:
            node = self._drawn(node, self.drawing, plan)
        self.nodes.append(node)
        return Layer(values[0], step.place, made, dict(zip(ports, values, strict=True)))

    def _drawn(self, node: Node, drawing: Drawing, plan: Plan | None) -> Node:
        """The node with the rules by which its parameters are drawn."""
        if any(
            value.type.shape is None or UNKNOWN in value.type.shape for value in node.inputs + node.outputs
        ):
            return node  # its weights have no shape
        rules = drawing.rules(node, plan)
        return Node(node.name, node.op, node.inputs, node.outputs, node.span, rules) if rules else node

    def _repeat(self, step: Step) -> Any:
        """How many times the step is taken; None without `repeat`, UNKNOWN after an error."""
        entry = step.tree.entries.get("repeat")
        if entry is None:
            return None
        times = self.resolver.value(entry.value)
        if times is UNKNOWN:
            return UNKNOWN
        if type(times) is not int or not 0 <= times <= NODE_LIMIT:
            fault = WrongValue(
                key="repeat",
                expected=f"an integer between 0 and {NODE_LIMIT}",
                got=quoted(times),
                advice=advice_on(times),
                computed=times != entry.value.value,
            )
            self.collector.add(fault.at(entry.value.span))
            return UNKNOWN
        return times

    def _plan(self, tree: Tree, *, of_step: bool) -> Plan | None:
        """What the `init` of a step or of the file says."""
        entry = tree.entries.get("init")
        if entry is None or entry.value.value is None:
            return None
        from netspec.language.initialisation import load_plan

        return load_plan(entry.value, self.resolver, self.collector, of_step=of_step)

    def _outputs(self, previous: Value | None) -> Iterator[GraphOutput]:
        asked, steps = self.document.outputs, self.document.steps
        if asked is None:
            if steps and previous is not None:
                yield GraphOutput(self.step_names[-1], previous, steps[-1].place)
            return

        def find(path: str, place: Span) -> Value | None:
            return self.flow.find(path, place, previous)

        last = self.step_names[-1] if steps else "prev"
        resolver = OutputResolver(self.names, self.document.inputs, last, find, self.collector)
        yield from resolver.graph_outputs(asked)

    def _check_use(self, inputs: tuple[GraphInput, ...], outputs: tuple[GraphOutput, ...]) -> None:
        """Report inputs that nothing reads, and layers that no output depends on."""
        read = {value.name for node in self.nodes for value in node.inputs}
        read |= {output.value.name for output in outputs}
        for graph_input in inputs:
            if graph_input.name not in read:
                self.collector.add(UnusedInput(name=graph_input.name).at(graph_input.span))
        needed = {output.value.name for output in outputs}
        for node in reversed(self.nodes):
            if any(value.name in needed for value in node.outputs):
                needed.update(value.name for value in node.inputs)
            else:
                self.collector.add(UnusedLayer(name=node.name).at(node.span))


def elaborate(document: Document, collector: Collector) -> Graph | None:
    """The graph of a document; None, and diagnostics in the collector, where it has an error.

    Every node's types are inferred as it is added. A node with an error gives unknown types, which silence
    what would follow from it.
    """
    graph = _Elaborator(document, collector).graph()
    return None if collector.failed else graph
