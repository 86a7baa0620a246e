"""How values flow between what is drawn: the wires of every box, from border to border."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from netspec.drawing.folding import stand_in
from netspec.drawing.parts import Box, Layer, Terminal
from netspec.ir.graph import Graph

End = Terminal | Layer | Box


class Border(Enum):
    """Where a piece of a flow begins or ends that is at no item: at its label, or at the box's own border."""

    TOP = "top"
    LABEL = "label"
    BOTTOM = "bottom"


@dataclass(eq=False)
class Flow:
    """A value that is drawn, with its shape as text: what makes it, and what reads it."""

    name: str
    shape: str
    source: End
    targets: list[End] = field(default_factory=list)


class Wire(NamedTuple):
    """The piece of a flow between two things in one box."""

    flow: Flow
    tail: End | Border
    head: End | Border


@dataclass(eq=False)
class Scene:
    """What is drawn: the network's box, its terminals, the flows, and the wires in every box, in order."""

    root: Box
    inputs: list[Terminal]
    outputs: list[Terminal]
    flows: list[Flow]
    wires: dict[Box, list[Wire]]


def scene(graph: Graph, root: Box, stand_ins: Mapping[str, str], shapes: Mapping[str, str]) -> Scene:
    """The scene of a graph whose boxes are given, folded and closed; `shapes` are the texts of its values."""
    inputs = [Terminal("input", item.name, item.value) for item in graph.inputs]
    outputs = [Terminal("output", item.name, item.value) for item in graph.outputs]
    around = dict(_around(root))
    flows = _flows(graph, inputs, outputs, around, stand_ins, shapes)
    for terminal in (*inputs, *outputs):
        around[terminal] = root
    wires: dict[Box, dict[Wire, None]] = {}
    for flow in flows:
        for box, wire in _pieces(flow, around):
            wires.setdefault(box, {})[wire] = None
    return Scene(root, inputs, outputs, flows, {box: list(found) for box, found in wires.items()})


def _around(box: Box) -> Iterator[tuple[End, Box]]:
    """Everything that is drawn in a box, each with the innermost box around it."""
    for item in box.items:
        yield item, box
        if isinstance(item, Box) and not item.closed:
            yield from _around(item)


def _flows(
    graph: Graph,
    inputs: list[Terminal],
    outputs: list[Terminal],
    around: Mapping[End, Box],
    stand_ins: Mapping[str, str],
    shapes: Mapping[str, str],
) -> list[Flow]:
    """The values between the things drawn; what flows inside a closed box or into a folded copy is none."""
    ends = {
        node.name: item
        for item in around
        if isinstance(item, Layer) or (isinstance(item, Box) and item.closed)
        for node in item.members
    }
    flows = {item.value.name: Flow(item.value.name, shapes[item.value.name], item) for item in inputs}
    for node in graph:
        drawn = graph.by_name[stand_in(node.name, stand_ins)]
        for value, shown in zip(node.outputs, drawn.outputs, strict=True):
            if drawn is node:
                flows[value.name] = Flow(value.name, shapes[value.name], ends[node.name])
            else:
                flows[value.name] = flows[shown.name]
    reads: list[tuple[Flow, End]] = [
        (flows[value.name], ends[node.name])
        for node in graph
        if node.name not in stand_ins
        for value in node.inputs
    ]
    reads += [(flows[item.value.name], item) for item in outputs]
    for flow, target in reads:
        if target is not flow.source and target not in flow.targets:
            flow.targets.append(target)
    return [flow for flow in dict.fromkeys(flows.values()) if flow.targets]


def _pieces(flow: Flow, around: Mapping[End, Box]) -> Iterator[tuple[Box, Wire]]:
    """A flow as wires, each with its box: out of the boxes around its source, and into those of its targets.

    Its label is in the innermost box in which it does not only leave.
    """
    out = list(_outward(flow.source, around))
    steps = {box: step for step, (_, box) in enumerate(out)}
    meetings: dict[int, list[list[tuple[End, Box]]]] = {}
    for target in flow.targets:
        into = list(_outward(target, around))
        meeting = next(place for place, (_, box) in enumerate(into) if box in steps)
        meetings.setdefault(steps[into[meeting][1]], []).append(into[: meeting + 1])
    label, top = min(meetings), max(meetings)
    for step, (item, box) in enumerate(out[: top + 1]):
        tail: End | Border = item
        if step == label:
            yield box, Wire(flow, item, Border.LABEL)
            tail = Border.LABEL
        for into in meetings.get(step, ()):
            yield box, Wire(flow, tail, into[-1][0])
            for inner, inside in into[:-1]:
                yield inside, Wire(flow, Border.TOP, inner)
        if step < top:
            yield box, Wire(flow, tail, Border.BOTTOM)


def _outward(end: End, around: Mapping[End, Box]) -> Iterator[tuple[End, Box]]:
    """A thing with the box around it, then that box with the one around it, and so on to the network."""
    while end in around:
        yield end, around[end]
        end = around[end]
