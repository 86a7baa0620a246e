"""A step's operation and its arguments: looked up, evaluated, validated."""

from __future__ import annotations

from functools import cache
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
from netspec.ops.catalogue import FAMILIES, find


class UnknownOperation(Diagnostic):
    """A word where an operation belongs that is none."""

    code = "NS205"
    message = "there is no operation {name}"

    name: str
    suggestion: str | None

    @property
    def help(self) -> str:
        if self.suggestion and "(" in self.name:
            return "arguments follow a colon, as in Conv2d: {{out_channels: 8, kernel_size: 3}}"
        return "did you mean {suggestion}?" if self.suggestion else "netspec ops lists them all"


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


def meant_operation(name: str) -> str:
    """The operation that is called `name`, or was likely meant by it; `name` itself where none is near."""
    if name in FAMILIES:
        return name
    return nearest(name.partition("(")[0].strip(), FAMILIES) or name


def find_operation(name: str, place: Span, collector: Collector) -> type[Op] | None:
    """The operation of this name, or NS205 and None.

    Where only capitals differ, NS205 and the operation that was meant, so that its arguments are checked too.
    """
    operation = find(name)
    if operation is None:
        meant = meant_operation(name)
        suggestion = meant if meant in FAMILIES else None
        collector.add(UnknownOperation(name=spell(name), suggestion=suggestion).at(place))
        if name.lower() == meant.lower():
            return find(meant)
    return operation


def make_operation(
    operation: type[Op], arguments: Tree | None, place: Span, resolver: Resolver, collector: Collector
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
    try:
        made = operation.model_validate(values) if values else _without_arguments(operation)
    except ValidationError as error:
        collector.extend(argument_faults(name, operation, error, arguments, values, place, unknown))
        return None
    return None if unknown else made


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


@cache
def _without_arguments(operation: type[Op]) -> Op:
    """The operation as it is when nothing is said; being frozen, one serves all layers."""
    return operation.model_validate({})
