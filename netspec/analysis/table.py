"""The layer table: what every layer gives, holds and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Any

from netspec.analysis.receptive_field import ReceptiveField, receptive_fields
from netspec.ir.dim import Dim, Size, UndecidableError, bind, symbol
from netspec.ir.graph import Graph, Node
from netspec.ir.tensor import TensorType


@dataclass(frozen=True, slots=True)
class Row:
    """One layer. `params` counts trained numbers, `macs` the multiply-adds of one sample."""

    name: str
    op: str
    output: TensorType
    params: int
    macs: Size
    receptive_field: ReceptiveField | None


@dataclass(frozen=True)
class Table:
    """All layers of a graph, and their sums."""

    graph: Graph
    rows: tuple[Row, ...]

    @property
    def params(self) -> int:
        return sum(row.params for row in self.rows)

    @property
    def macs(self) -> Size:
        total: Size = 0
        for row in self.rows:
            total = total + row.macs
        return total

    def to_json(self) -> dict[str, Any]:
        """The table as JSON data; a size that is symbolic is text."""
        return {
            "name": self.graph.name,
            "inputs": {i.name: _tensor_json(i.value.type) for i in self.graph.inputs},
            "outputs": {o.name: _tensor_json(o.value.type) for o in self.graph.outputs},
            "dims": {
                name: {"min": bounds.least, "max": bounds.greatest, "multiple_of": bounds.multiple_of}
                for name, bounds in self.graph.bounds.items()
            },
            "totals": {"params": self.params, "macs": size_json(self.macs)},
            "layers": [
                {
                    "name": row.name,
                    "op": row.op,
                    "output_shape": [size_json(size) for size in row.output.known],
                    "params": row.params,
                    "macs": size_json(row.macs),
                    "receptive_field": field_json(row.receptive_field),
                }
                for row in self.rows
            ],
        }


def size_json(size: Size) -> int | str:
    """A size as JSON has it: a number, or the text of an expression."""
    return size if isinstance(size, int) else str(size)


def _tensor_json(type: TensorType) -> dict[str, Any]:
    return {"shape": [size_json(size) for size in type.known], "dtype": type.dtype.value}


def field_json(field: ReceptiveField | None) -> list[dict[str, int]] | None:
    """A receptive field as JSON data, one object per axis; null where it has no meaning."""
    if field is None:
        return None
    return [{"size": axis.extent, "stride": axis.stride, "padding": axis.padding} for axis in field.axes]


def tabulate(graph: Graph, sizes: Mapping[str, int] = MappingProxyType({})) -> Table:
    """The layer table of a graph, with these sizes of its symbolic dimensions.

    Cost: linear in the layers; no weights are allocated.
    """
    fields = receptive_fields(graph)
    batch = _batch(graph)
    rows = (_row(node, batch, fields[node.output.name]) for node in graph)
    return Table(graph, tuple(_bound(row, sizes) if sizes else row for row in rows))


def _bound(row: Row, sizes: Mapping[str, int]) -> Row:
    """The row with symbols replaced by their sizes; others stay."""
    shape = tuple(bind(size, sizes) for size in row.output.known)
    return replace(row, output=row.output.with_shape(shape), macs=bind(row.macs, sizes))


def _batch(graph: Graph) -> Size:
    """How many samples the network is given: the first input's leading dimension."""
    leading = graph.inputs[0].value.type.known[0]
    if isinstance(leading, Dim):
        (name,) = leading.symbols
        return symbol(name, graph.bounds[name].multiple_of)
    return leading


def _row(node: Node, batch: Size, field: ReceptiveField | None) -> Row:
    inputs = node.input_types
    outputs = tuple(value.type for value in node.outputs)
    macs = node.op.cost(*inputs, *outputs).macs
    owned = node.op.weights(*inputs) if node.shares is None else ()
    params = sum(prod(weight.shape) for weight in owned if weight.trained)
    return Row(node.name, type(node.op).__name__, outputs[0], params, _per_sample(macs, batch), field)


def _per_sample(macs: Size, batch: Size) -> Size:
    """The share of one sample; all of it where the batch does not divide it."""
    if isinstance(macs, int):
        divides = isinstance(batch, int) and macs % batch == 0
        return macs // batch if divides else macs
    try:
        return macs // batch
    except UndecidableError:
        return macs
