"""Instances of blocks: arguments bound, steps taken in a room of their own, outputs named."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

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


class Made(NamedTuple):
    """An instance: its nodes by their numbers, what it gets and gives, and whose weights it uses."""

    owner: str
    nodes: range
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


class Instances:
    """Adds instances of blocks to what a walker has collected."""

    def __init__(self, walker: Walker, collector: Collector) -> None:
        self.walker = walker
        self.collector = collector
        self._inside: list[str] = []  # names of the blocks around the current step
        self._made: dict[str, Made] = {}  # every instance, by its name
        self._read: list[set[str]] = []  # names of the values that steps read, for each of the blocks around
        self.unread: dict[str, set[str]] = {}  # inputs that no instance reads unnamed, by the block's name

    def read(self, values: Iterable[Value]) -> None:
        """Remember what a step reads."""
        if self._read:
            self._read[-1].update([value.name for value in values])

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
        self._read.append(set())
        last = self.walker.body(block.body, room, first)
        read = self._read.pop()
        ports, known = self._ports(block, room, last)
        value = next(iter(ports.values()), last) if block.outputs is not None else last
        if value is None and known:
            self.collector.add(NothingGiven(name=block.name, span=block.place))
        named = dict(zip(block.arguments, sources.values, strict=True))
        outputs = ports or ({"output": value} if value is not None else {})
        read.update(given.name for given in outputs.values())
        # One of several inputs is only read by its name; for these the text of the block tells.
        unread = {own for own, given in named.items() if len(named) > 1 or given.name not in read}
        self.unread[block.name] = unread & self.unread.get(block.name, unread)
        nodes = range(start, len(self.walker.calls.nodes))
        made = Made(name, nodes, tuple(sources.values), tuple(outputs.values()))
        shared = self._share(made, block, shares, site.place) if shares is not None else None
        self._made[name] = made if shared is None else made._replace(owner=shared)
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
                ports[output.port] = value
        return ports, known

    def _share(self, made: Made, block: Block, shares: Layer, place: Span) -> str | None:
        """Let the nodes of an instance use the weights of an earlier one; the name of that one's scope."""
        calls, name = self.walker.calls, made.owner
        other = self._made.get(shares.path)
        if shares.made is not block:
            reason = f"it is the block {block.name}, the other is not"
            self.walker.siblings.unlike_block(name, reason, shares, place)
            return None
        if other is None:
            return None  # an error left it out
        reason = self._difference(made, name, other, shares.path)
        if reason:
            if not self.collector.failed:  # which may have left layers out
                self.walker.siblings.unlike_block(name, reason, shares, place)
            return None
        for number, twin in zip(made.nodes, other.nodes, strict=True):
            node = calls.nodes[number]
            owner = calls.owner(node, Layer(None, node.span, path=calls.nodes[twin].name))
            if owner is None:
                return None
            calls.replace(number, node.but(shares=owner, init={}, parametrize={}))
        return other.owner

    def _difference(self, made: Made, name: str, other: Made, other_name: str) -> str:
        """Why one module could not be both instances of a block; empty where it could."""
        nodes = self.walker.calls.nodes
        mine = {nodes[number].name[len(name) + 1 :]: nodes[number] for number in made.nodes}
        others = {nodes[number].name[len(other_name) + 1 :]: nodes[number] for number in other.nodes}
        for own in chain(mine, others):
            if own not in mine or own not in others:
                return f"only {name if own in mine else other_name} has {own}"
        if list(mine) != list(others):
            return "their layers are the same, but not in the same order"
        twins: dict[str, str] = {}
        for theirs, ours in zip(other.inputs, made.inputs, strict=True):
            if twins.setdefault(theirs.name, ours.name) != ours.name:
                return f"{other_name} reads {theirs.name} for two of its inputs"
        for own, node in mine.items():
            twin = others[own]
            if [twins.get(value.name) for value in twin.inputs] != [value.name for value in node.inputs]:
                return f"{own} does not read the same in both"
            if twin.op.sizes(*twin.input_types) != node.op.sizes(*node.input_types):
                return f"{own} makes other sizes in each"
            for theirs, ours in zip(
                twin.outputs, node.outputs, strict=False
            ):  # unlike operations are told later
                twins[theirs.name] = ours.name
        given = [twins.get(value.name) for value in other.outputs]
        if given != [value.name for value in made.outputs] or len(set(given)) != len(set(other.outputs)):
            return "they do not give the same"
        return ""
