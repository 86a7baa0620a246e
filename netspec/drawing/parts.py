"""What a drawing is made of: boxes that nest, and in them layers and terminals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from netspec.ir.graph import Graph, Node, Scope, Value


@dataclass(eq=False)
class Terminal:
    """An input of the network, or an output. Its `key` is no other part's name: no layer's has a colon."""

    kind: Literal["input", "output"]
    name: str
    value: Value

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(eq=False)
class Layer:
    """One node, or several in a row that are the same: the first is drawn and stands for all."""

    members: list[Node]
    times: int = 1
    last: str = ""

    @property
    def node(self) -> Node:
        return self.members[0]

    @property
    def name(self) -> str:
        return self.node.name

    key = name


@dataclass(eq=False)
class Box:
    """The network, or a named part of it, or several in a row that are the same.

    `scopes` are what it is the box of, from the outermost: more than one where a scope holds nothing but
    another. `members` are all nodes inside, those of repetitions that are not drawn included. `last` is the
    name of the last repetition that it stands for.
    """

    scopes: list[Scope]
    items: list[Item] = field(default_factory=list)
    members: list[Node] = field(default_factory=list)
    times: int = 1
    last: str = ""
    closed: bool = False

    @property
    def name(self) -> str:
        return self.scopes[-1].name if self.scopes else ""

    key = name

    @property
    def levels(self) -> int:
        """How many levels of nesting it is: one a scope."""
        return len(self.scopes)

    @property
    def is_list(self) -> bool:
        """Whether it has numbered parts and nothing else."""
        return bool(self.scopes) and self.scopes[-1].kind == "list"


Item = Layer | Box


def tree(graph: Graph) -> Box:
    """The boxes of a graph from the network down: one a scope that has nodes."""
    root = Box([])
    boxes = {"": root}
    scopes = {scope.name: scope for scope in graph.scopes}
    for node in graph:
        around = [root]
        for name in _prefixes(node.name):
            if name not in scopes:
                continue
            if name not in boxes:
                boxes[name] = Box([scopes[name]])
                around[-1].items.append(boxes[name])
            around.append(boxes[name])
        around[-1].items.append(Layer([node]))
        for box in around:
            box.members.append(node)
    return root


def _prefixes(name: str) -> Iterator[str]:
    """What a dotted name is in: of `a.b.c` first `a`, then `a.b`."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)


def simplify(box: Box) -> None:
    """Take out the boxes that show nothing: those around numbered parts, which bear their names anyway, and
    those around nothing but another box, which gets theirs."""
    items: list[Item] = []
    for item in box.items:
        if isinstance(item, Box):
            simplify(item)
        items += item.items if isinstance(item, Box) and item.is_list else [item]
    box.items = [_merged(item) for item in items]


def _merged(item: Item) -> Item:
    """A box around one box alone as one box; not where both are repeated."""
    if not isinstance(item, Box) or len(item.items) != 1:
        return item
    inner = item.items[0]
    if not isinstance(inner, Box) or min(item.times, inner.times) > 1:
        return item
    inner.scopes = item.scopes + inner.scopes
    inner.members = item.members
    if item.times > 1:
        inner.times, inner.last = item.times, item.last
    return inner


def drawn(box: Box, depth: int) -> int:
    """How many layers and closed boxes are drawn if `depth` levels are shown; of 1, no box is open."""
    return sum(
        drawn(item, depth - item.levels) if isinstance(item, Box) and item.levels < depth else 1
        for item in box.items
    )


def levels(box: Box) -> int:
    """How many levels there are: 1 where nothing nests."""
    return 1 + max((item.levels - 1 + levels(item) for item in box.items if isinstance(item, Box)), default=0)


def close(box: Box, depth: int) -> None:
    """Close the boxes inside so that `depth` levels are shown."""
    for item in box.items:
        if isinstance(item, Box):
            item.closed = item.levels >= depth
            close(item, depth - item.levels)
