"""What pydantic finds wrong with plain values, as diagnostics at the places of those values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from netspec.diagnostics import Diagnostic, Span, nearest, spell
from netspec.language.tree import Tree
from netspec.ops.arguments import Expected


class UnknownKey(Diagnostic):
    """A key that means nothing where it stands."""

    code = "NS202"
    message = "unknown key {key} in {where}"

    key: str
    where: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "its keys are {known}"


class MissingKey(Diagnostic):
    """A key that must be there."""

    code = "NS203"
    message = "{where} needs {key}"

    key: str
    where: str
    example: str = ""

    @property
    def help(self) -> str:
        return "for example {example}" if self.example else ""


class WrongValue(Diagnostic):
    """A value of the wrong kind, or out of its range."""

    code = "NS204"
    message = "{key} must be {expected}, not {got}"

    key: str
    expected: str
    got: str


class UnknownArgument(Diagnostic):
    """An argument that the operation does not have."""

    code = "NS206"
    message = "{op} has no argument {argument}"

    op: str
    argument: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        return "it takes {known}" if self.known else "it takes none"


class MissingArgument(Diagnostic):
    """An argument without a default that was not given."""

    code = "NS207"
    message = "{op} needs the argument {argument}, {expected}"

    op: str
    argument: str
    expected: str

    @property
    def help(self) -> str:
        return "write {op}: {{{argument}: …}}; netspec ops {op} explains it"


KINDS = {
    "string_type": "a word",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "left out",
    "finite_number": "a finite number",
}


def expected_by(model: type[BaseModel], name: str) -> str | None:
    """How messages name what belongs into a field, from its type's metadata."""
    field = model.model_fields.get(name)
    if field is None:
        return None
    found = next((item.text for item in field.metadata if isinstance(item, Expected)), None)
    if found is None:
        found = next(_nested_expectations(field.annotation), None)
    return found


def _nested_expectations(annotation: Any) -> Iterator[str]:
    """Expectations inside unions such as `PositiveInt | None`."""
    for item in getattr(annotation, "__metadata__", ()):
        if isinstance(item, Expected):
            yield item.text
    for part in getattr(annotation, "__args__", ()):
        yield from _nested_expectations(part)


def quoted(value: object) -> str:
    """A value for a message; a string that looks like something else keeps its quotes."""
    if isinstance(value, str):
        text = spell(value)
        looks_other = not value or not value[0].isalpha() or value in ("true", "false", "null")
        return f"the string '{text}'" if looks_other else text
    return spell(value)


def describe(error: ErrorDetails, model: type[BaseModel], path: Sequence[str | int]) -> str:
    """What belongs in the place that an error speaks of."""
    if path and isinstance(path[0], str):
        expected = expected_by(model, path[0])
        if expected is not None:
            return expected
    kind = error["type"]
    context = error.get("ctx", {})
    if kind in KINDS:
        return KINDS[kind]
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        word = kind.replace("_", " ").replace(" equal", " or equal to").replace(" than or", " than or")
        limit = next(iter(context.values()))
        return f"{word} {spell(limit)}"
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind in ("too_long", "too_short"):
        return error["msg"][0].lower() + error["msg"][1:]
    return error["msg"][0].lower() + error["msg"][1:]


def argument_faults(
    op: str, model: type[BaseModel], error: ValidationError, arguments: Tree | None, place: Span
) -> Iterator[Diagnostic]:
    """The diagnostics of an operation's arguments; `place` is where the operation is named."""
    known = tuple(model.model_fields)
    seen: set[object] = set()
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        name = str(path[0]) if path else ""
        if name in seen:
            continue  # a union fails once for each of its members
        seen.add(name)
        if detail["type"] == "missing" and len(path) == 1:
            expected = expected_by(model, name) or "which has no default"
            yield MissingArgument(op=op, argument=name, expected=expected, span=place)
        elif detail["type"] == "extra_forbidden" and arguments is not None:
            span = arguments.key_span(name)
            suggestion = nearest(name, known)
            yield UnknownArgument(
                op=op, argument=spell(name), suggestion=suggestion, known=known, span=span
            )
        else:
            span, value = place, detail["input"]
            if arguments is not None and name in arguments.entries:
                whole = arguments.entries[name].value
                span, value = whole.span, whole.value
            expected = describe(detail, model, path)
            yield WrongValue(key=name, expected=expected, got=quoted(value), span=span)


def section_faults(
    where: str, model: type[BaseModel], error: ValidationError, tree: Tree
) -> Iterator[Diagnostic]:
    """The diagnostics of a mapping with fixed keys: the file itself, an input, an output, a dimension."""
    seen: set[object] = set()
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        kind = detail["type"]
        inside = next((i for i, part in enumerate(path) if tree.find(path[: i + 1]) is tree.find(path[:i])), None)
        place = path if inside is None else path[:inside]
        if kind not in ("missing", "extra_forbidden"):
            if place in seen:
                continue
            seen.add(place)
        last = str(path[-1]) if path else where
        if kind == "missing":
            yield MissingKey(key=last, where=where, span=first_line(tree.find(path[:-1])))
        elif kind == "extra_forbidden":
            known = tuple(field.alias or name for name, field in model.model_fields.items())
            parent = tree.find(path[:-1])
            span = parent.key_span(last) if last in parent.entries else parent.span
            yield UnknownKey(
                key=spell(last), where=where, suggestion=nearest(last, known), known=known, span=span
            )
        else:
            node = tree.find(place)
            key = next((str(part) for part in reversed(place) if isinstance(part, str)), where)
            got = quoted(node.value) if node.value is not None else "empty"
            yield WrongValue(key=key, expected=describe(detail, model, path), got=got, span=node.span)


def first_line(tree: Tree) -> Span:
    """The beginning of a value, for what is missing in it: its first key, or the value itself."""
    if tree.entries:
        entry = next(iter(tree.entries.values()))
        return Span(tree.source, entry.key_start, entry.key_end)
    return tree.span
