"""A step's operation and its arguments: looked up, evaluated, validated."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN, Dim
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import WrongValue, argument_faults, quoted
from netspec.ops.base import Op
from netspec.ops.catalogue import FAMILIES, find


class UnknownOperation(Diagnostic):
    """A capitalised word that is no operation."""

    code = "NS205"
    message = "there is no operation {name}"

    name: str
    suggestion: str | None

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "netspec ops lists them all"


class PositionalArguments(Diagnostic):
    """An operation followed by a bare value: arguments are always named."""

    code = "NS230"
    message = "the arguments of {op} are named, and {got} has no name"

    op: str
    got: str
    named: str

    @property
    def help(self) -> str:
        return "write {op}: {{{named}}}" if self.named else "write {op} alone; it needs no arguments"


def find_operation(name: str, place: Span, collector: Collector) -> type[Op] | None:
    """The operation of this name, or None and NS205."""
    operation = find(name)
    if operation is None:
        unknown = UnknownOperation(name=spell(name), suggestion=nearest(name, FAMILIES))
        collector.add(unknown.at(place))
    return operation


def _named(operation: type[Op], given: Any) -> str:
    """Values without names as arguments: those that are required come first, as in PyTorch."""
    fields = operation.model_fields
    names = [name for name, field in fields.items() if field.is_required()]
    names += [name for name in fields if name not in names and not name.startswith(("in_", "num_"))]
    values = given if isinstance(given, list) else [given]
    return ", ".join(f"{name}: {spell(value)}" for name, value in zip(names, values, strict=False))


def make_operation(
    operation: type[Op], arguments: Tree | None, place: Span, resolver: Resolver, collector: Collector
) -> Op | None:
    """The operation with its arguments; None, and diagnostics, where they are not what it takes.

    Errors: NS204 wrong values, NS206 unknown and NS207 missing arguments, NS230 arguments without names.
    """
    name = operation.__name__
    given: Any = {} if arguments is None else arguments.value
    if given is None:
        given = {}
    if not isinstance(given, dict):
        assert arguments is not None
        positional = PositionalArguments(op=name, got=quoted(given), named=_named(operation, given))
        collector.add(positional.at(arguments.span))
        return None
    values: dict[str, Any] = {}
    unknown = False
    for key, entry in arguments.entries.items() if arguments is not None else ():
        value = resolver.value(entry.value)
        if value is UNKNOWN:
            unknown = True
            continue
        if isinstance(value, Dim):
            expected = "a number; the size that it is computed from is symbolic"
            collector.add(WrongValue(key=key, expected=expected, got=str(value)).at(entry.value.span))
            unknown = True
            continue
        values[key] = value
    try:
        made = operation.model_validate(values)
    except ValidationError as error:
        faults = argument_faults(name, operation, error, arguments, place)
        # An argument whose value is unknown because of an error was given: it is not missing.
        known_given = set(given)
        collector.extend(
            f for f in faults if not (unknown and getattr(f, "argument", None) in known_given)
        )
        return None
    return None if unknown else made
