"""A step's operation and its arguments: looked up, evaluated, validated."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN, Dim
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import (
    PositionalArguments,
    WrongValue,
    argument_faults,
    named_arguments,
    quoted,
)
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
        if isinstance(value, Dim):
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


@cache
def _without_arguments(operation: type[Op]) -> Op:
    """The operation as it is when nothing is said; being frozen, one serves all layers."""
    return operation.model_validate({})
