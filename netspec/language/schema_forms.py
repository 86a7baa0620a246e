"""What JSON Schemas of the language are made of: references, mappings, words, and the fields of models."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from netspec.language.names import MODULE_ATTRIBUTES, NAME_LIMIT, PATTERN, RESERVED
from netspec.language.sections import FileSection
from netspec.language.step_sections import StepSection

Schema = dict[str, Any]

EXPRESSION = r"(^|[^$])(\$\$)*\$([^$]|$)"
"""A scalar with a dollar that is not doubled; a doubled one is a literal dollar."""

NULL: Schema = {"type": "null"}

LITERAL = (FileSection, StepSection)
"""Sections whose own keys are read as they are; expressions stand further inside."""


def ref(definition: str) -> Schema:
    """What `definitions` says under a name; draft 7 lets nothing else stand beside it."""
    return {"$ref": f"#/definitions/{definition}"}


def either(*choices: Schema, like: Mapping[str, Any] | None = None) -> Schema:
    """One of several schemas, with the description and the default of `like`."""
    kept = {key: like[key] for key in ("description", "default") if key in like} if like else {}
    return {**kept, "anyOf": list(choices)}


def mapping(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A mapping with these keys and no others."""
    fixed = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    needed = list(required)
    return {**fixed, "required": needed} if needed else fixed


def named(values: Schema, least: int = 0) -> Schema:
    """A mapping from names of the user's to values of one kind."""
    free = {"type": "object", "propertyNames": ref("name"), "additionalProperties": values}
    return {**free, "minProperties": least} if least else free


def listed(items: Schema, least: int = 0) -> Schema:
    """A list of values of one kind."""
    free = {"type": "array", "items": items}
    return {**free, "minItems": least} if least else free


def section(model: type[BaseModel]) -> Schema:
    """The mapping that a model reads."""
    return {"description": first_line(model), **mapping(fields(model), required(model))}


def required(model: type[BaseModel]) -> list[str]:
    """The keys of a model that must be given."""
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


def fields(model: type[BaseModel]) -> dict[str, Schema]:
    """The schema of each key of a model, where every scalar may be an expression."""
    by_alias = {field.alias or name: field for name, field in model.model_fields.items()}
    found = {}
    for name, written in model.model_json_schema(by_alias=True).get("properties", {}).items():
        default = by_alias[name].default
        field = _without_titles(written) if issubclass(model, LITERAL) else _with_expressions(written)
        field = {key: value for key, value in field.items() if key != "default"}
        if default is not PydanticUndefined and default is not None:
            field["default"] = short(default)
        found[name] = field
    return found


def first_line(model: type[BaseModel]) -> str:
    """The first line of a docstring."""
    return (model.__doc__ or "").strip().split("\n")[0]


def short(default: Any) -> Any:
    """A default as a user would write it: a pair of equal numbers is one number."""
    if isinstance(default, tuple):
        return default[0] if len(set(default)) == 1 else list(default)
    return to_jsonable_python(default)


def _without_titles(written: Schema) -> Schema:
    return {key: value for key, value in written.items() if key != "title"}


def _with_expressions(written: Schema) -> Schema:
    """A field's schema in draft 7, where expressions may stand for it and for the items of its lists."""
    choices = [_choice(choice) for choice in written.get("anyOf", [written])]
    if {"type": "number"} in choices:
        choices = [choice for choice in choices if choice != {"type": "integer"}]
    plain = {key: written[key] for key in ("description",) if key in written}
    return {**plain, **either(*choices, ref("expression"))} if any(choices) else plain


def _choice(written: Schema) -> Schema:
    """One alternative of a field: a scalar, or a list of scalars."""
    kept = {key: value for key, value in written.items() if key not in ("title", "description", "default")}
    if kept.get("type") == "array":
        # In lists of fixed length all items are of one kind.
        inner = kept.pop("prefixItems", None)
        kept["items"] = _with_expressions(inner[0] if inner else kept["items"])
    return kept


def words() -> dict[str, Schema]:
    """What the words of a spec look like."""
    taken = "|".join(sorted({*keyword.kwlist, *MODULE_ATTRIBUTES, *RESERVED}))
    spelt = "Names are made of letters, digits and underscores; no digit is first."
    free = "This name is taken by Python, by PyTorch's modules or by netspec."
    word = rf"[A-Za-z_][A-Za-z0-9_]{{0,{NAME_LIMIT - 1}}}"
    part = r"[A-Za-z0-9_]+"
    return {
        "name": {
            "type": "string",
            "description": "Letters, digits and underscores; no word of Python's, no attribute of nn.Module.",
            "maxLength": NAME_LIMIT,
            "allOf": [
                {"pattern": f"^(?!__){PATTERN}$", "errorMessage": spelt},
                {"pattern": f"^(?!({taken})$)", "errorMessage": free},
            ],
        },
        "path": {
            "type": "string",
            "description": "A name, or names in scopes with dots between, as in a spec that was expanded.",
            "allOf": [
                {"pattern": rf"^{word}(\.([0-9]+|{word}))*$", "errorMessage": spelt},
                {"pattern": rf"^(?!(.*\.)?(__|({taken})(\.|$)))", "errorMessage": free},
            ],
        },
        "reference": {
            "type": "string",
            "description": "An earlier layer, an input, prev or in; a dot leads to a port or into a scope.",
            "pattern": rf"^{PATTERN}(\.{part})*$",
            "errorMessage": "Write the name of an earlier layer or of an input, prev, in, or NAME.PORT.",
        },
        "references": {
            "type": "string",
            "description": "As one reference; * stands for every iteration of a loop.",
            "pattern": rf"^{PATTERN}(\.(\*|{part}))*$",
            "errorMessage": "Write the name of an earlier layer or of an input, prev, in, or NAME.PORT.",
        },
        "expression": {
            "type": "string",
            "description": "An expression, in which $NAME is a parameter: $width * 2.",
            "pattern": EXPRESSION,
            "errorMessage": "This is neither what belongs here nor an expression, which has a $.",
        },
    }
