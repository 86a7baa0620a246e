"""A graph as its parts: the network, and in it the instances of blocks, each with the steps that it calls.

What a module tree, a drawing and a source file have in common; a flat graph tells it only by its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netspec.ir.dim import Dim
from netspec.ir.graph import Graph, Node, Scope, Value

PARAMETERS = {"in": "input", "self": "self_"}
"""What the parameters of a block's forward are called for inputs whose names Python has other uses for."""


@dataclass(eq=False)
class Layer:
    """One node as a step of its part; `own` is its name there, `called` that of the module it uses."""

    node: Node
    own: str
    called: str

    @property
    def shares(self) -> bool:
        """Whether it calls the module of an earlier step."""
        return self.node.shares is not None

    @property
    def needs(self) -> tuple[str, ...]:
        """The symbolic dimensions of which the sizes are made that it is given."""
        shapes = self.node.op.sizes(*self.node.input_types).values()
        sizes = (size for shape in shapes for size in shape if isinstance(size, Dim))
        return tuple(dict.fromkeys(name for size in sizes for name in size.multiples))


@dataclass(eq=False)
class Part:
    """The network, or one instance of a block: what it gets, calls in turn, and gives.

    `inputs` are in order, by the names of the forward's parameters. `symbols` are those whose sizes steps
    inside need: each with the input and the axis that it is read from, or None where it is given from
    outside. `containers` are the scopes inside that are no blocks.
    """

    name: str
    block: str
    own: str
    called: str
    inputs: Mapping[str, Value]
    outputs: tuple[Value, ...]
    scope: Scope | None = None
    steps: list[Layer | Part] = field(default_factory=list)
    symbols: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    containers: list[str] = field(default_factory=list)
    shares: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The symbolic dimensions whose sizes it is given."""
        return tuple(symbol for symbol, place in self.symbols.items() if place is None)


def outline(graph: Graph) -> Part:
    """The parts of a graph, from the network down."""
    root = Part(
        name="",
        block="",
        own="",
        called="",
        inputs={item.name: item.value for item in graph.inputs},
        outputs=tuple(output.value for output in graph.outputs),
    )
    parts = _parts(graph, root)
    for node in graph.nodes:
        _place(node, parts)
    _need(root)
    places = _places(graph)
    root.symbols = {symbol: places[symbol] for symbol in root.symbols}
    return root


def _parts(graph: Graph, root: Part) -> dict[str, Part]:
    """Every instance of a block by its name, and the containers where they are."""
    parts = {"": root}
    for scope in graph.scopes:
        outer = parts[_around(scope.name, parts)]
        own = scope.name[len(outer.name) + 1 :] if outer.name else scope.name
        if scope.kind != "block":
            outer.containers.append(own)
            continue
        called = scope.shares or scope.name
        parts[scope.name] = Part(
            name=scope.name,
            block=scope.block,
            own=own,
            called=called[len(outer.name) + 1 :] if outer.name else called,
            inputs={PARAMETERS.get(name, name): value for name, value in scope.inputs.items()},
            outputs=tuple(dict.fromkeys(scope.outputs.values())),
            scope=scope,
            shares=scope.shares is not None,
        )
    return parts


def _around(name: str, parts: Mapping[str, Part]) -> str:
    """The name of the innermost part around a name."""
    while name:
        name = name.rpartition(".")[0]
        if name in parts:
            return name
    return ""


def _place(node: Node, parts: Mapping[str, Part]) -> None:
    """Put a node into its part, and the parts around it, where they are new, into theirs."""
    inside = parts[_around(node.name, parts)]
    start = len(inside.name) + 1 if inside.name else 0
    inside.steps.append(Layer(node, node.name[start:], node.owner[start:]))
    while inside.name:
        outer = parts[_around(inside.name, parts)]
        if outer.steps and outer.steps[-1] is inside:
            break
        outer.steps.append(inside)
        inside = outer


def _need(part: Part) -> None:
    """Note the symbols that the steps of a part need, those of the parts in it included."""
    for step in part.steps:
        if isinstance(step, Part):
            _need(step)
        for symbol in step.needs:
            part.symbols.setdefault(symbol, None)


def _places(graph: Graph) -> dict[str, tuple[str, int]]:
    """For each symbolic dimension an input of the network and its axis that has this size."""
    found: dict[str, tuple[str, int]] = {}
    for item in graph.inputs:
        for axis, size in enumerate(item.value.type.known):
            if isinstance(size, Dim):
                found.setdefault(str(size), (item.name, axis))
    return found
