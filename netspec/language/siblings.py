"""What stands beside a step: its condition, its repetitions, whence its weights come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Collector, DiagnosticError, Note, Span, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.graph import Value
from netspec.language.calls import NODE_LIMIT, Beside, SharedUnlike
from netspec.language.flow import Callee, WrongInputs
from netspec.language.names import RESERVED
from netspec.language.references import Layer, NotTaken, UnknownPort
from netspec.language.resolve import Resolver, holds_expression
from netspec.language.rooms import Room
from netspec.language.step_sections import CALL_KEYS
from netspec.language.steps import Call, Step
from netspec.language.tree import Tree
from netspec.language.validation import UnknownKey, WrongValue, advice_on, quoted

if TYPE_CHECKING:
    from netspec.language.initialisation import Plan
    from netspec.language.parametrization import Parametrization

NOTHING = Beside()

INSIDE = "name the whole step: a block is shared with all that is in it"


class Siblings:
    """Evaluates what stands beside steps, with everything wrong collected."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._plans: dict[int, Plan | None] = {}  # those that hold no expression, by their tree

    def condition(self, step: Step, room: Room) -> Any:
        """Whether the step is taken: true, false, or UNKNOWN after an error."""
        entry = step.tree.entries.get("if")
        if entry is None:
            return True
        tree = entry.value
        value = room.resolver.condition(tree)
        if value is UNKNOWN or isinstance(value, bool):
            return value
        advice = ""
        if isinstance(value, str) and any(mark in value for mark in "=<>"):
            advice = "a name in a condition has a dollar: `$stride != 1`"
        wrong = WrongValue(key="if", expected="a condition", got=quoted(value), advice=advice)
        self.collector.add(wrong.at(tree.span))
        return UNKNOWN

    def repeat(self, step: Step, room: Room) -> Any:
        """How many times the step is taken; None without `repeat`, UNKNOWN after an error."""
        entry = step.tree.entries.get("repeat")
        if entry is None:
            return None
        times = room.resolver.value(entry.value)
        if times is UNKNOWN:
            return UNKNOWN
        if type(times) is not int or not 0 <= times <= NODE_LIMIT:
            fault = WrongValue(
                key="repeat",
                expected=f"an integer between 0 and {NODE_LIMIT}",
                got=quoted(times),
                advice=advice_on(times),
                computed=times != entry.value.value,
            )
            self.collector.add(fault.at(entry.value.span))
            return UNKNOWN
        return times

    def beside(self, step: Call, room: Room, *, block: bool) -> Beside | None:
        """How the layer's weights are drawn and computed, and whose they are; None after an error."""
        entries = step.tree.entries
        if "init" not in entries and "share" not in entries and "parametrize" not in entries:
            return NOTHING
        if self._has_no_own(step, block=block):
            return None
        shares = None
        if step.section.share is not None:
            shares = self._shared(step, room)
            if shares is None:
                return None
        return Beside(self._plan(step, room.resolver), self._parametrization(step, room.resolver), shares)

    def _has_no_own(self, step: Call, *, block: bool) -> bool:
        """Whether something is said of weights that the step does not have; NS202 then."""
        if not block and step.section.share is None:
            return False
        where = "a step of a block" if block else "a step that shares its weights"
        advice = "write it beside the layers of the block" if block else "write it beside {owner}"
        found = False
        for key in ("init", "parametrize"):
            if step.find(key) is not None and step.tree.value[key] is not None:
                found = True
                owner = spell(step.section.share or "")
                fault = UnknownKey(
                    key=key,
                    where=where,
                    suggestion=None,
                    known=CALL_KEYS,
                    advice=advice.format(owner=owner),
                )
                self.collector.add(fault.at(step.tree.key_span(key)))
        return found

    def _shared(self, step: Call, room: Room) -> Layer | None:
        path = step.section.share
        assert path is not None
        place = step.span_of("share")
        found: Layer | Value | None = None
        advice = ""
        try:
            if path not in RESERVED:
                found = room.names.look_up(path, place)
                if found is None:
                    return None
        except DiagnosticError as error:
            (fault,) = error.diagnostics
            if not isinstance(fault, UnknownPort) or not fault.encapsulated:
                self.collector.add(fault)
                return None
            advice = INSIDE
        if isinstance(found, Layer) and found.made is not None:
            return found
        if isinstance(found, Layer) and not found.complete:
            return None
        if isinstance(found, Layer) and found.absent:
            self.collector.add(NotTaken(name=spell(path), reason=found.absent).at(place))
            return None
        if isinstance(found, Layer) and found.inner:
            advice = f"name what is in it, such as {spell(f'{path}.{next(iter(found.inner))}')}"
        elif isinstance(found, Value):
            advice = INSIDE
        wrong = WrongValue(
            key="share",
            expected="the name of an earlier layer or block",
            got=quoted(path),
            advice=advice,
        )
        self.collector.add(wrong.at(place))
        return None

    def _plan(self, step: Call, resolver: Resolver) -> Plan | None:
        """What the step's `init` says."""
        entry = step.tree.entries.get("init")
        if entry is None or entry.value.value is None:
            return None
        if id(step) in self._plans:
            return self._plans[id(step)]
        plan = plan_of(entry.value, resolver, self.collector, of_step=True)
        if not holds_expression(entry.value):
            self._plans[id(step)] = plan
        return plan

    def _parametrization(self, step: Call, resolver: Resolver) -> Parametrization | None:
        entry = step.tree.entries.get("parametrize")
        if entry is None or entry.value.value is None:
            return None
        from netspec.language.parametrization import load_parametrization

        return load_parametrization(entry.value, resolver, self.collector)

    def takes(self, callee: Callee, count: int, merge: Call) -> bool:
        """Whether a merge takes as many inputs as there are branches; NS216 if not."""
        most, least = len(callee.arguments), len(callee.arguments) - callee.optional
        if count >= least and (count <= most or callee.variadic):
            return True
        wanted = "one input" if most == 1 else f"{most} inputs"
        wrong = WrongInputs(
            op=callee.name, wanted=wanted, given=count, too_many=count > most, giver="the step"
        )
        self.collector.add(wrong.at(merge.place))
        return False

    def unlike_block(self, name: str, reason: str, other: Layer, place: Span) -> None:
        """NS249 of an instance that would share the weights of something else."""
        fault = SharedUnlike(name=spell(name), owner=spell(other.path), reason=reason, block=True)
        self.collector.add(fault.at(place, Note("the other is here", other.span)))


def plan_of(tree: Tree, resolver: Resolver, collector: Collector, *, of_step: bool) -> Plan | None:
    """What an `init` says; what it needs is only loaded where there is one."""
    from netspec.language.initialisation import load_plan

    return load_plan(tree, resolver, collector, of_step=of_step)
