"""Normalisations that have a single value to take statistics of, which torch refuses while it trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netspec.diagnostics import Diagnostic, Note, Span
from netspec.ir.dim import Bounds, Dim
from netspec.ir.graph import GraphInput, Node
from netspec.ops.channel_normalisation import BatchNorm, ChannelNorm


class OneValueInTraining(Diagnostic):
    """A normalisation that works once it is trained, but cannot be trained."""

    code = "NS413"
    message = "{layer} cannot be trained: with batches of {batch_size} it sees one value a channel"

    layer: str
    batch_size: int
    is_batch_norm: bool

    @property
    def help(self) -> str:
        if self.is_batch_norm:
            return "write a larger batch_size, since one value has no variance; or use LayerNorm"
        return "leave it out, since one value has no variance; or put it where images are larger"


def normalising_faults(
    batch_size: int, place: Span, inputs: Sequence[GraphInput], nodes: Sequence[Node]
) -> Iterator[OneValueInTraining]:
    """Normalisations that surely have one value a channel in training; `place` is that of `batch_size`."""
    batch = _batch(inputs)
    for node in nodes:
        if isinstance(node.op, ChannelNorm) and _count(node, batch_size, batch, {}) == 1:
            fault = OneValueInTraining(
                layer=node.name, batch_size=batch_size, is_batch_norm=isinstance(node.op, BatchNorm)
            )
            yield fault.at(place, Note(f"it reads {node.input_types[0]}", node.span))


def trains_on_one(inputs: Sequence[GraphInput], nodes: Iterable[Node], bounds: Mapping[str, Bounds]) -> bool:
    """Whether every normalisation has several values a channel in a batch of one example."""
    least = {name: limits.least for name, limits in bounds.items()}
    norms = [node for node in nodes if isinstance(node.op, BatchNorm)]
    return all(_count(node, 1, _batch(inputs), least) != 1 for node in norms)


def _batch(inputs: Sequence[GraphInput]) -> str:
    """The name of the first dimension; '' where it has none."""
    shape = inputs[0].value.type.shape
    return str(shape[0]) if shape and isinstance(shape[0], Dim) else ""


def _count(node: Node, batch_size: int, batch: str, values: Mapping[str, int]) -> int | None:
    """Values a channel in a batch of so many examples; None where that depends on other dimensions."""
    assert isinstance(node.op, ChannelNorm)
    type = node.input_types[0]
    if type.shape is None:
        return None
    known = {**values, batch: batch_size}
    count = 1
    for axis in node.op.reduces(type):
        size = _at(type.known[axis], known)
        if size is None:
            return None
        count *= size
    return count


def _at(size: object, values: Mapping[str, int]) -> int | None:
    if isinstance(size, Dim):
        return size.evaluate(values) if size.symbols <= values.keys() else None
    return size if isinstance(size, int) else None
