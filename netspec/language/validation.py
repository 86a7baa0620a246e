"""What pydantic finds wrong with plain values, as diagnostics at the places of those values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from netspec.diagnostics import Advised, Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN
from netspec.language.sections import Section
from netspec.language.step_sections import STEP_KEYS
from netspec.language.tree import Tree
from netspec.ops.arguments import INFERRED, SIZE_LIMIT, Expected


class UnknownKey(Diagnostic):
    """A key that means nothing where it stands."""

    code = "NS202"
    message = "unknown key {key} in {where}"

    key: str
    where: str
    suggestion: str | None
    known: tuple[str, ...]
    advice: str = ""

    @property
    def help(self) -> str:
        if self.advice:
            return "{advice}"
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


class Empty(Diagnostic):
    """A section without anything in it."""

    code = "NS208"
    message = "{section} is empty"

    section: str
    example: str

    @property
    def help(self) -> str:
        return "for example {example}"


class WrongValue(Advised):
    """A value of the wrong kind, or out of its range. `got` is empty where nothing is written."""

    code = "NS204"
    message = "{key} must be {expected}, {instead}"

    key: str
    expected: str
    got: str
    computed: bool = False

    @property
    def instead(self) -> str:
        return f"not {self.got}" if self.got else "but it is empty"

    @property
    def label(self) -> str:
        return "this gives {got}" if self.computed else ""


class UnknownArgument(Diagnostic):
    """An argument that the operation does not have."""

    code = "NS206"
    message = "{op} has no argument {argument}"

    op: str
    argument: str
    suggestion: str | None
    known: tuple[str, ...]
    belongs_beside: bool = False

    @property
    def help(self) -> str:
        if self.belongs_beside:
            return "write {argument} on a line of its own below {op}, not among its arguments"
        if self.suggestion:
            return "did you mean {suggestion}?"
        return "it takes {known}" if self.known else "it takes none"


class MissingArgument(Diagnostic):
    """Arguments without a default that were not given."""

    code = "NS207"
    message = "{op} needs {what}"

    op: str
    arguments: tuple[str, ...]
    expected: str
    explained: bool

    @property
    def what(self) -> str:
        *others, last = self.arguments
        return f"{', '.join(others)} and {last}" if others else f"{last}, {self.expected}"

    @property
    def pattern(self) -> str:
        return ", ".join(f"{name}: …" for name in self.arguments)

    @property
    def help(self) -> str:
        written = "write {op}: {{{pattern}}}"
        return written + "; netspec ops {op} explains it" if self.explained else written


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


TRUTH = "true or false"
_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Words that older YAML took for truth values."""

KINDS = {
    "string_type": "a word",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": TRUTH,
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
}

_NUMBER = re.compile(r"[-+]?[0-9][0-9_.]*(?:[eE][-+]?[0-9]+)?")
_ARITHMETIC = re.compile(r"(?=.*[0-9])[0-9\s.+*/%()-]+")
_COLON_WITHOUT_SPACE = re.compile(r"[A-Za-z_]\w*:\S.*", re.DOTALL)

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], where: str, tree: Tree, value: Any, collector: Collector) -> Model | None:
    """`value`, read from `tree`, as the model of a section; None, and diagnostics, where it is not."""
    if value is UNKNOWN:
        return None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        collector.extend(section_faults(where, model, error, tree))
        return None


def expectation(model: type[BaseModel], name: str) -> Expected | None:
    """How messages name what belongs into a field, found in its type's metadata; `name` may be its alias."""
    field = model.model_fields.get(name)
    if field is None:
        field = next((f for f in model.model_fields.values() if f.alias == name), None)
    if field is None:
        return None
    found = next((item for item in field.metadata if isinstance(item, Expected)), None)
    return found or next(_nested_expectations(field.annotation), None)


def expected_by(model: type[BaseModel], name: str) -> str | None:
    """The words of `expectation`."""
    found = expectation(model, name)
    return None if found is None else found.text


def _nested_expectations(annotation: Any) -> Iterator[Expected]:
    """Expectations inside unions such as `PositiveInt | None`."""
    for item in getattr(annotation, "__metadata__", ()):
        if isinstance(item, Expected):
            yield item
    for part in getattr(annotation, "__args__", ()):
        yield from _nested_expectations(part)


def quoted(value: object) -> str:
    """A value for a message, empty for null; a string that looks like something else keeps its quotes."""
    if value is None:
        return ""
    if isinstance(value, str):
        looks_other = not value[:1].isalpha() or value in ("true", "false", "null")
        return f"the string '{spell(value) if value else ''}'" if looks_other else spell(value)
    return spell(value)


def advice_on(value: object, expected: str = "") -> str:
    """What a text that should have been something else may be: the cure for it, or nothing."""
    if not isinstance(value, str):
        return ""
    if _NUMBER.fullmatch(value):
        return "remove the quotes"
    if _ARITHMETIC.fullmatch(value):
        return "write the result: only what has a parameter in it, such as $n, is computed"
    if _COLON_WITHOUT_SPACE.fullmatch(value):
        return "put a space after the colon"
    if expected == TRUTH and value.lower() in _TRUTHS:
        return f"write {_TRUTHS[value.lower()]}: {value} is a word here"
    return ""


