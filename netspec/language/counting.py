"""The least number of layers that steps unfold into, told from parameters alone: no shape is inferred."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Collector
from netspec.language.arguments import hashable
from netspec.language.bindings import Binder, Operation
from netspec.language.blocks import Block
from netspec.language.callables import Callables
from netspec.language.resolve import Resolver
from netspec.language.steps import Body, Branches, Call, Choice, Loop, Step

BUDGET = 20_000  # steps that are looked at; those beyond count for nothing
DEPTH_LIMIT = 100  # blocks inside one another, as where they are unfolded
ROW_LIMIT = 1_000  # iterations of a loop that are looked at one by one

Variables = ChainMap[str, Any]


class Counting:
    """Counts the layers of steps, and those of a block with the same arguments once.

    What depends on a shape is counted as if it came out the smaller way, so that there are never fewer layers
    than this says, unless the steps have an error.
    """

    def __init__(self, callables: Callables) -> None:
        self.callables = callables
        self._silent = Collector()  # what is wrong is said where the steps are taken
        self._binder = Binder(callables, self._silent)
        self._known: dict[object, int] = {}
        self._looked = 0
        self._depth = 0

    def step(self, step: Step, variables: Mapping[str, Any]) -> int:
        """The least number of layers that a step unfolds into."""
        self._looked += 1
        if self._looked > BUDGET or step.broken:
            return 0
        scope = variables if isinstance(variables, ChainMap) else ChainMap(dict(variables))
        resolver = Resolver(scope, {}, self._silent, complete=False)
        taken = True if isinstance(step, Choice) else self._condition(step, resolver)
        times = self._times(step, resolver)
        return times * self._once(step, scope, resolver) if taken is True and times else 0

    def _condition(self, step: Step, resolver: Resolver) -> Any:
        written = step.find("if")
        return True if written is None else resolver.condition(written)

    def _times(self, step: Step, resolver: Resolver) -> int:
        written = step.find("repeat")
        times = 1 if written is None else resolver.value(written)
        return times if type(times) is int and times > 0 else 0

    def _body(self, body: Body, scope: Variables) -> int:
        return sum(self.step(step, scope) for step in body)

    def _once(self, step: Step, scope: Variables, resolver: Resolver) -> int:
        """The layers of a step that is taken once."""
        if isinstance(step, Call):
            return self._call(step, resolver)
        if isinstance(step, Branches):
            layers = sum(self._body(branch.body, scope) for branch in step.branches)
            return layers if step.merge is None else layers + self.step(step.merge, scope)
        if isinstance(step, Choice):
            taken = self._condition(step, resolver)
            if taken is True:
                return self._body(step.then, scope)
            otherwise = self._body(step.otherwise, scope)
            return otherwise if taken is False else min(otherwise, self._body(step.then, scope))
        assert isinstance(step, Loop)
        return self._loop(step, scope, resolver)

    def _loop(self, step: Loop, scope: Variables, resolver: Resolver) -> int:
        rows = self._binder.rows(step.tree.entries["for"].value, resolver, scope)
        if not rows:
            return 0
        if len(rows) > ROW_LIMIT:  # whatever their variables are
            return len(rows) * self._body(step.do, scope) + (len(rows) - 1) * self._body(step.between, scope)
        layers = 0
        for number, row in enumerate(rows):
            inside = scope.new_child(dict(row))
            layers += self._body(step.do, inside) + (self._body(step.between, inside) if number else 0)
        return layers

    def _call(self, step: Call, resolver: Resolver) -> int:
        meant: Any = Operation(step.operation, step.place, step.arguments, resolver)
        if step.operation.startswith("$"):
            meant = resolver.text(step.operation, step.place)
            if isinstance(meant, str):
                meant = Operation(meant, step.place, step.arguments, resolver)
            elif isinstance(meant, Operation) and step.arguments is not None and step.arguments.value:
                meant = Operation(meant.name, meant.place, step.arguments, resolver)
        if not isinstance(meant, Operation):
            return 0
        block = self.callables.blocks.get(meant.name)
        return 1 if block is None else self._block(block, meant)

    def _block(self, block: Block, meant: Operation) -> int:
        inside: dict[str, Any] = {}
        scope: Variables = ChainMap(inside)
        own = Resolver(scope, {}, self._silent, complete=False)
        self._binder.arguments(block, meant.arguments, meant.place, meant.resolver, inside, own)
        key = _key(block, inside)
        if key in self._known:
            return self._known[key]
        if self._depth >= DEPTH_LIMIT or block.broken:
            return 0
        if key is not None:
            self._known[key] = 0  # while it is counted: it may contain itself
        self._depth += 1
        layers = self._body(block.body, scope)
        self._depth -= 1
        if key is not None:
            self._known[key] = layers
        return layers


def _key(block: Block, arguments: Mapping[str, Any]) -> object:
    """What equal instances have in common; None where an operation has arguments, which have a scope."""
    given: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, Operation) and value.arguments is not None:
            return None
        given[name] = (Operation, value.name) if isinstance(value, Operation) else value
    return block.name, hashable(given)
