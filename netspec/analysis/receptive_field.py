"""The window in the network's input that an element of a layer's output sees."""

from __future__ import annotations

from dataclasses import dataclass

from netspec.ir.graph import Graph, Node
from netspec.ir.window import Axis, Window


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """A window, per spatial axis, in the input called `origin`."""

    origin: str
    axes: Window


NO_INPUT = ReceptiveField("", ())
"""What depends on no input, as a parameter, and hides no other field where the two meet."""


def receptive_fields(graph: Graph) -> dict[str, ReceptiveField | None]:
    """The receptive field of every value by its name; None where it has no meaning.

    It has one as long as a value's trailing axes are positions in one input's: up to Flatten, Linear, or a
    sum of layers that come from different inputs or in different strides.
    """
    fields: dict[str, ReceptiveField | None] = {}
    for graph_input in graph.inputs:
        spatial = graph_input.value.type.rank - 2
        origin = ReceptiveField(graph_input.name, (Axis(1),) * spatial)
        fields[graph_input.name] = origin if spatial > 0 else None
    for node in graph:
        field = _field(node, [fields[value.name] for value in node.inputs])
        for value in node.outputs:
            fields[value.name] = field
    return {name: None if field == NO_INPUT else field for name, field in fields.items()}


def _field(node: Node, fields: list[ReceptiveField | None]) -> ReceptiveField | None:
    seen = [field for field in fields if field != NO_INPUT]
    if not seen:
        return NO_INPUT
    merged = seen[0]
    for other in seen[1:]:
        merged = _union(merged, other)
    window = node.op.window(*node.input_types)
    if merged is None or window is None:
        return None
    if not window:
        return merged
    if len(window) != len(merged.axes):
        return None
    axes = tuple(axis.over(earlier) for axis, earlier in zip(window, merged.axes, strict=True))
    return ReceptiveField(merged.origin, axes)


def _union(left: ReceptiveField | None, right: ReceptiveField | None) -> ReceptiveField | None:
    """The smallest window that covers two, if both move over one input in the same strides."""
    if left is None or right is None or left.origin != right.origin or len(left.axes) != len(right.axes):
        return None
    axes = []
    for a, b in zip(left.axes, right.axes, strict=True):
        if a.stride != b.stride:
            return None
        before = max(a.padding, b.padding)
        end = max(a.extent - a.padding, b.extent - b.padding)
        after = max(a.padding_after, b.padding_after)
        axes.append(Axis(before + end, a.stride, before, after))
    return ReceptiveField(left.origin, tuple(axes))
