"""What is written on a drawing, and what hovering over a part of it shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from netspec.analysis.table import Row, Table
from netspec.display.layers import field_text
from netspec.drawing.arguments import spelled, telling
from netspec.drawing.parts import Box, Item, Layer
from netspec.ir.dim import Size
from netspec.ir.graph import Node, Value

KINDS = {
    "attention": "attention",
    "embedding": "weights",
    "convolution": "weights",
    "transposed_convolution": "weights",
    "linear": "weights",
    "sources": "weights",
    "recurrence": "attention",
    "transformer": "attention",
    "activation": "activation",
    "piecewise": "activation",
    "rectifier": "activation",
    "softmax": "activation",
    "adaptive_pooling": "pooling",
    "average_pooling": "pooling",
    "max_pooling": "pooling",
    "resizing": "pooling",
    "unpooling": "pooling",
    "channel_normalisation": "normalisation",
    "group_normalisation": "normalisation",
    "layer_normalisation": "normalisation",
    "response_normalisation": "normalisation",
    "arithmetic": "joining",
    "joining": "joining",
    "product": "joining",
}
"""The colour of a layer by its operation's family; of those not here, the plain one."""

PLAIN = "plain"


class Caption(NamedTuple):
    """The texts of one layer or box: first line, second line left and right, and what hovering shows."""

    head: str
    rest: str
    name: str
    count: str
    hover: str
    kind: str = PLAIN
    times: int = 1

    @property
    def badge(self) -> str:
        """How many it stands for; empty for one."""
        return f"× {self.times}" if self.times > 1 else ""


class Captions:
    """Gives the captions of a graph's layers and boxes."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: dict[str, Row] = {row.name: row for row in table.rows}

    def of(self, item: Item, around: Box) -> Caption:
        """The caption of a layer, or of a box, in the box around it."""
        own = _numbered(item)
        own = own.removeprefix(f"{around.name}.") if around.name else own
        return self._layer(item, own) if isinstance(item, Layer) else self._box(item, own)

    def of_network(self) -> Caption:
        """The caption of the whole drawing."""
        table = self._table
        counts = self._counts(table.graph.nodes)
        shown = f"{len(table.rows):,} layers, {table.params:,} parameters"
        if isinstance(table.macs, int):
            shown = f"{shown}, {table.macs:,} multiply-adds a sample"
        return Caption(table.graph.name, "", "", shown, f"{table.graph.name}\n{counts}")

    def _layer(self, layer: Layer, own: str) -> Caption:
        node, rows = layer.node, [self._rows[member.name] for member in layer.members]
        lines = [_numbered(layer), spelled(node.op)]
        lines += [f"{port} {tensor(value)}" for port, value in zip(node.op.ports(*node.input_types), node.outputs, strict=True)]
        if node.shares is not None:
            lines.append(f"has the weights of {node.shares}")
        each = "each " if layer.times > 1 else ""
        lines.append(f"{each}{rows[0].params:,} parameters, {_size(rows[0].macs)} multiply-adds a sample")
        if rows[0].receptive_field is not None:
            lines.append(f"receptive field {field_text(rows[0].receptive_field)}")
        kind = KINDS.get(type(node.op).__module__.rpartition(".")[2], PLAIN)
        count = _parameters(sum(row.params for row in rows))
        return Caption(type(node.op).__name__, telling(node.op), own, count, "\n".join(lines), kind, layer.times)

    def _box(self, box: Box, own: str) -> Caption:
        blocks = " › ".join(dict.fromkeys(scope.block for scope in box.scopes if scope.block))
        title = f"{_numbered(box)}: {blocks}" if blocks else _numbered(box)
        repeated = [f"{box.times} times the same"] if box.times > 1 else []
        shared = [f"has the weights of {scope.shares}" for scope in box.scopes if scope.shares]
        hover = "\n".join([title, *repeated, *shared, self._counts(box.members)])
        count = _parameters(sum(self._rows[node.name].params for node in box.members))
        return Caption(own, blocks, own, count, hover, times=box.times)

    def _counts(self, nodes: Sequence[Node]) -> str:
        """How many layers, parameters and multiply-adds."""
        rows = [self._rows[node.name] for node in nodes]
        macs: Size = 0
        for row in rows:
            macs = macs + row.macs
        layers = f"{len(rows):,} layers" if len(rows) != 1 else "1 layer"
        return f"{layers}, {sum(row.params for row in rows):,} parameters, {_size(macs)} multiply-adds a sample"


def tensor(value: Value) -> str:
    """A value's shape, and its element type unless that is the usual one."""
    dtype = value.type.dtype.value
    return str(value.type) if dtype == "float32" else f"{value.type} {dtype}"


def _numbered(item: Item) -> str:
    """The name of an item; where it stands for several, with the numbers of the first and the last."""
    if item.times == 1:
        return item.name
    within, _, last = item.last.rpartition(".")
    first, dot, rest = item.name[len(within) + 1 :].partition(".")
    return f"{within}.{first}–{last}{dot}{rest}"


def _parameters(number: int) -> str:
    return f"{number:,} params" if number else ""


def _size(size: Size) -> str:
    return f"{size:,}" if isinstance(size, int) else str(size)
