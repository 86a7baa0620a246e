"""Graph → the nodes, constants and weights of an ONNX graph, under the names of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.dim import Dim
from netspec.ir.graph import Graph, Node, Value
from netspec.ir.tensor import TensorType
from netspec.onnx_backend.emitter import Constant, Emitted, Emitter, Weights
from netspec.onnx_backend.joining import join_normalised
from netspec.ops.base import Fault


class OutputNamedAsInput(Diagnostic):
    """An ONNX file cannot hold an input and an output of one name."""

    code = "NS515"
    message = "output {name} has the name of an input: in an ONNX file every tensor has its own name"

    name: str

    @property
    def help(self) -> str:
        return "name the output otherwise: `outputs: {{{name}_out: …}}`"


@dataclass(frozen=True, slots=True)
class Lowered:
    """A graph in ONNX's operations, every tensor under its final name.

    `weights` gives, by the name of each initializer, the layer that owns it, in the order of use.
    `types` gives the type of every layer's output that has a name of its own, `carriers` by a value's name
    the tensor that it is in the file: another's, where a layer passes on what it reads, and none at all where
    two layers were joined, of what stood between them.
    """

    opset: int
    nodes: tuple[Emitted, ...]
    constants: tuple[Constant, ...]
    weights: Mapping[str, Node]
    types: Mapping[str, TensorType]
    carriers: Mapping[str, str]


def lower(graph: Graph, opset: int) -> Lowered:
    """Write every layer in the operations of `opset`, in the order of the spec.

    A node is named for the layer whose first output it gives, the others `LAYER/OpType`. A layer's output
    is named as its Value, a tensor in between as its node, a graph's output as the spec's `outputs` say.
    A slash stands in no name of a spec, and an OpType begins with a capital, so no two names collide.
    """
    return _Lowering(graph, opset).run()


class _Lowering:
    """The state of one lowering: which tensor carries each value, and what it will be called."""

    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph = graph
        symbols: dict[str, tuple[str, int]] = {}
        for item in graph.inputs:
            for axis, size in enumerate(item.value.type.known):
                if isinstance(size, Dim):
                    symbols.setdefault(str(size), (item.name, axis))
        self.emitter = Emitter(opset, symbols)
        self.weights: dict[str, Node] = {}
        self.types: dict[str, TensorType] = {}  # of the placeholders that carry a value
        self.carriers: dict[str, str] = {item.name: item.name for item in graph.inputs}
        self.names: dict[str, str] = {}  # of the placeholders
        self.read = {value.name for node in graph.nodes for value in node.inputs}
        self.read.update(output.value.name for output in graph.outputs)

    def run(self) -> Lowered:
        for layer in self.graph.nodes:
            self._lower_layer(layer)
        self._join()
        self._name_outputs()
        names = self.names
        for node in self.emitter.emitted:
            node.inputs = tuple([names.get(tensor, tensor) for tensor in node.inputs])
            node.outputs = tuple([names.get(tensor, tensor) for tensor in node.outputs])
        return Lowered(
            self.emitter.opset,
            tuple(self.emitter.emitted),
            tuple(self.emitter.constants.values()),
            self.weights,
            {names[tensor]: kind for tensor, kind in self.types.items()},
            {value: names.get(tensor, tensor) for value, tensor in self.carriers.items()},
        )

    def _lower_layer(self, layer: Node) -> None:
        inputs = [self.carriers[value.name] for value in layer.inputs]
        types = {tensor: value.type for tensor, value in zip(inputs, layer.inputs, strict=True)}
        read = {port for port, value in enumerate(layer.outputs) if value.name in self.read}
        start = len(self.emitter.emitted)
        self.emitter.enter(types, read)
        weights = Weights(layer, self.weights)
        try:
            given = layer.op.emit(self.emitter, *layer.arranged(inputs, ""), weights=weights)
        except Fault as fault:
            raise DiagnosticError(fault.diagnostic.at(layer.span)) from fault
        outputs = (given,) if isinstance(given, str) else tuple(given)
        for value, tensor in zip(layer.outputs, outputs, strict=True):
            self._carry(value, tensor)
        self._name_nodes(layer, outputs[0], self.emitter.emitted[start:])

    def _carry(self, value: Value, tensor: str) -> None:
        self.carriers[value.name] = tensor
        if tensor.startswith("%") and tensor not in self.names:
            self.names[tensor] = value.name
            self.types[tensor] = value.type

    def _name_nodes(self, layer: Node, first: str, emitted: list[Emitted]) -> None:
        taken: dict[str, int] = {}
        for node in emitted:
            if first in node.outputs:
                node.name = layer.name
                stem = f"{layer.name}/port"  # of one that no layer reads
            else:
                stem = f"{layer.name}/{node.op_type}"
                count = taken[stem] = taken.get(stem, 0) + 1
                node.name = stem = stem if count == 1 else f"{stem}_{count}"
            for port, tensor in enumerate(node.outputs):
                if tensor not in self.names:
                    self.names[tensor] = f"{stem}.{port}" if port else stem

    def _join(self) -> None:
        outputs = {self.carriers[output.value.name] for output in self.graph.outputs}
        gone = join_normalised(self.emitter, self.names, self.types, outputs)
        self.carriers = {value: tensor for value, tensor in self.carriers.items() if tensor not in gone}
        for tensor in gone:
            del self.types[tensor], self.names[tensor]

    def _name_outputs(self) -> None:
        """Give the outputs' names to the tensors that they are; where that cannot be, through an Identity."""
        inputs = {item.name for item in self.graph.inputs}
        outputs = {output.name for output in self.graph.outputs}
        renamed: dict[str, str] = {}
        for output in self.graph.outputs:
            if output.name in inputs:
                raise DiagnosticError(OutputNamedAsInput(name=output.name).at(output.span))
            tensor = self.carriers[output.value.name]
            if tensor.startswith("%") and tensor not in renamed:
                renamed[tensor] = output.name
            else:
                copy = self.emitter.node("Identity", tensor)
                self.emitter.emitted[-1].name = f"{output.name}/output"
                renamed[copy] = output.name
                self.types[copy] = output.value.type
        for tensor, name in self.names.items():
            if name in outputs and tensor not in renamed:
                renamed[tensor] = f"{name}/output"  # a layer, not an output, had this name
        self.names.update(renamed)
