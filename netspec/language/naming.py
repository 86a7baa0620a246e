"""Names of steps: their own, or their operation in snake case with its number; they keep still.

Numbers count over the source, branches that are not taken included, so that a condition renames nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from netspec.diagnostics import Collector, Note, Span, spell
from netspec.language.callables import Callables
from netspec.language.names import check_path, snake_case
from netspec.language.references import DuplicateName
from netspec.language.steps import Body, Branches, Call, Choice, Loop, Step

_PARAMETER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def name_steps(body: Body, inputs: Mapping[str, Span], callables: Callables, collector: Collector) -> None:
    """Give every step of a file or a block its name, and every body the names that its scope defines.

    `inputs` are names that the scope has already.

    Errors: NS201 a name that is none, NS211 one that is taken.
    """
    _Scope(inputs, callables, collector).name(body)


class _Scope:
    """The names of one scope while they are given."""

    def __init__(self, taken: Mapping[str, Span], callables: Callables, collector: Collector) -> None:
        self.callables = callables
        self.collector = collector
        self.counted: Counter[str] = Counter()
        self.taken = dict(taken)
        self.names: dict[str, Span] = {}
        self.alternatives: frozenset[str] = frozenset()
        self.complete = True
        self.scopes: set[str] = set()  # that names with dots in them open

    def name(self, *bodies: Body) -> None:
        """Name the steps of bodies that have this scope in common."""
        for body in bodies:
            self._steps(body)
        for body in bodies:
            body.names, body.complete = self.names, self.complete

    def _steps(self, body: Body) -> None:
        self.complete = self.complete and body.complete
        for step in body:
            if isinstance(step, Call):
                self._named(step, self._word(step))
            elif isinstance(step, Branches):
                self._branches(step)
            elif isinstance(step, Choice):
                self._choice(step)
            elif isinstance(step, Loop):
                self._named(step, step.word)
                self._inner().name(step.do, step.between)

    def _word(self, step: Call) -> str:
        if step.operation.startswith("$"):
            # The name of the parameter, whatever it stands for.
            found = _PARAMETER.match(step.operation)
            return found.group(1).lower() if found else "step"
        return snake_case(self.callables.meant(step.operation))

    def _branches(self, step: Branches) -> None:
        if step.is_scope:
            self._named(step, step.word)
            self._inner()._merged(step)
        else:
            self._merged(step)
            step.name = step.merge.name if step.merge is not None else ""

    def _merged(self, step: Branches) -> None:
        """The branches' scopes, and the merge, in this scope."""
        for branch in step.branches:
            self.counted[f"{branch.name}/"] += 1
            number = self.counted[f"{branch.name}/"]
            branch.scope = branch.name if number == 1 else f"{branch.name}_{number}"
            self._take(branch.scope, branch.place, automatic=number > 1)
            self.names.setdefault(branch.scope, branch.place)
            self._inner().name(branch.body)
        if step.merge is not None:
            self._named(step.merge, self._word(step.merge))

    def _choice(self, step: Choice) -> None:
        if step.is_scope:
            self._named(step, step.word)
            self._inner()._alternatives(step)
        else:
            self._alternatives(step)
            step.name = ""

    def _alternatives(self, step: Choice) -> None:
        """Both lists, of which only one will be taken: they may give the same names."""
        before, free = set(self.names), self.alternatives
        self._steps(step.then)
        left = self.alternatives
        self.alternatives = free | (set(self.names) - before)
        self._steps(step.otherwise)
        self.alternatives &= left
        for body in (step.then, step.otherwise):
            body.names, body.complete = self.names, self.complete

    def _inner(self) -> _Scope:
        return _Scope({}, self.callables, self.collector)

    def _named(self, step: Step, word: str) -> None:
        """Give a step its name in this scope."""
        self.counted[word] += 1
        own = step.section.name
        step.name = f"{word}_{self.counted[word]}" if own is None else own
        place = step.place if own is None else step.span_of("name")
        if own is not None:
            fault = check_path(own, "a layer")
            if fault is not None:
                self.collector.add(fault.at(place))
        if step.named or own is not None:
            self._take(step.name, place, automatic=own is None)
        self.names.setdefault(step.name, step.place)
        self.taken.setdefault(step.name, place)

    def _take(self, name: str, place: Span, *, automatic: bool) -> None:
        outer = [name[:at] for at, character in enumerate(name) if character == "."]
        clash = name if name in self.taken else next((scope for scope in outer if scope in self.taken), None)
        if clash is None and name in self.scopes:
            clash = next(known for known in self.taken if known.startswith(f"{name}."))
        self.scopes.update(outer)
        if clash is not None and name not in self.alternatives:
            duplicate = DuplicateName(name=spell(name), automatic=automatic)
            self.collector.add(duplicate.at(place, Note("the other is here", self.taken[clash])))
        self.taken.setdefault(name, place)
        self.alternatives -= {name}  # which it can be once
