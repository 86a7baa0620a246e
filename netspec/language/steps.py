"""The steps of `layers`: each one's operation, its place, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from netspec.diagnostics import Advised, Collector, Span, nearest, spell
from netspec.language.arguments import meant_operation
from netspec.language.sections import STEP_KEYS, StepSection
from netspec.language.tree import Tree
from netspec.language.validation import UnknownKey, first_line, quoted, section_faults
from netspec.ops.catalogue import FAMILIES, find


class NoOperation(Advised):
    """A step that names no operation, or more than one."""

    code = "NS209"
    message = "a step needs one operation, {problem}"

    problem: str
    advice: str = "write ReLU, or Conv2d: {out_channels: 8, kernel_size: 3}; operations begin with a capital"


class Step(NamedTuple):
    """One step of `layers`: what it calls, and where everything of it is written.

    A `broken` step has an error that leaves open what it gives; its `operation` is empty if even that is
    unclear.
    """

    operation: str
    place: Span
    arguments: Tree | None
    tree: Tree
    section: StepSection
    broken: bool = False
    named: bool = True  # false where an error leaves open how the step is called

    def span_of(self, key: str) -> Span:
        """Where the value of `name`, `from`, `repeat` or `init` is written; else the operation."""
        entry = self.tree.entries.get(key)
        return entry.value.span if entry else self.place


_BARE = StepSection()


def load_steps(layers: Tree, collector: Collector) -> Iterator[Step]:
    """The steps of `layers`, in order, broken ones too.

    Errors: NS202 and NS204 for what stands beside an operation, NS209 for a step without one.
    """
    for tree in layers.items:
        if isinstance(tree.value, dict):
            yield _mapping(tree, collector)
        elif isinstance(tree.value, str) and (
            is_operation(tree.value) or meant_operation(tree.value) in FAMILIES
        ):
            yield Step(tree.value, tree.span, None, tree, _BARE)
        else:
            collector.add(_no_operation(tree))
            yield Step("", tree.span, None, tree, _BARE, broken=True, named=False)


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


def _mapping(tree: Tree, collector: Collector) -> Step:
    """A step of one operation and its siblings."""
    section = _section(tree, collector)
    extras = [key for key in tree.entries if key not in STEP_KEYS]
    operations = [key for key in extras if is_operation(key)]
    if not operations:
        # `conv2d: {…}` is an operation in the wrong case, `nmae: x` a misspelt key.
        operations = [key for key in extras if nearest(key, STEP_KEYS) is None and _means_operation(key)][:1]
    operation = operations[0] if len(operations) == 1 else ""
    unknown = [key for key in extras if key not in operations]
    for key in unknown:
        collector.add(_unknown_key(key, operation).at(tree.key_span(key)))
    if len(operations) > 1:
        problem = f"not {len(operations)}: {', '.join(map(spell, operations))}"
        no_operation = NoOperation(problem=problem, advice="begin each step with a dash of its own")
        collector.add(no_operation.at(tree.key_span(operations[1])))
    elif not operation and not unknown:
        collector.add(NoOperation(problem="and this one has none").at(first_line(tree)))
    broken = section is None or bool(unknown) or not operation
    kept = section or StepSection.model_construct(**_valid(tree))
    named = kept.name is not None or (bool(operation) and not _may_have_a_name(tree, unknown))
    if not operation:
        return Step("", first_line(tree), None, tree, kept, broken=True, named=named)
    place, arguments = tree.key_span(operation), tree.entries[operation].value
    if _arguments_of(operation, unknown):
        # The arguments stand beside the operation: that some are missing among its own follows from it.
        return Step("", place, None, tree, kept, broken=True, named=named)
    return Step(operation, place, arguments, tree, kept, broken, named)


def _may_have_a_name(tree: Tree, unknown: list[str]) -> bool:
    """Whether a step without a usable name may be meant to have one: `nmae: stem`, `name: 3`."""
    others = set(STEP_KEYS) - {"name"}
    return "name" in tree.entries or any(nearest(key, STEP_KEYS) not in others for key in unknown)


def _means_operation(key: str) -> bool:
    return meant_operation(key) in FAMILIES


def _section(tree: Tree, collector: Collector) -> StepSection | None:
    try:
        return StepSection.model_validate(tree.value)
    except ValidationError as error:
        collector.extend(section_faults("a step", StepSection, error, tree))
        return None


def _valid(tree: Tree) -> dict[str, Any]:
    """What can be kept of a step's siblings when one of them is wrong."""
    name = tree.value.get("name")
    return {"name": name} if isinstance(name, str) else {}


def _unknown_key(key: str, operation: str) -> UnknownKey:
    advice = ""
    if _arguments_of(operation, [key]):
        advice = f"it is an argument of {operation}: write {operation}: {{{key}: …}}"
    return UnknownKey(
        key=spell(key), where="a step", suggestion=nearest(key, STEP_KEYS), known=STEP_KEYS, advice=advice
    )


def _arguments_of(operation: str, keys: list[str]) -> list[str]:
    """Those keys that are arguments of the operation."""
    if not operation or not keys:
        return []
    found = find(meant_operation(operation))
    return [key for key in keys if found is not None and key in found.model_fields]
