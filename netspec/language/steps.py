"""The steps of `layers`: what each one does, where it is written, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from netspec.diagnostics import Span
from netspec.language.step_sections import CallSection, StepSection
from netspec.language.tree import Tree


class Step:
    """One step: where everything of it is written, and how it is called in its scope.

    A `broken` step has an error that leaves open what it gives. `named` is false where an error leaves open
    how the step is called. `name` is given to it with all steps of its scope.
    """

    __slots__ = ("broken", "name", "named", "place", "section", "tree")

    word = "step"  # what an automatic name begins with

    def __init__(
        self, place: Span, tree: Tree, section: StepSection, *, broken: bool = False, named: bool = True
    ) -> None:
        self.place = place
        self.tree = tree
        self.section = section
        self.broken = broken
        self.named = named
        self.name = ""

    def span_of(self, key: str) -> Span:
        """Where the value of a key beside the step is written; else the step's own place."""
        entry = self.tree.entries.get(key)
        return entry.value.span if entry else self.place

    def find(self, key: str) -> Tree | None:
        """The value of a key beside the step, or None."""
        entry = self.tree.entries.get(key)
        return None if entry is None else entry.value

    @property
    def is_scope(self) -> bool:
        """Whether what is inside a step of several parts has names under the step's own name."""
        return self.section.name is not None or "repeat" in self.tree.entries


class Call(Step):
    """An operation or a block with its arguments; `operation` is empty where even that is unclear."""

    __slots__ = ("arguments", "operation")

    section: CallSection

    def __init__(
        self,
        operation: str,
        place: Span,
        arguments: Tree | None,
        tree: Tree,
        section: CallSection,
        *,
        broken: bool = False,
        named: bool = True,
    ) -> None:
        super().__init__(place, tree, section, broken=broken, named=named)
        self.operation = operation
        self.arguments = arguments


class Body:
    """A list of steps, and the names that they define in their scope, with the places of those.

    In a scope that is not `complete` because of an error, names may be missing.
    """

    __slots__ = ("complete", "names", "place", "steps")

    def __init__(self, steps: tuple[Step, ...], place: Span) -> None:
        self.steps = steps
        self.place = place
        self.names: Mapping[str, Span] = MappingProxyType({})
        self.complete = all(step.named for step in steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)


class Branch:
    """One of several branches; `scope` is its name among those of its scope (`main_2`)."""

    __slots__ = ("body", "name", "place", "scope")

    def __init__(self, name: str, place: Span, body: Body) -> None:
        self.name = name
        self.place = place
        self.body = body
        self.scope = name


class Branches(Step):
    """Branches side by side, and the step that merges what they give; None where an error hides it."""

    __slots__ = ("branches", "merge")

    word = "branches"

    def __init__(
        self,
        place: Span,
        tree: Tree,
        section: StepSection,
        branches: tuple[Branch, ...],
        merge: Call | None,
        *,
        broken: bool = False,
    ) -> None:
        super().__init__(place, tree, section, broken=broken)
        self.branches = branches
        self.merge = merge


class Choice(Step):
    """One list of steps or another."""

    __slots__ = ("otherwise", "then")

    word = "if"

    def __init__(
        self,
        place: Span,
        tree: Tree,
        section: StepSection,
        then: Body,
        otherwise: Body,
        *,
        broken: bool = False,
    ) -> None:
        super().__init__(place, tree, section, broken=broken)
        self.then = then
        self.otherwise = otherwise


class Loop(Step):
    """A list of steps for each value of some variables, with others in between."""

    __slots__ = ("between", "do")

    word = "for"

    def __init__(
        self,
        place: Span,
        tree: Tree,
        section: StepSection,
        do: Body,
        between: Body,
        *,
        broken: bool = False,
    ) -> None:
        super().__init__(place, tree, section, broken=broken)
        self.do = do
        self.between = between


def every_call(body: Body) -> Iterator[Call]:
    """The calls of a body and of all steps inside its steps, as they are written."""
    for step in body:
        if isinstance(step, Call):
            yield step
        elif isinstance(step, Branches):
            for branch in step.branches:
                yield from every_call(branch.body)
            if step.merge is not None:
                yield step.merge
        elif isinstance(step, Choice):
            yield from every_call(step.then)
            yield from every_call(step.otherwise)
        elif isinstance(step, Loop):
            yield from every_call(step.do)
            yield from every_call(step.between)
