"""The parameters of a spec file: defaults that fix their types, and the values that a user sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError, Note, Source, Span, nearest, spell
from netspec.ir.dim import UNKNOWN
from netspec.language.names import named_entries
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


class UnknownParameter(Diagnostic):
    """`--set` names a parameter that the file does not have."""

    code = "NS219"
    message = "the spec has no parameter {name}"

    name: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        return "it has {known}" if self.known else "it has no `params` at all"


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


def load_parameters(tree: Tree, overrides: Mapping[str, str], collector: Collector) -> Parameters:
    """The parameters of a file, in order; a default may use those above it.

    `overrides` are texts as after `--set NAME=`, read as YAML.

    Errors: NS201 for a name, NS204 for a default that is no value, NS219 and NS220 for overrides.
    """
    values: dict[str, Any] = {}
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
        if name in overrides and default is not UNKNOWN:
            default = _override(name, overrides[name], default, item.span, collector)
        values[name] = default
    for name in overrides:
        if name not in values:
            unknown = UnknownParameter(
                name=spell(name), suggestion=nearest(name, values), known=tuple(values)
            )
            collector.add(unknown.at(_place(name, overrides[name])))
    section = next((key for key in tree.entries if nearest(key, ("params",)) or key == "params"), None)
    complete = section is None or isinstance(tree.value[section], dict)
    return Parameters(values, complete and section in (None, "params"))


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
