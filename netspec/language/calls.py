"""One operation of the graph: made of its arguments, its types inferred, its node added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.diagnostics import Collector, Diagnostic, Note, Span, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.graph import Node, Value
from netspec.ir.tensor import UNKNOWN_TYPE, DType
from netspec.language.arguments import Known, make_operation
from netspec.language.flow import Sources
from netspec.language.infer import Inference, Site
from netspec.language.references import Layer
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.ops.base import Op

if TYPE_CHECKING:
    from netspec.language.initialisation import Drawing, Plan
    from netspec.language.parametrization import Parametrization

NODE_LIMIT = 1_000_000  # layers of one network, repetitions counted


class TooManyLayers(Diagnostic):
    """A network beyond the limit."""

    code = "NS221"
    message = "the network has more than {limit:,} layers"

    limit: int = NODE_LIMIT

    @property
    def help(self) -> str:
        return "repeat counts as that many layers, and so does every iteration of a loop"


class SharedUnlike(Diagnostic):
    """A layer that would use the weights of one that is not its like."""

    code = "NS249"
    message = "{name} cannot share the weights of {owner}: {reason}"

    name: str
    owner: str
    reason: str
    block: bool = False

    @property
    def help(self) -> str:
        if self.block:
            return "instances that share their weights are of one block, and made of the same layers"
        return (
            "a shared layer is the same operation with the same arguments, on inputs of the same channels, "
            "and of the same sizes where its module depends on them"
        )


class Aborted(Exception):
    """Elaboration ends here: what comes after would only take time.

    The reason is collected, or is the exception's argument where it is not about the step that is taken.
    """


class Beside(NamedTuple):
    """What stands beside a call: how its weights are drawn and computed, and whose it shares."""

    plan: Plan | None = None
    parametrize: Parametrization | None = None
    shares: Layer | None = None


class Calls:
    """Adds nodes, and tells what each of them gives."""

    def __init__(self, inference: Inference, drawing: Drawing | None, collector: Collector) -> None:
        self.inference = inference
        self.drawing = drawing
        self.collector = collector
        self.nodes: list[Node] = []
        self.made: Known = {}
        self._index: dict[str, Node] = {}

    def make(self, operation: type[Op], arguments: Tree | None, place: Span, resolver: Resolver) -> Op | None:
        """The operation with its arguments; None after an error."""
        return make_operation(operation, arguments, place, resolver, self.collector, self.made)

    def add(self, name: str, op: Op, sources: Sources, site: Site, beside: Beside) -> Layer:
        """The layer of one operation, its node added to the graph."""
        if len(self.nodes) >= NODE_LIMIT:
            self.collector.add(TooManyLayers(span=site.place))
            raise Aborted
        self.inference.origins[name] = site.place
        site = site._replace(slots=sources.slots)
        types = self.inference.types(op, sources.values, site)
        if types == (UNKNOWN_TYPE,):
            return Layer(Value(name, UNKNOWN_TYPE), site.place, op, path=name, complete=False)
        ports = op.ports(*site.spread([value.type for value in sources.values]))
        values = tuple(
            [
                Value(name if number == 0 else f"{name}.{port}", type)
                for number, (port, type) in enumerate(zip(ports, types, strict=True))
            ]
        )
        for value in values[1:]:
            self.inference.origins[value.name] = site.place
        node = Node(name, op, tuple(sources.values), values, site.place, slots=sources.slots)
        self.nodes.append(self._completed(node, beside))
        return Layer(values[0], site.place, op, dict(zip(ports, values, strict=True)), path=name)

    def _completed(self, node: Node, beside: Beside) -> Node:
        """The node with what stands beside it, as far as its types are known."""
        if beside == (None, None, None) and self.drawing is None:
            return node
        if any(
            value.type.shape is None or UNKNOWN in value.type.shape for value in node.inputs + node.outputs
        ):
            return node  # its weights have no shape
        changes: dict[str, Any] = {}
        if beside.shares is not None:
            changes["shares"] = self.owner(node, beside.shares)
        elif beside.parametrize is not None:
            changes["parametrize"] = beside.parametrize.of(node, self.collector)
        if "shares" not in changes and (self.drawing is not None or beside.plan is not None):
            changes["init"] = self._rules(node, beside.plan)
        return node.but(**changes)

    def _rules(self, node: Node, plan: Plan | None) -> Any:
        if self.drawing is None:
            from netspec.language.initialisation import Drawing

            self.drawing = Drawing(None, self.collector)
        return self.drawing.rules(node, plan)

    def owner(self, node: Node, shared: Layer) -> str | None:
        """The layer whose weights a node uses; None, and NS249, where it is not its like."""
        if shared.made is not None and not isinstance(shared.made, Op):
            reason = f"it is {spell(type(node.op).__name__)}, the other is the block {shared.made.name}"
            self._unlike(node, spell(shared.path), reason, shared.span)
            return None
        by_name = self._by_name()
        other = by_name.get(shared.path)
        if other is None:
            return None  # an error left it out
        reason = ""
        if type(other.op) is not type(node.op):
            reason = f"it is {spell(type(node.op).__name__)}, the other is {spell(type(other.op).__name__)}"
        elif other.op != node.op:
            reason = "their arguments differ"
        elif _kinds(other) != _kinds(node) or not _made_alike(other, node):
            reason = f"its input is {node.inputs[0].type}, the other's {other.inputs[0].type}"
        if not reason:
            return other.owner
        self._unlike(node, spell(other.name), reason, other.span)
        return None

    def _unlike(self, node: Node, owner: str, reason: str, place: Span) -> None:
        fault = SharedUnlike(name=spell(node.name), owner=owner, reason=reason)
        self.collector.add(fault.at(node.span, Note("the other is here", place)))

    def replace(self, number: int, node: Node) -> None:
        """Put another node of the same name in the place of one that was added."""
        self.nodes[number] = self._by_name()[node.name] = node

    def _by_name(self) -> dict[str, Node]:
        """The nodes so far; looked up only where weights are shared."""
        for node in self.nodes[len(self._index) :]:
            self._index[node.name] = node
        return self._index


def _made_alike(one: Node, other: Node) -> bool:
    """Whether two layers of equal operations have the same weights, and modules of the same sizes."""
    types, others = one.input_types, other.input_types
    return one.op.weights(*types) == other.op.weights(*others) and one.op.held(*types) == other.op.held(
        *others
    )


def _kinds(node: Node) -> list[tuple[DType, int]]:
    """What a module may be made for beside its weights: the types of elements, and ranks."""
    return [(value.type.dtype, value.type.rank) for value in node.inputs]
