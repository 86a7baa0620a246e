"""Repetitions that are identical, found and drawn once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netspec.drawing.parts import Box, Item
from netspec.ir.graph import Graph, Node, Value

Carried = tuple[tuple[int, int] | str, ...]
"""What one repetition reads from outside, in order: a port of the one before it (the place of the node in
there, and of the port), or the name of a value that all of them read."""


class _Flow(NamedTuple):
    """Who makes each value and who reads it, by the value's name, and which values leave the network."""

    makers: Mapping[str, tuple[str, int]]
    readers: Mapping[str, Sequence[str]]
    given: frozenset[str]


def fold(graph: Graph, root: Box) -> dict[str, str]:
    """Let the first of several identical parts of a list stand for all; gives each folded node's stand-in.

    Parts are identical if their layers are, under the same names and on the same shapes, and if each reads of
    the one before it what that one reads of the one before itself. Nothing else may read what is in between.

    Cost: every node is compared once for each list that it is in.
    """
    makers = {value.name: (node.name, port) for node in graph for port, value in enumerate(node.outputs)}
    readers: dict[str, list[str]] = {}
    for node in graph:
        for value in node.inputs:
            readers.setdefault(value.name, []).append(node.name)
    stand_ins: dict[str, str] = {}
    _fold(root, _Flow(makers, readers, frozenset(output.value.name for output in graph.outputs)), stand_ins)
    return stand_ins


def stand_in(name: str, stand_ins: Mapping[str, str]) -> str:
    """The node that is drawn for this one; who stands for it may be folded in turn, in a list inside."""
    while name in stand_ins:
        name = stand_ins[name]
    return name


def _fold(box: Box, flow: _Flow, stand_ins: dict[str, str]) -> None:
    if box.is_list:
        box.items = [_gathered(run, stand_ins) for run in _runs(box.items, flow)]
    for item in box.items:
        if isinstance(item, Box):
            _fold(item, flow, stand_ins)


def _gathered(run: Sequence[Item], stand_ins: dict[str, str]) -> Item:
    """The first of a run, which from here on stands for all of it."""
    first, *copies = run
    names = [node.name for node in first.members]
    for copy in copies:
        stand_ins.update(zip((node.name for node in copy.members), names, strict=True))
    first.members = [node for item in run for node in item.members]
    first.times, first.last = len(run), run[-1].name
    return first


def _runs(items: Sequence[Item], flow: _Flow) -> list[list[Item]]:
    """The items in order, neighbours that are identical together."""
    runs: list[list[Item]] = []
    carried: Carried | None = None
    for item in items:
        found = _carried(runs[-1][-1], item, flow) if runs else None
        if found is not None and (len(runs[-1]) == 1 or found == carried):
            runs[-1].append(item)
            carried = found
        else:
            runs.append([item])
    return runs


def _carried(first: Item, second: Item, flow: _Flow) -> Carried | None:
    """What the second reads from outside, if it is the first over again; None if it is not."""
    if len(first.members) != len(second.members) or type(first) is not type(second):
        return None
    places = {node.name: place for place, node in enumerate(first.members)}
    here = {node.name: place for place, node in enumerate(second.members)}
    links: dict[str, str] = {}  # what the first reads from outside -> what the second reads in its place
    carried: list[tuple[int, int] | str] = []
    for one, other in zip(first.members, second.members, strict=True):
        if not _same(one, other, len(first.name), len(second.name)):
            return None
        for read, again in zip(one.inputs, other.inputs, strict=True):
            maker, port = flow.makers.get(again.name, ("", 0))
            if maker in here:
                if flow.makers.get(read.name) != (first.members[here[maker]].name, port):
                    return None
                continue
            if flow.makers.get(read.name, ("", 0))[0] in places or read.type != again.type:
                return None
            if links.setdefault(read.name, again.name) != again.name:
                return None
            if maker not in places and read.name != again.name:
                return None
            carried.append((places[maker], port) if maker in places else again.name)
    if len(set(links.values())) != len(links) or _read_elsewhere(first.members, {*places, *here}, flow):
        return None
    return tuple(carried)


def _same(one: Node, other: Node, start: int, other_start: int) -> bool:
    """Whether two nodes are the same layer in two parts, whose names are of these lengths."""
    if (
        one.name[start:] != other.name[other_start:]
        or type(one.op) is not type(other.op)
        or one.op != other.op
    ):
        return False
    if (
        one.slots != other.slots
        or one.parametrize != other.parametrize
        or len(one.inputs) != len(other.inputs)
    ):
        return False
    if one.shares != other.shares:
        within = one.shares and other.shares and one.shares.startswith(one.name[:start])
        if not within or one.shares[start:] != other.shares[other_start:]:  # type: ignore[index]
            return False
    return [value.type for value in one.outputs] == [value.type for value in other.outputs]


def _read_elsewhere(nodes: Sequence[Node], allowed: set[str], flow: _Flow) -> bool:
    """Whether a value of these nodes leaves the network, or is read by others than the allowed ones."""
    values: list[Value] = [value for node in nodes for value in node.outputs]
    return any(
        value.name in flow.given or not allowed.issuperset(flow.readers.get(value.name, ()))
        for value in values
    )
