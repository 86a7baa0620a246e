"""Expressions in a spec's values, replaced by what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from netspec.diagnostics import Collector, Span
from netspec.ir.dim import UNKNOWN, Bounds
from netspec.language.expressions import (
    Expression,
    ExpressionFault,
    Scope,
    evaluate,
    evaluate_condition,
    is_expression,
    parse,
    unescape,
)
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

    def text(self, text: str, span: Span) -> Any:
        """The value of an expression that is written as a key, at `span`."""
        return self.value(Tree(span.source, span.start, span.end, text))

    def condition(self, tree: Tree) -> Any:
        """Whether a condition holds; UNKNOWN after an error, and any other value where it is no condition."""
        if isinstance(tree.value, str) and is_expression(tree.value):
            return self._evaluated(tree, evaluate_condition)
        return tree.value

    def _scalar(self, tree: Tree) -> Any:
        if not is_expression(tree.value):
            return unescape(tree.value)
        return self._evaluated(tree, evaluate)

    def _evaluated(self, tree: Tree, how: Callable[..., Any]) -> Any:
        try:
            return how(_parsed(tree.value), self.scope, self.bounds)
        except ExpressionFault as fault:
            from netspec.language.expressions.interpreter import UnknownName

            if self.complete or not isinstance(fault.diagnostic, UnknownName):
                self.collector.add(fault.diagnostic.at(tree.scalar_span(fault.start, fault.end)))
            return UNKNOWN


class Unevaluated(Resolver):
    """Leaves every expression without a value; only its spelling is checked."""

    def _evaluated(self, tree: Tree, how: Callable[..., Any]) -> Any:
        try:
            _parsed(tree.value)
        except ExpressionFault as fault:
            self.collector.add(fault.diagnostic.at(tree.scalar_span(fault.start, fault.end)))
        return UNKNOWN


@cache
def _parsed(text: str) -> Expression:
    """An expression is read once, however many instances of a block evaluate it."""
    return parse(text)


def holds_expression(tree: Tree) -> bool:
    """Whether any scalar in `tree` must be evaluated."""
    if tree.items:
        return any(holds_expression(item) for item in tree.items)
    if tree.entries:
        return any(holds_expression(entry.value) for entry in tree.entries.values())
    return isinstance(tree.value, str) and "$" in tree.value
