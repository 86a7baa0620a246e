"""The parameters of a spec file: defaults that fix their types, and the values that a user sets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from netspec.diagnostics import (
    Collector,
    Diagnostic,
    DiagnosticError,
    Note,
    Source,
    Span,
    Suggesting,
    nearest,
    spell,
)
from netspec.ir.dim import UNKNOWN
from netspec.language.names import named_entries
from netspec.language.references import DuplicateName
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import WrongValue, quoted

TYPES: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a word",
    list: "a list",
}


class UnknownParameter(Suggesting):
    """`--set` names a parameter that the file does not have."""

    code = "NS219"
    message = "the spec has no parameter {name}"

    name: str
    known_help = "it has {known}"
    unknown_help = "it has no `params` at all"


class WrongParameter(Diagnostic):
    """`--set` gives a parameter a value of another type than its default has."""

    code = "NS220"
    message = "the parameter {name} must be {expected}, as its default {default} is, not {got}"

    name: str
    expected: str
    default: str
    got: str


class Parameters(NamedTuple):
    """The value of each parameter, UNKNOWN where it has none because of an error."""

    values: Mapping[str, Any]
    complete: bool  # false where an error leaves open which parameters there are


class UnknownVariant(Suggesting):
    """`--variant` names one that the file does not have."""

    code = "NS254"
    message = "the spec has no variant {name}"

    name: str
    known_help = "it has {known}"
    unknown_help = "it has no `variants` at all"


class UnknownOfVariant(Suggesting):
    """A variant that sets a parameter which the file does not have."""

    code = "NS255"
    message = "the variant {variant} sets {name}, which is no parameter of the spec"

    variant: str
    name: str
    known_help = "its parameters are {known}"
    unknown_help = "declare it under `params`"


class WrongOfVariant(Diagnostic):
    """A variant that gives a parameter a value of another type than its default has."""

    code = "NS256"
    message = "the parameter {name} must be {expected}, as its default {default} is, not {got}"

    name: str
    expected: str
    default: str
    got: str


def load_parameters(
    tree: Tree, overrides: Mapping[str, str], collector: Collector, variant: str | None = None
) -> Parameters:
    """The parameters of a file, in order; a default may use those above it.

    A value is that of `overrides` (texts as after `--set NAME=`, read as YAML), that of the variant, or the
    default.

    Errors: NS201 for a name, NS204 for a default that is no value, NS219 and NS220 for overrides, NS254 to
    NS256 for variants.
    """
    values: dict[str, Any] = {}
    chosen = _variants(tree, collector, variant)
    resolver = Resolver(values, {}, collector)
    for name, item in named_entries(tree, "params", "a parameter", collector):
        default = resolver.value(item)
        if default is not UNKNOWN and type(default) not in TYPES:
            wrong = WrongValue(
                key=spell(name),
                expected="an integer, a number, true or false, a word or a list",
                got=quoted(default),
            )
            collector.add(wrong.at(item.span))
            default = UNKNOWN
        for own, entries in chosen.items():
            if name in entries and default is not UNKNOWN:
                value = _of_variant(name, entries[name], default, item.span, collector)
                default = value if own == variant else default
        if name in overrides and default is not UNKNOWN:
            default = _override(name, overrides[name], default, item.span, collector)
        values[name] = default
    for name in overrides:
        if name not in values:
            unknown = UnknownParameter(
                name=spell(name), suggestion=nearest(name, values), known=tuple(values)
            )
            collector.add(unknown.at(_place(name, overrides[name])))
    for own, entries in chosen.items():
        for name in entries:
            if name not in values:
                unset = UnknownOfVariant(
                    variant=own, name=spell(name), suggestion=nearest(name, values), known=tuple(values)
                )
                collector.add(unset.at(tree.find(("variants", own)).key_span(name)))
    section = next((key for key in tree.entries if nearest(key, ("params",)) or key == "params"), None)
    complete = section is None or isinstance(tree.value[section], dict)
    return Parameters(values, complete and section in (None, "params"))


def report_taken(
    tree: Tree, parameters: Iterable[str], dimensions: Collection[str], collector: Collector
) -> None:
    """NS211 for every parameter with the name of an input or a dimension: of which would `$name` speak?"""
    inputs = tree.find(("inputs",))
    for name in parameters:
        if name in inputs.entries:
            other = Note("an input has this name", inputs.key_span(name))
        elif name in dimensions:
            other = Note("a dimension has this name", _place_of_dimension(name, tree))
        else:
            continue
        duplicate = DuplicateName(name=spell(name))
        collector.add(duplicate.at(tree.find(("params",)).key_span(name), other))


def _place_of_dimension(name: str, tree: Tree) -> Span:
    """Where an input's shape first names a dimension; the section where an expression gives the shape."""
    for entry in tree.find(("inputs",)).entries.values():
        for size in entry.value.find(("shape",)).items:
            if size.value == name:
                return size.span
    return tree.key_span("inputs")


def _variants(tree: Tree, collector: Collector, variant: str | None) -> dict[str, dict[str, Tree]]:
    """What each variant sets, by name; NS254 if the one that is asked for is not there."""
    found: dict[str, dict[str, Tree]] = {}
    for name, item in named_entries(tree, "variants", "a variant", collector):
        if not isinstance(item.value, dict):
            example = "a mapping such as {depths: [3, 4, 6, 3]}"
            wrong = WrongValue(key=f"the variant {spell(name)}", expected=example, got=quoted(item.value))
            collector.add(wrong.at(item.span))
            continue
        found[name] = {key: entry.value for key, entry in item.entries.items()}
    if variant is not None and variant not in found:
        unknown = UnknownVariant(name=spell(variant), suggestion=nearest(variant, found), known=tuple(found))
        source = Source("--variant", variant)
        collector.add(unknown.at(Span(source, 0, len(variant))))
    return found


def _of_variant(name: str, tree: Tree, default: Any, written: Span, collector: Collector) -> Any:
    """The value that a variant gives a parameter; the default, and NS256, where its type is wrong."""
    value = tree.value
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is type(default):
        return value
    wrong = WrongOfVariant(
        name=name, expected=TYPES[type(default)], default=spell(default), got=quoted(value)
    )
    collector.add(wrong.at(tree.span, Note("the default is here", written)))
    return default


def _place(name: str, text: str) -> Span:
    """The whole of a `--set`, as its own one-line source."""
    source = Source("--set", f"{name}={text}")
    return Span(source, 0, len(source.text))


def _override(name: str, text: str, default: Any, written: Span, collector: Collector) -> Any:
    """The value that a user gives a parameter; UNKNOWN, and a diagnostic, where its type is wrong."""
    from netspec.language.source import parse

    if isinstance(default, str):
        return text
    try:
        value = parse(text, "--set", "yaml").value
    except DiagnosticError:
        value = text  # whatever it is, it is not what belongs here
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        wrong = WrongParameter(
            name=name, expected=TYPES[type(default)], default=spell(default), got=quoted(value)
        )
        collector.add(wrong.at(_place(name, text), Note("the default is here", written)))
        return UNKNOWN
    return value
