"""Steps to nodes: blocks, branches, conditions and loops unfold as they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from netspec.diagnostics import Collector, Diagnostic, Note, Span, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.graph import Scope, Value
from netspec.ir.tensor import UNKNOWN_TYPE
from netspec.language.bindings import Binder, Operation
from netspec.language.blocks import Block
from netspec.language.callables import Callables
from netspec.language.calls import NODE_LIMIT, Aborted, Calls, TooManyLayers
from netspec.language.flow import Callee, Sources
from netspec.language.infer import Site
from netspec.language.instances import Instances
from netspec.language.references import Layer, NoPrevious
from netspec.language.resolve import holds_expression
from netspec.language.rooms import Room
from netspec.language.siblings import Siblings
from netspec.language.steps import Body, Branch, Branches, Call, Choice, Loop, Step
from netspec.language.validation import WrongValue, quoted
from netspec.ops.base import Op

IDLE_LIMIT = 50_000  # steps that add no layer, beyond ten for each that does

LOOK_LIMIT = 5_000  # steps after which it is worth to count whether there will be too many layers

NOT_TAKEN = "the `if` around it does not hold"
NO_TIMES = "the step is repeated 0 times"
NO_ITERATION = "its loop has no iteration"


class TooManySteps(Diagnostic):
    """Blocks and loops that unfold without an end in sight, and without a layer."""

    code = "NS251"
    message = "blocks and loops unfold into more than {limit:,} steps that add no layer"

    limit: int = IDLE_LIMIT

    @property
    def help(self) -> str:
        return "look for blocks that contain themselves more than once, and for loops in loops"


class Walker:
    """Takes the steps of bodies in rooms, and collects nodes and scopes on the way."""

    def __init__(
        self,
        callables: Callables,
        calls: Calls,
        siblings: Siblings,
        excess: Callable[[], Span | None],
        collector: Collector,
    ) -> None:
        self.callables = callables
        self.calls = calls
        self.siblings = siblings
        self.collector = collector
        self.binder = Binder(callables, collector)
        self.scopes: list[Scope] = []
        self.used: set[str] = set()  # names of the blocks
        self.taken: set[int] = set()  # the calls that were taken somewhere, by their id
        self.left_out: set[int] = set()  # those that a condition or repetition left out somewhere
        self.complete = True  # false after an error: what some step gives is then unknown
        self.instances = Instances(self, collector)
        self._constant: dict[int, bool] = {}  # whether a call's arguments hold no expression
        self._count_of_steps = 0
        self._excess = excess  # where the step is with which there are sure to be too many layers

    def body(self, body: Body, room: Room, previous: Value | None) -> Value | None:
        """Take the steps of a body; what the last one gives."""
        for step in body:
            room.follow(previous)
            previous = self.step(step, room, previous)
        return previous

    def step(self, step: Step, room: Room, previous: Value | None) -> Value | None:
        """Take one step; what it gives."""
        self._count(step)
        layer = self._layer(step, room, previous)
        self.complete = self.complete and layer.complete
        if isinstance(step, Call) or step.is_scope or isinstance(step, Loop):
            room.define(step.name, layer)
        # What is left out and reads nothing passes on what is before it, but has no value of its own.
        return previous if layer.absent and layer.value is None else layer.value

    def _count(self, step: Step) -> None:
        """Give up where steps unfold without an end in sight; after an error they add no layers."""
        self._count_of_steps += 1
        if self._count_of_steps > IDLE_LIMIT + 11 * len(self.calls.nodes):
            if not self.collector.failed:
                self.collector.add(TooManySteps(span=step.place))
            raise Aborted
        if self._count_of_steps == LOOK_LIMIT:
            place = None if self.collector.failed else self._excess()
            if place is not None:
                raise Aborted(TooManyLayers(span=place))

    def _layer(self, step: Step, room: Room, previous: Value | None) -> Layer:
        """What a step is called for: a layer, a scope, or with `repeat` the scope of its repetitions."""
        taken = True if isinstance(step, Choice) else self.siblings.condition(step, room)
        times = self.siblings.repeat(step, room)
        if isinstance(step, Call):
            return self._call(step, room, previous, taken, times)
        source = room.flow.source(step, previous)
        self.instances.read([source] if source is not None else [])
        if taken is UNKNOWN or times is UNKNOWN:
            if not step.is_scope:
                self._mark((step,), room, _hidden)
            return _unknown(step)
        if taken is False or times == 0:
            if not step.is_scope:
                self._mark((step,), room, _left_out if taken is False else _not_repeated)
            return _passed(step, source, taken=taken)
        path = f"{room.prefix}{step.name}"

        def once(name: str, source: Value | None) -> Layer:
            if isinstance(step, Branches):
                return self._branches(step, room, name, source)
            if isinstance(step, Choice):
                return self._choice(step, room, name, source)
            assert isinstance(step, Loop)
            return self._loop(step, room, name, source)

        return once(path, source) if times is None else self._repeated(step, room, path, times, source, once)

    def _repeated(
        self,
        step: Step,
        room: Room,
        path: str,
        times: int,
        source: Value | None,
        once: Callable[[str, Value | None], Layer],
    ) -> Layer:
        """The scope of a step's repetitions, each on what the one before gives."""
        if len(self.calls.nodes) + times > NODE_LIMIT and isinstance(step, Call):
            self.collector.add(TooManyLayers(span=step.span_of("repeat")))
            raise Aborted
        inner: dict[str, Layer] = {}
        whole = Layer(source, step.place, inner=inner, path=path)
        self.scopes.append(Scope(path, "list", step.place))
        for number in range(times):
            self._count(step)
            layer = once(f"{path}.{number}", source)
            inner[str(number)] = layer
            source = whole.value = layer.value
            whole.complete = whole.complete and layer.complete
            room.follow(source)
        return whole

    # Calls of operations and blocks

    def _call(self, step: Call, room: Room, previous: Value | None, taken: Any, times: Any) -> Layer:
        meant = self._meant(step, room)
        found = None if meant is None else self.callables.find(meant.name, meant.place, self.collector)
        sources = None if found is None else room.flow.sources(step, _callee(found), previous)
        return self._called(step, room, (meant, found), sources, taken, times)

    def _called(
        self,
        step: Call,
        room: Room,
        called: tuple[Operation | None, type[Op] | Block | None],
        sources: Sources | None,
        taken: Any,
        times: Any,
        branches: tuple[tuple[str, Span], ...] = (),
    ) -> Layer:
        """The layer of a call on its inputs; None where an error hides what is called, or on what."""
        meant, found = called
        left_out = taken is not True or times == 0 or times is UNKNOWN
        (self.left_out if left_out else self.taken).add(id(step))
        self.instances.read(sources.values if sources is not None else ())
        beside = self.siblings.beside(step, room, block=isinstance(found, Block))
        if found is None or meant is None or sources is None or beside is None or step.broken:
            if isinstance(found, type) and meant is not None:
                self.calls.make(found, meant.arguments, meant.place, meant.resolver)
            return _unknown(step)
        if UNKNOWN in (taken, times):
            return _unknown(step)
        if taken is False or times == 0:
            passed = sources.values[0] if sources.values else None
            return _passed(step, passed, taken=taken)
        site = Site(step.place, meant.arguments, branches)
        path = f"{room.prefix}{step.name}"
        if isinstance(found, Block):
            self.used.add(found.name)

            def once(name: str, sources: Sources) -> Layer:
                return self.instances.add(name, found, meant, sources, site, beside.shares)

        else:
            made: Op | None = None
            constant = self._is_constant(step, meant)
            if constant:
                made = self.calls.make(found, meant.arguments, meant.place, meant.resolver)

            def once(name: str, sources: Sources) -> Layer:
                op = made
                if not constant:
                    op = self.calls.make(found, meant.arguments, meant.place, meant.resolver)
                if op is None:
                    self.calls.inference.origins[name] = step.place
                    return Layer(Value(name, UNKNOWN_TYPE), step.place, path=name, complete=False)
                return self.calls.add(name, op, sources, site, beside)

        if times is None:
            return once(path, sources)

        def again(name: str, source: Value | None) -> Layer:
            values = sources.values if source is None else [source, *sources.values[1:]]
            return once(name, sources._replace(values=values))

        first = sources.values[0] if sources.values else None
        return self._repeated(step, room, path, times, first, again)

    def _is_constant(self, step: Call, meant: Operation) -> bool:
        if meant.arguments is not None and meant.place is not step.place:
            return not holds_expression(meant.arguments)
        known = self._constant.get(id(step))
        if known is None:
            known = meant.arguments is None or not holds_expression(meant.arguments)
            self._constant[id(step)] = known
        return known

    def _meant(self, step: Call, room: Room) -> Operation | None:
        """The operation or block that a step names, itself or through a parameter."""
        if not step.operation.startswith("$"):
            return (
                Operation(step.operation, step.place, step.arguments, room.resolver)
                if step.operation
                else None
            )
        value = room.resolver.text(step.operation, step.place)
        if value is UNKNOWN:
            return None
        if isinstance(value, str) and value[:1].isupper():
            return Operation(value, step.place, step.arguments, room.resolver)
        if not isinstance(value, Operation):
            fault = WrongValue(
                key="a step",
                expected="an operation",
                got=quoted(value),
                advice=self.callables.advice(value),
                computed=True,
            )
            self.collector.add(fault.at(step.place))
            return None
        if step.arguments is None or step.arguments.value in (None, {}):
            return value
        if value.arguments is not None and value.arguments.value not in (None, {}):
            fault = WrongValue(
                key=spell(step.operation), expected="an operation without arguments here", got=str(value)
            )
            self.collector.add(fault.at(step.place, Note("its arguments are here", value.place)))
            return None
        return Operation(value.name, value.place, step.arguments, room.resolver)

    # Steps of several parts

    def _branches(self, step: Branches, room: Room, path: str, source: Value | None) -> Layer:
        """The branches, each on what the step gets, and the merge of what they give."""
        inner: dict[str, Layer] = {}
        within = room
        if step.is_scope:
            self.scopes.append(Scope(path, "group", step.place))
            within = room.inner(f"{path}.", Body((), step.place))
        values: list[Value | None] = []
        for branch in step.branches:
            layer = self._branch(branch, within, source)
            within.define(branch.scope, layer)
            values.append(layer.value)
        inner.update(within.names.layers if step.is_scope else {})
        merge = step.merge
        if merge is None or step.broken or any(value is None for value in values):
            if merge is not None:
                within.define(merge.name, _unknown(merge))
            return Layer(Value(step.name, UNKNOWN_TYPE), step.place, inner=inner, complete=False)
        meant = self._meant(merge, within)
        found = None if meant is None else self.callables.find(meant.name, meant.place, self.collector)
        sources = [value for value in values if value is not None]
        fitting = None
        if found is not None and self.siblings.takes(_callee(found), len(sources), merge):
            fitting = Sources(sources)
        shown = tuple((branch.name, branch.place) for branch in step.branches)
        layer = self._called(merge, within, (meant, found), fitting, True, None, shown)
        within.define(merge.name, layer)
        if not step.is_scope:
            return layer
        inner.update(within.names.layers)
        return Layer(layer.value, step.place, inner=inner, path=path, complete=layer.complete)

    def _branch(self, branch: Branch, room: Room, source: Value | None) -> Layer:
        path = f"{room.prefix}{branch.scope}"
        inside = room.inner(f"{path}.", branch.body)
        if branch.body.steps:
            self.scopes.append(Scope(path, "group", branch.place))
        value = self.body(branch.body, inside, source)
        if value is None and not branch.body.steps:
            inputs = room.flow.inputs
            first = next(iter(inputs), "")
            missing = NoPrevious(word="prev", count=len(inputs), first=first, what=room.flow.what)
            self.collector.add(missing.at(branch.place))
        return Layer(value, branch.place, inner=inside.names.layers, path=path)

    def _choice(self, step: Choice, room: Room, path: str, source: Value | None) -> Layer:
        """The steps that a condition chooses; those of the other list are left out."""
        taken = UNKNOWN if step.broken else self.siblings.condition(step, room)
        within = room
        if step.is_scope:
            self.scopes.append(Scope(path, "group", step.place))
            within = room.inner(f"{path}.", step.then)
        if taken is UNKNOWN:
            if not step.is_scope:
                self._mark((step,), room, _hidden)
            return _unknown(step)
        body, other = (step.then, step.otherwise) if taken else (step.otherwise, step.then)
        value = self.body(body, within, source) if body.steps else source
        self._mark(other, within, _left_out)
        inner = within.names.layers if step.is_scope else {}
        return Layer(value, step.place, inner=inner, path=path)

    def _loop(self, step: Loop, room: Room, path: str, source: Value | None) -> Layer:
        """The iterations of a loop, with what stands between them."""
        rows = None
        if not step.broken:
            rows = self.binder.rows(step.tree.entries["for"].value, room.resolver, room.variables)
        if rows is None:
            return _unknown(step)
        inner: dict[str, Layer] = {}
        whole = Layer(None, step.place, inner=inner, path=path)
        if "repeat" not in step.tree.entries:
            room.names.define(step.name, whole)  # so that an iteration may read what an earlier one gives
        self.scopes.append(Scope(path, "list", step.place))
        previous = source
        for number, row in enumerate(rows):
            self._count(step)
            inside = room.inner(f"{path}.{number}.", step.do, row)
            self.scopes.append(Scope(f"{path}.{number}", "group", step.place))
            if number:
                previous = self.body(step.between, inside, previous)
            previous = self.body(step.do, inside, previous)
            inner[str(number)] = Layer(
                previous, step.place, inner=inside.names.layers, path=f"{path}.{number}"
            )
        whole.value = previous
        whole.absent = "" if rows else NO_ITERATION
        return whole

    # What is not there

    def _mark(self, steps: Iterable[Step], room: Room, make: Callable[[str, Span], Layer]) -> None:
        """Define in a room what steps would have defined there, had they been taken."""
        for step in steps:
            if isinstance(step, Choice) and not step.is_scope:
                self._mark((*step.then, *step.otherwise), room, make)
            elif isinstance(step, Branches) and not step.is_scope:
                named = [(branch.scope, branch.place) for branch in step.branches]
                named += [(step.merge.name, step.merge.place)] if step.merge is not None else []
                for name, place in named:
                    room.define(name, make(name, place))
            else:
                room.define(step.name, make(step.name, step.place))


def _passed(step: Step, value: Value | None, *, taken: bool) -> Layer:
    """What stands for a step that is left out: it passes on what it reads, and nothing is inside."""
    reason = NO_TIMES if taken else NOT_TAKEN
    if isinstance(step, Loop) or "repeat" in step.tree.entries:
        return Layer(value, step.place, inner={}, absent=reason)
    return Layer(value, step.place, absent=reason)


def _hidden(name: str, place: Span) -> Layer:
    """What an error hides."""
    return Layer(Value(name, UNKNOWN_TYPE), place, complete=False)


def _left_out(name: str, place: Span) -> Layer:
    return Layer(None, place, absent=NOT_TAKEN)


def _not_repeated(name: str, place: Span) -> Layer:
    return Layer(None, place, absent=NO_TIMES)


def _callee(found: type[Op] | Block) -> Callee:
    if isinstance(found, Block):
        return Callee(found.name, found.arguments)
    return Callee(found.__name__, found.arguments, found.optional, found.variadic)


def _unknown(step: Step) -> Layer:
    return Layer(Value(step.name, UNKNOWN_TYPE), step.place, complete=False)
