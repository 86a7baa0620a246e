"""Expressions in a spec's values, replaced by what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Collector
from netspec.ir.dim import UNKNOWN, Bounds
from netspec.language.expressions import ExpressionFault, Scope, evaluate, is_expression, parse, unescape
from netspec.language.tree import Tree


class Resolver:
    """Evaluates the expressions of trees in one scope and collects what is wrong with them.

    In a scope that is not `complete` because of an error, a name that it lacks is unknown, not wrong.
    """

    def __init__(
        self, scope: Scope, bounds: Mapping[str, Bounds], collector: Collector, *, complete: bool = True
    ) -> None:
        self.scope = scope
        self.bounds = bounds
        self.collector = collector
        self.complete = complete

    def value(self, tree: Tree) -> Any:
        """The plain value of `tree`; UNKNOWN where an expression has no value, here or anywhere inside."""
        if tree.items:
            items = [self.value(item) for item in tree.items]
            return UNKNOWN if any(item is UNKNOWN for item in items) else items
        if tree.entries:
            entries = {key: self.value(entry.value) for key, entry in tree.entries.items()}
            return UNKNOWN if any(entry is UNKNOWN for entry in entries.values()) else entries
        if isinstance(tree.value, str) and "$" in tree.value:
            return self._scalar(tree)
        return tree.value

    def _scalar(self, tree: Tree) -> Any:
        text: str = tree.value
        if not is_expression(text):
            return unescape(text)
        try:
            return evaluate(parse(text), self.scope, self.bounds)
        except ExpressionFault as fault:
            from netspec.language.expressions.interpreter import UnknownName

            if self.complete or not isinstance(fault.diagnostic, UnknownName):
                self.collector.add(fault.diagnostic.at(tree.scalar_span(fault.start, fault.end)))
            return UNKNOWN


def holds_expression(tree: Tree) -> bool:
    """Whether any scalar in `tree` must be evaluated."""
    if tree.items:
        return any(holds_expression(item) for item in tree.items)
    if tree.entries:
        return any(holds_expression(entry.value) for entry in tree.entries.values())
    return isinstance(tree.value, str) and "$" in tree.value
