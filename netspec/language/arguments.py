"""A step's operation and its arguments: looked up, evaluated, validated."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN, Dim, symbol
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import (
    PositionalArguments,
    WrongValue,
    argument_faults,
    named_arguments,
    quoted,
)
from netspec.ops.arguments import Symbolic
from netspec.ops.base import Op


class UnknownDimension(Diagnostic):
    """A word in a shape that is no symbolic dimension of an input."""

    code = "NS233"
    message = "no input has a dimension {name}"

    name: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        return (
            "the inputs have {known}" if self.known else "all sizes of the inputs are numbers: write one here"
        )


Known = dict[tuple[object, ...], Op]
"""Operations that were made already, by their class and arguments: being frozen, one serves all layers."""


def make_operation(
    operation: type[Op],
    arguments: Tree | None,
    place: Span,
    resolver: Resolver,
    collector: Collector,
    made: Known,
) -> Op | None:
    """The operation with its arguments; None, and diagnostics, where they are not what it takes.

    Errors: NS204 wrong values, NS206 unknown and NS207 missing arguments, NS230 arguments without names.
    """
    name = operation.__name__
    given: Any = None if arguments is None else arguments.value
    if arguments is not None and given is not None and not isinstance(given, dict):
        positional = PositionalArguments(op=name, got=quoted(given), named=named_arguments(operation, given))
        collector.add(positional.at(arguments.span))
        return None
    unknown: list[str] = []
    values: dict[str, Any] = {}
    for key, entry in arguments.entries.items() if arguments is not None else ():
        value: Any = resolver.value(entry.value)
        field = operation.model_fields.get(key)
        if field is not None and any(isinstance(item, Symbolic) for item in field.metadata):
            value = _with_dimensions(value, entry.value, resolver, collector)
        elif isinstance(value, Dim):
            symbolic = WrongValue(key=key, expected="a number", got=f"the symbolic size {value}")
            collector.add(symbolic.at(entry.value.span))
            value = UNKNOWN
        if value is UNKNOWN and key in operation.model_fields:
            unknown.append(key)
        else:
            values[key] = value
    called = (operation, hashable(values))
    if called in made and not unknown:
        return made[called]
    try:
        found = operation.model_validate(values)
    except ValidationError as error:
        collector.extend(argument_faults(name, operation, error, arguments, values, place, unknown))
        return None
    if unknown:
        return None
    made[called] = found
    return found


def hashable(value: Any) -> object:
    """A value that may be a key, in which 1, 1.0 and true differ."""
    if isinstance(value, dict):
        return tuple((key, hashable(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(hashable, value))
    return type(value), value


def _with_dimensions(value: Any, tree: Tree, resolver: Resolver, collector: Collector) -> Any:
    """A size or a shape whose words are the symbolic dimensions of these names; UNKNOWN after NS233."""
    if isinstance(value, list):
        places = tree.items if len(tree.items) == len(value) else [tree] * len(value)
        sizes = [
            _with_dimensions(item, place, resolver, collector)
            for item, place in zip(value, places, strict=True)
        ]
        return UNKNOWN if any(size is UNKNOWN for size in sizes) else sizes
    if not isinstance(value, str):
        return value
    known = resolver.bounds.get(value)
    if known is None:
        names = tuple(resolver.bounds)
        fault = UnknownDimension(name=spell(value), suggestion=nearest(value, names), known=names)
        collector.add(fault.at(tree.span))
        return UNKNOWN
    return symbol(value, known.multiple_of)
