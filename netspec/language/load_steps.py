"""A tree's steps, each of its kind; what is wrong with their keys is collected."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import ValidationError

from netspec.diagnostics import Advised, Collector, Diagnostic, nearest, spell
from netspec.language.callables import Callables
from netspec.language.names import check_name
from netspec.language.step_sections import (
    CALL_KEYS,
    STEP_KEYS,
    BranchesSection,
    CallSection,
    ChoiceSection,
    LoopSection,
    StepSection,
    keys,
)
from netspec.language.steps import Body, Branch, Branches, Call, Choice, Loop, Step
from netspec.language.tree import Tree
from netspec.language.validation import UnknownKey, WrongValue, first_line, quoted, section_faults

STEPS = "a list of steps"


class NoOperation(Advised):
    """A step that names no operation, or more than one."""

    code = "NS209"
    message = "a step needs one operation, {problem}"

    problem: str
    advice: str = "write ReLU, or Conv2d: {out_channels: 8, kernel_size: 3}; operations begin with a capital"


class MixedStep(Diagnostic):
    """Keys of two kinds of step in one."""

    code = "NS234"
    message = "a step is {one} or {other}, not both"

    one: str
    other: str

    @property
    def help(self) -> str:
        return "begin each of the two with a dash of its own"


class OneBranch(Diagnostic):
    """Branches that are none: nothing is merged."""

    code = "NS235"
    message = "{count_words}: there is nothing to merge"

    count: int

    @property
    def count_words(self) -> str:
        return "there is one branch" if self.count else "there is no branch"

    @property
    def help(self) -> str:
        return "write the steps one after the other, or add a branch: skip: [] passes on what the step gets"


COMPOSITE = {"branches": BranchesSection, "for": LoopSection, "then": ChoiceSection}
"""The key that tells each kind of step of several parts, and its section."""

_PARTS = {"merge": "branches", "do": "for", "between": "for", "else": "then"}
"""Keys of parts that belong to such a step, and its own key."""

Section = TypeVar("Section", bound=StepSection)


class StepLoader:
    """Reads steps in a file whose blocks are known by name."""

    def __init__(self, callables: Callables, collector: Collector) -> None:
        self.callables = callables
        self.collector = collector

    def body(self, tree: Tree | None, otherwise: Tree) -> Body:
        """The steps of a list, broken ones too; none where it is empty or missing.

        Errors: NS202 to NS204 for what stands in a step, NS209 for one without an operation, NS234, NS235.
        """
        if tree is None:
            return Body((), otherwise.span)
        return Body(tuple(self._step(item) for item in tree.items), tree.span)

    def _step(self, tree: Tree) -> Step:
        if isinstance(tree.value, dict):
            return self._mapping(tree)
        if isinstance(tree.value, str) and (is_operation(tree.value) or self.callables.means(tree.value)):
            return Call(tree.value, tree.span, None, tree, _BARE)
        self.collector.add(_no_operation(tree))
        return Call("", tree.span, None, tree, _BARE, broken=True, named=False)

    def _mapping(self, tree: Tree) -> Step:
        kinds = [key for key in COMPOSITE if key in tree.entries]
        if not kinds:
            kinds = [_PARTS[key] for key in tree.entries if key in _PARTS][:1]
        operations = [key for key in tree.entries if key not in STEP_KEYS and is_operation(key)]
        if not kinds and not operations and "if" in tree.entries and not self._means_call(tree):
            kinds = ["then"]
        if not kinds:
            return self._call(tree)
        if operations or len(kinds) > 1:
            one, other = (kinds + operations)[:2]
            span = tree.key_span(other) if other in tree.entries else first_line(tree)
            one, other = ("if" if key == "then" else spell(key) for key in (one, other))
            self.collector.add(MixedStep(one=one, other=other, span=span))
            return Call("", first_line(tree), None, tree, _BARE, broken=True, named=False)
        return {"branches": self._branches, "then": self._choice, "for": self._loop}[kinds[0]](tree)

    def _means_call(self, tree: Tree) -> bool:
        return any(self.callables.means(key) for key in tree.entries if key not in STEP_KEYS)

    def _branches(self, tree: Tree) -> Step:
        section = self._section(BranchesSection, "a step of branches", tree)
        place = tree.key_span("branches") if "branches" in tree.entries else first_line(tree)
        branches = []
        written = tree.find(("branches",))
        for name, entry in written.entries.items() if written is not tree else ():
            fault = check_name(name, "a branch")
            if fault is not None:
                self.collector.add(fault.at(written.key_span(name)))
            body = self._steps_of(f"the branch {spell(name)}", entry.value)
            branches.append(Branch(name, written.key_span(name), body))
        if section is not None and len(branches) < 2:
            self.collector.add(OneBranch(count=len(branches), span=place))
            section = None
        merge = None
        if "merge" in tree.entries:
            merge = self._merge(tree.entries["merge"].value)
            broken = section is None
        else:
            broken = True
        kept = section or self._kept(tree)
        return Branches(place, tree, kept, tuple(branches), merge, broken=broken)

    def _merge(self, tree: Tree) -> Call:
        step = None if isinstance(tree.value, list) else self._step(tree)
        if isinstance(step, Call):
            for key in ("from", "if", "repeat"):
                if key in tree.entries:
                    known = tuple(known for known in CALL_KEYS if known not in ("from", "if", "repeat"))
                    advice = "it belongs to the step, beside branches"
                    unknown = UnknownKey(key=key, where="merge", suggestion=None, known=known, advice=advice)
                    self.collector.add(unknown.at(tree.key_span(key)))
            return step
        wrong = WrongValue(key="merge", expected="an operation or a block", got=quoted(tree.value))
        self.collector.add(wrong.at(first_line(tree)))
        return Call("", first_line(tree), None, tree, _BARE, broken=True, named=False)

    def _choice(self, tree: Tree) -> Step:
        section = self._section(ChoiceSection, "a step that chooses", tree)
        place = tree.key_span("if") if "if" in tree.entries else first_line(tree)
        then, otherwise = (self._part(tree, key) for key in ("then", "else"))
        return Choice(place, tree, section or self._kept(tree), then, otherwise, broken=section is None)

    def _loop(self, tree: Tree) -> Step:
        section = self._section(LoopSection, "a loop", tree)
        place = tree.key_span("for") if "for" in tree.entries else first_line(tree)
        do, between = (self._part(tree, key) for key in ("do", "between"))
        return Loop(place, tree, section or self._kept(tree), do, between, broken=section is None)

    def _part(self, tree: Tree, key: str) -> Body:
        """The steps under a key; a part that is no list is an error of the step's section."""
        part = tree.entries[key].value if key in tree.entries else None
        return self.body(part, tree)

    def _steps_of(self, what: str, tree: Tree) -> Body:
        """The steps of a branch, which may be left empty."""
        if tree.value is not None and not isinstance(tree.value, list):
            advice = "write each step on a line of its own, with a dash before it"
            wrong = WrongValue(key=what, expected=STEPS, got=quoted(tree.value), advice=advice)
            self.collector.add(wrong.at(tree.span))
        return self.body(tree, tree)

    def _call(self, tree: Tree) -> Step:
        """A step of one operation or block and its siblings."""
        section = self._section(CallSection, "a step", tree)
        extras = [key for key in tree.entries if key not in CALL_KEYS]
        operations = [key for key in extras if is_operation(key)]
        if not operations:
            # `conv2d: {…}` is an operation in the wrong case, `nmae: x` a misspelt key.
            near = (key for key in extras if nearest(key, CALL_KEYS) is None and self.callables.means(key))
            operations = list(near)[:1]
        operation = operations[0] if len(operations) == 1 else ""
        unknown = [key for key in extras if key not in operations]
        for key in unknown:
            self.collector.add(self._unknown_key(key, operation).at(tree.key_span(key)))
        if len(operations) > 1:
            problem = f"not {len(operations)}: {', '.join(map(spell, operations))}"
            no_operation = NoOperation(problem=problem, advice="begin each step with a dash of its own")
            self.collector.add(no_operation.at(tree.key_span(operations[1])))
        elif not operation and not unknown:
            shares = "share" in tree.entries
            advice = "name the operation whose weights it shares too" if shares else NoOperation.advice
            no_operation = NoOperation(problem="and this one has none", advice=advice)
            self.collector.add(no_operation.at(first_line(tree)))
        broken = section is None or bool(unknown) or not operation
        kept = section or CallSection.model_construct(**_valid(tree))
        named = kept.name is not None or (bool(operation) and not _may_have_a_name(tree, unknown))
        if not operation:
            return Call("", first_line(tree), None, tree, kept, broken=True, named=named)
        place, arguments = tree.key_span(operation), tree.entries[operation].value
        if self._arguments_of(operation, unknown):
            # The arguments stand beside the operation: that some are missing among its own follows from it.
            return Call("", place, None, tree, kept, broken=True, named=named)
        return Call(operation, place, arguments, tree, kept, broken=broken, named=named)

    def _section(self, model: type[Section], where: str, tree: Tree) -> Section | None:
        """The siblings of a step; None, and diagnostics, where they are not what they should be."""
        known = keys(model)
        if model is not CallSection:
            strangers = [key for key in tree.entries if key not in known]
            for key in strangers:
                advice = f"it does not belong to {where}" if key in STEP_KEYS else ""
                unknown = UnknownKey(
                    key=spell(key), where=where, suggestion=nearest(key, known), known=known, advice=advice
                )
                self.collector.add(unknown.at(tree.key_span(key)))
            if strangers:
                return None
        try:
            return model.model_validate(tree.value)
        except ValidationError as error:
            self.collector.extend(section_faults(where, model, error, tree))
            return None

    def _kept(self, tree: Tree) -> StepSection:
        return StepSection.model_construct(**_valid(tree))

    def _unknown_key(self, key: str, operation: str) -> UnknownKey:
        advice = ""
        if self._arguments_of(operation, [key]):
            advice = f"it is an argument of {operation}: write {operation}: {{{key}: …}}"
        suggestion = nearest(key, CALL_KEYS)
        return UnknownKey(
            key=spell(key), where="a step", suggestion=suggestion, known=CALL_KEYS, advice=advice
        )

    def _arguments_of(self, operation: str, keys: Collection[str]) -> list[str]:
        """Those keys that are arguments of the operation or block."""
        if not operation or not keys:
            return []
        known = self.callables.arguments(operation)
        return [key for key in keys if key in known]


