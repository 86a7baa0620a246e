"""Instances of blocks: arguments bound, steps taken in a room of their own, outputs named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.diagnostics import Collector, Diagnostic, Note, Span
from netspec.ir.graph import Scope, Value
from netspec.ir.tensor import UNKNOWN_TYPE
from netspec.language.bindings import Operation
from netspec.language.blocks import Block
from netspec.language.calls import Aborted
from netspec.language.flow import Sources
from netspec.language.infer import Site
from netspec.language.references import Layer
from netspec.language.rooms import Room

if TYPE_CHECKING:
    from netspec.language.walk import Walker

DEPTH_LIMIT = 100  # blocks inside one another


class TooDeepBlocks(Diagnostic):
    """Blocks that contain one another without an end, or beyond any network."""

    code = "NS250"
    message = "blocks are nested more than {limit} deep: {chain}"

    chain: str
    limit: int = DEPTH_LIMIT

    @property
    def help(self) -> str:
        return "a block that contains itself needs an `if` that ends it, with a parameter that goes down"


class NothingGiven(Diagnostic):
    """A block without an output: it has no input to pass on, and no step."""

    code = "NS252"
    message = "the block {name} gives nothing"

    name: str

    @property
    def help(self) -> str:
        return "give it a step, an input or `outputs`"


class Instances:
    """Adds instances of blocks to what a walker has collected."""

    def __init__(self, walker: Walker, collector: Collector) -> None:
        self.walker = walker
        self.collector = collector
        self._inside: list[str] = []  # names of the blocks around the current step
        self._owners: dict[str, str] = {}  # of instances that share: the one whose weights they use

    def add(
        self, name: str, block: Block, meant: Operation, sources: Sources, site: Site, shares: Layer | None
    ) -> Layer:
        """An instance of a block."""
        if len(self._inside) >= DEPTH_LIMIT:
            chain = [*self._inside, block.name]
            shown = [*chain[:3], "…", *chain[-2:]]
            self.collector.add(TooDeepBlocks(chain=" in ".join(reversed(shown)), span=site.place))
            raise Aborted
        self._inside.append(block.name)
        self.collector.enter(Note(f"in {block.name}, used here", site.place))
        try:
            return self._instance(name, block, meant, sources, site, shares)
        finally:
            self.collector.leave()
            self._inside.pop()

    def _instance(
        self, name: str, block: Block, meant: Operation, sources: Sources, site: Site, shares: Layer | None
    ) -> Layer:
        inputs = {
            own: Layer(value, site.place) for own, value in zip(block.arguments, sources.values, strict=True)
        }
        room = Room.of(
            f"{name}.",
            block.body,
            {},
            inputs,
            self.walker.calls.inference.bounds,
            self.collector,
            complete=block.body.complete,
            what="block",
        )
        self.collector.leave()  # wrong arguments are the step's own fault
        complete = self.walker.binder.arguments(
            block, meant.arguments, meant.place, meant.resolver, room.variables, room.resolver
        )
        self.collector.enter(Note(f"in {block.name}, used here", site.place))
        if not complete or block.broken:
            return Layer(Value(name, UNKNOWN_TYPE), site.place, block, path=name, complete=False)
        place = len(self.walker.scopes)
        start = len(self.walker.calls.nodes)
        self.walker.scopes.append(Scope(name, "block", site.place))
        first = sources.values[0] if len(inputs) == 1 else None
        last = self.walker.body(block.body, room, first)
        ports, known = self._ports(block, room, last)
        value = next(iter(ports.values()), last) if block.outputs is not None else last
        if value is None and known:
            self.collector.add(NothingGiven(name=block.name, span=block.place))
        shared = self._share(name, block, shares, start, site.place) if shares is not None else None
        named = dict(zip(block.arguments, sources.values, strict=True))
        outputs = ports or ({"output": value} if value is not None else {})
        self.walker.scopes[place] = Scope(name, "block", site.place, block.name, named, outputs, shared)
        value = value if value is not None else Value(name, UNKNOWN_TYPE)
        return Layer(value, site.place, block, ports, path=name, complete=known)

    def _ports(self, block: Block, room: Room, last: Value | None) -> tuple[dict[str, Value], bool]:
        """The outputs of a block by name, and whether all are known."""
        ports: dict[str, Value] = {}
        known = True
        for output in block.outputs or ():
            value = room.flow.find(output.reference, output.place, last)
            if value is None:
                known = False
            else:
                ports[output.name or output.reference.replace(".", "_")] = value
        return ports, known

    def _share(self, name: str, block: Block, shares: Layer, start: int, place: Span) -> str | None:
        """Let the nodes of an instance use the weights of an earlier one; the name of that one's scope."""
        if shares.made is not block:
            self.walker.siblings.unlike_block(name, block, shares, place)
            return None
        for number in range(start, len(self.walker.calls.nodes)):
            node = self.walker.calls.nodes[number]
            counterpart = Layer(None, node.span, path=shares.path + node.name[len(name) :])
            owner = self.walker.calls.owner(node, counterpart)
            if owner is None:
                return None
            self.walker.calls.replace(number, node.but(shares=owner, init={}, parametrize={}))
        return next(
            (scope.shares or scope.name for scope in self.walker.scopes if scope.name == shares.path), None
        )