def describe(error: ErrorDetails, expected: str | None) -> str:
    """What belongs in the place that an error speaks of."""
    kind = error["type"]
    if kind == "less_than_equal" and error["ctx"]["le"] == SIZE_LIMIT:
        return f"at most {SIZE_LIMIT}"
    if expected is not None:
        return expected
    if kind in KINDS:
        return KINDS[kind]
    if kind == "literal_error":
        return str(error["ctx"]["expected"]).replace("'", "")
    return error["msg"][0].lower() + error["msg"][1:]


def named_arguments(model: type[BaseModel], given: Any) -> str:
    """Values without names as the arguments that they must be: those required come first, as in PyTorch."""
    fields = model.model_fields
    names = [name for name, field in fields.items() if field.is_required()]
    names += [name for name in fields if name not in names and name not in INFERRED]
    values = given if isinstance(given, list) else [given]
    return ", ".join(f"{name}: {spell(value)}" for name, value in zip(names, values, strict=False))


def argument_faults(
    op: str,
    model: type[BaseModel],
    error: ValidationError,
    arguments: Tree | None,
    values: Mapping[str, Any],
    place: Span,
    silent: Collection[str] = (),
) -> Iterator[Diagnostic]:
    """The diagnostics of an operation's arguments; `place` is where the operation is named.

    `values` are the arguments with their expressions evaluated. Arguments in `silent` were given, but an
    earlier error left them without a value. One that is missing is not reported if another one may be it,
    misspelt.
    """
    known = tuple(model.model_fields)
    is_operation = op[:1].isupper()
    missing: list[str] = []
    meant: set[str | None] = set(silent)
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        name = str(path[0]) if path else ""
        if name in seen:
            continue  # a union fails once for each of its members
        seen.add(name)
        tree = arguments.entries[name].value if arguments is not None and name in arguments.entries else None
        if detail["type"] == "missing" and len(path) == 1:
            missing.append(name)
        elif detail["type"] == "extra_forbidden" and arguments is not None:
            unknown = UnknownArgument(
                op=op,
                argument=spell(name),
                suggestion=nearest(name, known),
                known=known,
                belongs_beside=is_operation and name in STEP_KEYS,
            )
            meant.add(unknown.suggestion)
            yield unknown.at(arguments.key_span(name))
        else:
            value = values.get(name, detail["input"])
            expected = describe(detail, expected_by(model, name))
            yield WrongValue(
                key=name,
                expected=expected,
                got=quoted(value),
                advice=advice_on(value, expected),
                computed=tree is not None and tree.value != value,
                span=place if tree is None else tree.span,
            )
    missing = [name for name in missing if name not in meant]
    if missing:
        expected = expected_by(model, missing[0]) or "which has no default"
        yield MissingArgument(
            op=op, arguments=tuple(missing), expected=expected, explained=is_operation, span=place
        )


def section_faults(
    where: str, model: type[BaseModel], error: ValidationError, tree: Tree
) -> Iterator[Diagnostic]:
    """The diagnostics of a mapping with fixed keys: the file itself, an input, an output, a dimension."""
    known = tuple(field.alias or name for name, field in model.model_fields.items())
    missing: list[tuple[str, Tree]] = []
    meant: set[str | None] = set()
    wrong: dict[object, dict[tuple[str | int, ...], ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        last = str(path[-1]) if path else where
        parent = tree.find(path[:-1])
        if detail["type"] == "missing":
            missing.append((last, parent))
        elif detail["type"] == "extra_forbidden":
            suggestion = nearest(last, known)
            meant.add(suggestion)
            span = parent.key_span(last) if last in parent.entries else parent.span
            yield UnknownKey(key=spell(last), where=where, suggestion=suggestion, known=known, span=span)
        else:
            place = _written(path, tree)
            wrong.setdefault(place[:1], {}).setdefault(place, detail)
    for found in wrong.values():
        deepest = max(map(len, found))  # a union fails for each of its members; one that fits better, later
        for place, detail in found.items():
            if len(place) == deepest:
                yield _wrong_value(where, model, detail, place, tree.find(place))
    for key, parent in missing:
        if key not in meant:
            example = model.example(key, None) if issubclass(model, Section) else ""
            yield MissingKey(key=key, where=where, example=example, span=first_line(parent))


def _written(path: tuple[str | int, ...], tree: Tree) -> tuple[str | int, ...]:
    """The parts of a location that the text has: between them pydantic names the members of unions."""
    parts = []
    for part in path:
        inner = tree.find((part,))
        if inner is not tree:
            parts.append(part)
            tree = inner
    return tuple(parts)


def _wrong_value(
    where: str, model: type[BaseModel], detail: ErrorDetails, place: Sequence[str | int], node: Tree
) -> WrongValue:
    computed = isinstance(node.value, str) and "$" in node.value
    value = detail["input"] if computed else node.value
    key = str(place[0]) if place else where
    advice = advice_on(value)
    found = expectation(model, key) if place else None
    if not place and issubclass(model, Section):
        expected: str | None = model.expected
    elif len(place) > 1 and found is not None and found.item:
        key, expected = f"an item of {key}", found.item
    else:
        expected = None if found is None else found.text
        if issubclass(model, Section) and place and not advice:
            example = model.example(key, value)
            advice = f"for example {example}" if example else ""
    return WrongValue(
        key=key,
        expected=describe(detail, expected),
        got=quoted(value),
        advice=advice,
        computed=computed,
        span=node.span,
    )


def first_line(tree: Tree) -> Span:
    """The beginning of a value, for what is missing in it: its first key, or the value itself."""
    if tree.entries:
        entry = next(iter(tree.entries.values()))
        return Span(tree.source, entry.key_start, entry.key_end)
    return tree.span