_BARE = CallSection()


def is_operation(key: str) -> bool:
    """Whether a key of a step is its operation, or a parameter that holds one, and no misspelt other key."""
    return (key[:1].isupper() and key.lower() not in STEP_KEYS) or key.startswith("$")


def _no_operation(tree: Tree) -> NoOperation:
    value = tree.value
    if value is None:
        return NoOperation(problem="and this one is empty", span=tree.span)
    if isinstance(value, list):
        advice = "write each step on a line of its own, with a dash before it"
        return NoOperation(problem=f"not {spell(value)}", advice=advice, span=tree.span)
    problem = f"and {quoted(value)} is none" if isinstance(value, str) else f"not {quoted(value)}"
    return NoOperation(problem=problem, span=tree.span)


def _may_have_a_name(tree: Tree, unknown: list[str]) -> bool:
    """Whether a step without a usable name may be meant to have one: `nmae: stem`, `name: 3`."""
    others = set(CALL_KEYS) - {"name"}
    return tree.value.get("name") is not None or any(nearest(key, CALL_KEYS) not in others for key in unknown)


def _valid(tree: Tree) -> dict[str, Any]:
    """What can be kept of a step's siblings when one of them is wrong."""
    name = tree.value.get("name")
    return {"name": name} if isinstance(name, str) else {}
