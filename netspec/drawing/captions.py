"""What is written on a drawing, and what hovering over a part of it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netspec.analysis.table import Row, Table
from netspec.display.layers import field_text
from netspec.drawing.arguments import spelled, telling
from netspec.drawing.parts import Box, Item, Layer, Terminal
from netspec.ir.dim import Size, bind
from netspec.ir.graph import Graph, Node
from netspec.ir.tensor import DType, TensorType

KINDS = {
    "activation": "activation",
    "adaptive_pooling": "resolution",
    "arithmetic": "joining",
    "attention": "sequence",
    "average_pooling": "resolution",
    "channel_normalisation": "normalisation",
    "convolution": "weights",
    "embedding": "weights",
    "group_normalisation": "normalisation",
    "joining": "joining",
    "layer_normalisation": "normalisation",
    "linear": "weights",
    "max_pooling": "resolution",
    "piecewise": "activation",
    "pixels": "resolution",
    "product": "joining",
    "rectifier": "activation",
    "recurrence": "sequence",
    "resizing": "resolution",
    "response_normalisation": "normalisation",
    "softmax": "activation",
    "sources": "weights",
    "transformer": "sequence",
    "transposed_convolution": "weights",
    "unpooling": "resolution",
}
"""The class of a layer, and so its colour, by its operation's family; all other layers are `plain`."""


class Caption(NamedTuple):
    """The texts of a part: its first line, its second line left and right, and what hovering shows."""

    head: str
    rest: str
    name: str
    amount: str
    hover: str
    times: int = 1

    @property
    def badge(self) -> str:
        """How many it stands for; empty for one."""
        return f"× {self.times}" if self.times > 1 else ""


class Captions:
    """Gives the captions of everything in a drawing."""

    def __init__(self, table: Table, shapes: Mapping[str, str]) -> None:
        self._table = table
        self._shapes = shapes
        self._rows: dict[str, Row] = {row.name: row for row in table.rows}

    def network(self) -> Caption:
        """The caption of the whole. A cost that is symbolic is long, and shown only by hovering."""
        table = self._table
        amount = f"{_layers(len(table.rows))}, {table.params:,} parameters"
        if isinstance(table.macs, int):
            amount += f", {table.macs:,} multiply-adds a sample"
        name = table.graph.name
        return Caption(name, "", "", amount, f"{name}\n{self._counts(table.graph.nodes)}")

    def terminal(self, terminal: Terminal) -> Caption:
        hover = f"{terminal.kind} {terminal.name}: {self._shapes[terminal.value.name]}"
        return Caption(terminal.name, "", "", "", hover)

    def of(self, item: Item, around: Box) -> Caption:
        """The caption of a layer, or of a box, in the box around it."""
        name = _numbered(item)
        own = name.removeprefix(f"{around.name}.") if around.name else name
        return self._layer(item, name, own) if isinstance(item, Layer) else self._box(item, name, own)

    def _layer(self, layer: Layer, name: str, own: str) -> Caption:
        node, row = layer.node, self._rows[layer.name]
        ports = zip(node.op.ports(*node.input_types), node.outputs, strict=True)
        each = "each: " if layer.times > 1 else ""
        lines = [
            name,
            spelled(node.op),
            *(f"{port} {self._shapes[value.name]}" for port, value in ports),
            *([f"uses the weights of {node.shares}"] if node.shares else []),
            f"{each}{row.params:,} parameters, {_size(row.macs)} multiply-adds a sample",
            *([f"receptive field {field_text(row.receptive_field)}"] if row.receptive_field else []),
        ]
        amount = self._parameters(layer.members)
        return Caption(row.op, telling(node.op), own, amount, "\n".join(lines), layer.times)

    def _box(self, box: Box, name: str, own: str) -> Caption:
        blocks = " / ".join(scope.block for scope in box.scopes if scope.block)
        shared = next((scope.shares for scope in box.scopes if scope.shares), None)
        lines = [
            f"{name}: {blocks}" if blocks else name,
            *([f"{box.times} times the same"] if box.times > 1 else []),
            *([f"uses the weights of {shared}"] if shared else []),
            self._counts(box.members),
        ]
        layers, amount = _layers(len(box.members)), self._parameters(box.members)
        return Caption(own, blocks, layers, amount, "\n".join(lines), box.times)

    def _parameters(self, nodes: Sequence[Node]) -> str:
        number = sum(self._rows[node.name].params for node in nodes)
        return f"{number:,} params" if number else ""

    def _counts(self, nodes: Sequence[Node]) -> str:
        """How many layers, parameters and multiply-adds."""
        rows = [self._rows[node.name] for node in nodes]
        macs: Size = 0
        for row in rows:
            macs = macs + row.macs
        params = sum(row.params for row in rows)
        return f"{_layers(len(rows))}, {params:,} parameters, {_size(macs)} multiply-adds a sample"


def kind(layer: Layer) -> str:
    """The class of a layer."""
    return KINDS.get(type(layer.node.op).__module__.rpartition(".")[2], "plain")


def shapes(graph: Graph, sizes: Mapping[str, int]) -> dict[str, str]:
    """The shape of every value with these sizes of symbolic dimensions; its type unless that is float32."""
    values = [item.value for item in graph.inputs] + [value for node in graph for value in node.outputs]
    return {value.name: _tensor(value.type, sizes) for value in values}


def _tensor(type: TensorType, sizes: Mapping[str, int]) -> str:
    shape = str(type.with_shape(tuple(bind(size, sizes) for size in type.known)))
    return shape if type.dtype is DType.FLOAT32 else f"{shape} {type.dtype.value}"


def _numbered(item: Item) -> str:
    """The name of a layer or a box; of several in a row with the first number and the last."""
    if item.times == 1:
        return item.name
    within, _, last = item.last.rpartition(".")
    first, dot, rest = item.name[len(within) + 1 :].partition(".")
    return f"{within}.{first}–{last}{dot}{rest}"


def _layers(number: int) -> str:
    return "1 layer" if number == 1 else f"{number:,} layers"


def _size(size: Size) -> str:
    return f"{size:,}" if isinstance(size, int) else str(size)
