"""A Document to a Graph: steps become nodes, names are looked up, and every shape is inferred on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError, Note, Severity, Span, spell
from netspec.ir.dim import UNKNOWN, Bounds, symbol
from netspec.ir.graph import Graph, GraphInput, GraphOutput, Node, Preprocess, Value
from netspec.ir.tensor import UNKNOWN_TYPE, DType, Shape, TensorType
from netspec.language.arguments import find_operation, make_operation
from netspec.language.document import Document, Output, Step
from netspec.language.infer import infer
from netspec.language.initialisation import (
    CannotFill,
    NothingToDraw,
    Plan,
    describe_rule,
    fits,
    load_plan,
)
from netspec.language.names import check_name, snake_case
from netspec.language.references import DuplicateName, Layer, Names, NoPrevious
from netspec.language.resolve import Resolver, holds_expression
from netspec.language.sections import InputSection, PreprocessSection
from netspec.language.validation import WrongValue, quoted
from netspec.ops.base import Op

NODE_LIMIT = 1_000_000  # layers of one network, repetitions counted


class WrongInputs(Diagnostic):
    """A step reads more or fewer tensors than its operation takes."""

    code = "NS216"
    message = "{op} takes {wanted}, and `from` gives {given}"

    op: str
    wanted: str
    given: int


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
    message = "the network has more than {limit} layers"

    limit: int = NODE_LIMIT


class WrongLabels(Diagnostic):
    """More or fewer labels than the output has classes."""

    code = "NS224"
    message = "{name} has {classes} classes and {count} labels"

    name: str
    classes: int
    count: int


class UnnamedOutput(Diagnostic):
    """An output whose reference cannot be its name."""

    code = "NS222"
    message = "the output {reference} needs a name"

    reference: str

    @property
    def help(self) -> str:
        return "write outputs: {{{instead}: {reference}}}"

    @property
    def instead(self) -> str:
        return "result" if self.reference == "in" else self.reference.replace(".", "_")


class _Elaborator:
    """Makes the graph of one document; everything wrong goes to the collector."""

    def __init__(self, document: Document, collector: Collector) -> None:
        self.document = document
        self.collector = collector
        self.bounds: dict[str, Bounds] = dict(document.bounds)
        self.nodes: list[Node] = []
        self.origins: dict[str, Span] = {}
        self.step_names = list(self._name_steps())
        later = {name: step.place for name, step in zip(self.step_names, document.steps, strict=True)}
        self.names = Names(later)
        self.scope: dict[str, Any] = dict(document.parameters.values)
        self.resolver = Resolver(self.scope, self.bounds, collector)
        self.plans: list[Plan] = []

    def graph(self) -> Graph | None:
        """The whole graph; only complete when nothing was collected that is an error."""
        document = self.document
        inputs = tuple(self._inputs())
        init = document.tree.entries.get("init")
        if init is not None and init.value.value is not None:
            self.plans.append(load_plan(init.value, self.resolver, self.collector, of_step=False))
        previous = inputs[0].value if len(inputs) == 1 else None
        for name, step in zip(self.step_names, document.steps, strict=True):
            previous = self._step(name, step, previous)
            if len(self.nodes) > NODE_LIMIT:
                self.collector.add(TooManyLayers(span=step.place))
                return None
        outputs = tuple(self._outputs(previous))
        if self.collector.failed:
            return None
        self._check_use(inputs, outputs)
        resolved = {**document.tree.value, "netspec": 1, "name": document.name}
        if document.parameters.values:
            resolved["params"] = dict(document.parameters.values)
        return Graph(document.name, inputs, tuple(self.nodes), outputs, self.bounds, resolved)

    def _name_steps(self) -> Iterator[str]:
        """Every step's name: its own, or its operation in snake case with its number among its like."""
        counted: Counter[str] = Counter()
        taken: dict[str, Span] = {
            name: self.document.tree.entries["inputs"].value.key_span(name) for name in self.document.inputs
        }
        for step in self.document.steps:
            kind = snake_case(step.operation.lstrip("$"))
            counted[kind] += 1
            name, place = step.section.name, step.span_of("name")
            if name is None:
                name, place = f"{kind}_{counted[kind]}", step.place
            else:
                fault = check_name(name, "a layer")
                if fault is not None:
                    self.collector.add(fault.at(place))
            if name in taken:
                automatic = step.section.name is None
                duplicate = DuplicateName(name=spell(name), automatic=automatic)
                self.collector.add(duplicate.at(place, Note("the other is here", taken[name])))
            taken.setdefault(name, place)
            yield name

    def _inputs(self) -> Iterator[GraphInput]:
        entries = self.document.tree.entries["inputs"].value
        for name in entries.entries:
            section = self.document.inputs.get(name)
            span = entries.key_span(name)
            type = UNKNOWN_TYPE if section is None else self._input_type(section)
            value = Value(name, type)
            self.origins[name] = span
            self.names.define(name, Layer(value, span))
            self.scope.setdefault(name, type)
            preprocess = self.document.preprocess.get(name)
            yield GraphInput(value, span, None if preprocess is None else _preprocess(preprocess))

    def _input_type(self, section: InputSection) -> TensorType:
        shape: Shape = tuple(
            symbol(size, self.bounds[size].multiple_of) if isinstance(size, str) else size
            for size in section.shape
        )
        return TensorType(shape, DType(section.dtype))

    def _step(self, name: str, step: Step, previous: Value | None) -> Value | None:
        """Add a step's nodes; the value that the next step's `prev` means."""
        operation = None
        if step.operation.startswith("$"):
            fault = WrongValue(key="a step", expected="an operation", got=quoted(step.operation))
            self.collector.add(fault.at(step.place))
        else:
            operation = find_operation(step.operation, step.place, self.collector)
        sources = self._sources(step, operation, previous)
        plan = self._step_plan(step)
        times = self._repeat(step)
        if operation is None or times is UNKNOWN or sources is None:
            result = Value(name, UNKNOWN_TYPE)
            self.names.define(name, Layer(result, step.place, complete=False))
            self.scope.setdefault(name, UNKNOWN_TYPE)
            self.scope["prev"] = UNKNOWN_TYPE
            return result
        layer = self._layers(name, step, operation, sources, plan, times)
        self.names.define(name, layer)
        self.scope.setdefault(name, layer.value.type)
        return layer.value

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
        for number in range(times):
            inner = self._layer(f"{name}.{number}", step, operation, made, sources, plan, constant)
            sources = [inner.value, *sources[1:]]
            whole.inner[str(number)] = inner
            whole.value = inner.value
            if len(self.nodes) > NODE_LIMIT:
                break
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
        self.scope["prev"] = sources[0].type
        if not constant:
            made = make_operation(operation, step.arguments, step.place, self.resolver, self.collector)
        if made is None:
            value = Value(name, UNKNOWN_TYPE)
            self.origins[name] = step.place
            return Layer(value, step.place, complete=False)
        types = infer(made, sources, step, self.bounds, self.origins, self.collector)
        ports = made.ports
        values = tuple(
            Value(name if number == 0 else f"{name}.{port}", type)
            for number, (port, type) in enumerate(zip(ports, types, strict=True))
        )
        for value in values:
            self.origins[value.name] = step.place
        node = Node(name, made, tuple(sources), values, step.place)
        # After an error the shapes of the weights have no meaning: there is nothing to hold a rule against.
        if (plan is not None or self.plans) and types[0].shape is not None:
            node = replace(node, init=self._init(node, plan))
        self.nodes.append(node)
        return Layer(values[0], step.place, dict(zip(ports, values, strict=True)))

    def _repeat(self, step: Step) -> Any:
        """How many times the step is taken; None without `repeat`, UNKNOWN after an error."""
        entry = step.tree.entries.get("repeat")
        if entry is None:
            return None
        times = self.resolver.value(entry.value)
        if times is UNKNOWN:
            return UNKNOWN
        if type(times) is not int or not 0 <= times <= NODE_LIMIT:
            expected = f"an integer between 0 and {NODE_LIMIT}"
            fault = WrongValue(key="repeat", expected=expected, got=quoted(times))
            self.collector.add(fault.at(entry.value.span))
            return UNKNOWN
        return times

    def _sources(self, step: Step, operation: type[Op] | None, previous: Value | None) -> list[Value] | None:
        """The values that a step reads, in the order of its operation's inputs; None after an error."""
        given = step.section.from_
        entry = step.tree.entries.get("from")
        paths = [given] if isinstance(given, str) else list(given)
        places = [step.span_of("from")]
        if isinstance(given, list) and entry is not None:
            places = [item.span for item in entry.value.items]
        if isinstance(given, dict) and entry is not None and operation is not None:
            wrong = [key for key in given if key not in operation.arguments]
            for key in wrong:
                expected = f"one of the inputs of {operation.__name__}: {', '.join(operation.arguments)}"
                fault = WrongValue(key="a key of from", expected=expected, got=spell(key))
                self.collector.add(fault.at(entry.value.key_span(key)))
            if wrong:
                return None
            order = [key for key in operation.arguments if key in given]
            paths = [given[key] for key in order]
            places = [entry.value.entries[key].value.span for key in order]
        values = [self._find(path, place, previous) for path, place in zip(paths, places, strict=True)]
        if operation is None or any(value is None for value in values):
            return None
        wanted = len(operation.arguments)
        if len(values) < wanted or (len(values) > wanted and not operation.variadic):
            number = {1: "one input", 2: "two inputs"}.get(wanted, f"{wanted} inputs")
            words = f"at least {number}" if operation.variadic else number
            fault_inputs = WrongInputs(op=operation.__name__, wanted=words, given=len(values))
            self.collector.add(fault_inputs.at(step.span_of("from")))
            return None
        return [value for value in values if value is not None]

    def _find(self, path: str, place: Span, previous: Value | None) -> Value | None:
        """The value of one reference; None, and a diagnostic, where there is none."""
        try:
            if path in ("prev", "in"):
                return self._flow(path, place, previous)
            return self.names.find(path, place) or Value(path, UNKNOWN_TYPE)
        except DiagnosticError as error:
            self.collector.add(*error.diagnostics)
            return None

    def _flow(self, word: str, place: Span, previous: Value | None) -> Value | None:
        inputs = list(self.document.tree.entries["inputs"].value.entries)
        if word == "in" and len(inputs) == 1:
            only = self.names.get(inputs[0])
            return None if only is None else only.value
        if word == "prev" and previous is not None:
            return previous
        if len(inputs) > 1:
            self.collector.add(NoPrevious(count=len(inputs), first=inputs[0]).at(place))
        return None

    def _step_plan(self, step: Step) -> Plan | None:
        entry = step.tree.entries.get("init")
        if entry is None or entry.value.value is None:
            return None
        return load_plan(entry.value, self.resolver, self.collector, of_step=True)

    def _init(self, node: Node, plan: Plan | None) -> Mapping[str, Any]:
        """The rule of each parameter of a layer that has one; the layer's own `init` goes first."""
        if any(type.shape is None or UNKNOWN in type.shape for type in node.input_types):
            return {}
        operation = type(node.op).__name__
        weights = [weight for weight in node.op.weights(*node.input_types) if weight.trained]
        known = tuple(weight.name for weight in weights)
        for name, placed in (plan.by_parameter or {}).items() if plan is not None else ():
            if name not in known:
                nothing = NothingToDraw(op=operation, parameter=spell(name), known=known)
                self.collector.add(nothing.at(placed.tree.span))
        rules: dict[str, Any] = {}
        owns_matrix = any(len(weight.shape) >= 2 for weight in weights)
        for weight in weights:
            for candidate in (plan, *self.plans):
                placed_rule = None
                if candidate is not None:
                    placed_rule = candidate.find(operation, weight, owns_matrix)
                if placed_rule is None:
                    continue
                if fits(placed_rule.rule, weight.shape):
                    rules[weight.name] = placed_rule.rule
                else:
                    cannot = CannotFill(
                        rule=describe_rule(placed_rule.rule),
                        parameter=f"{node.name}.{weight.name}",
                        shape=weight.shape,
                    )
                    self.collector.add(cannot.at(placed_rule.tree.span, Note("of this layer", node.span)))
                break
        return rules

    def _outputs(self, previous: Value | None) -> Iterator[GraphOutput]:
        asked = self.document.outputs
        if asked is None:
            if self.step_names and previous is not None:
                last = self.document.steps[-1]
                yield GraphOutput(self.step_names[-1], previous, last.place)
            return
        defined: dict[str, Span] = {}
        for output in asked:
            value = self._find(output.reference, output.place, previous)
            if value is None:
                continue
            name = self._output_name(output, previous)
            if name is None:
                continue
            if name in defined:
                duplicate = DuplicateName(name=spell(name))
                self.collector.add(duplicate.at(output.place, Note("the other is here", defined[name])))
                continue
            defined[name] = output.place
            self._check_labels(name, output, value)
            yield GraphOutput(name, value, output.place, output.labels)

    def _output_name(self, output: Output, previous: Value | None) -> str | None:
        """An output's own name; in a list it is the layer's."""
        if output.name is None:
            name = output.reference
            if name == "prev" and self.step_names:
                name = self.step_names[-1]
            if "." in name or name == "in":
                self.collector.add(UnnamedOutput(reference=spell(output.reference)).at(output.place))
                return None
        else:
            name = output.name
        other = self.names.get(name)
        if other is not None and output.name is not None:
            named = self._find(output.reference, output.place, previous)
            if named is not None and named.name != other.value.name:
                duplicate = DuplicateName(name=spell(name))
                self.collector.add(duplicate.at(output.place, Note("a layer is called so", other.span)))
                return None
        if name in self.document.inputs and output.name is None:
            # The file of an export cannot have an input and an output of one name.
            self.collector.add(UnnamedOutput(reference=spell(name)).at(output.place))
            return None
        return name

    def _check_labels(self, name: str, output: Output, value: Value) -> None:
        shape = value.type.shape
        if output.labels is None or shape is None:
            return
        classes = shape[1] if len(shape) > 1 else shape[0]
        if isinstance(classes, int) and classes != len(output.labels):
            fault = WrongLabels(name=name, classes=classes, count=len(output.labels))
            self.collector.add(fault.at(output.place))

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


def _preprocess(section: PreprocessSection) -> Preprocess:
    def numbers(value: float | list[float] | None) -> tuple[float, ...] | None:
        if value is None:
            return None
        return tuple(value) if isinstance(value, list) else (float(value),)

    resize = section.resize
    if isinstance(resize, int):
        size: tuple[int, int] | None = (resize, resize)
    else:
        size = None if resize is None else (resize[0], resize[-1])
    return Preprocess(section.scale, numbers(section.mean), numbers(section.std), size)


def elaborate(document: Document, collector: Collector) -> Graph | None:
    """The graph of a document; None, and diagnostics in the collector, where it has an error.

    Every node's types are inferred as it is added. A node with an error gives unknown types, which silence
    what would follow from it.
    """
    graph = _Elaborator(document, collector).graph()
    return None if collector.failed else graph
