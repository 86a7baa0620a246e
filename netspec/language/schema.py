"""The JSON Schema of a spec file, by which editors complete, explain and check: from the models and the catalogue.

Draft 7, the one that editors know best. It says what can be said without reading expressions and shapes;
`netspec check` says the rest.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from netspec.language.elaborate import NODE_LIMIT
from netspec.language.initialisation import DISTRIBUTIONS, LITERAL_LIMIT
from netspec.language.names import MODULE_ATTRIBUTES, NAME_LIMIT, PATTERN, RESERVED
from netspec.language.sections import (
    DimSection,
    FileSection,
    InputSection,
    OutputSection,
    PreprocessSection,
    StepSection,
)
from netspec.language.validation import expected_by
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op
from netspec.ops.catalogue import catalogue

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
TITLE = "netspec: a neural network's spec"

EXPRESSION = r"(^|[^$])(\$\$)*\$([^$]|$)"
"""A scalar with a dollar that is not doubled; a doubled one is a literal dollar."""

WEIGHTS = {"weight": "How the weight is drawn.", "bias": "How the bias is drawn."}
"""Parameters that editors offer; the others of a layer are accepted too."""

_SCALARS = frozenset({"integer", "number", "boolean", "string"})
_SECTION = re.compile(r"^(Shape|Evaluation|Cost|Ports|Errors|Source): +", re.MULTILINE)
_TORCH = re.compile(r"torch(?:\.nn)?\.\w+")


def schema_text() -> str:
    """The schema as the file `netspec.schema.json` has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """The JSON Schema of a spec file."""
    file = _fields(FileSection)
    file["init"] |= _ref("file_init")
    file["name"] = _any(_ref("name"), _NULL, like=file["name"])
    file["inputs"] |= _named(_ref("input"), least=1)
    file["dims"] |= _named(_section(DimSection))
    file["params"] |= _named({"type": ["integer", "number", "boolean", "string", "array"]})
    file["layers"] |= {"items": _ref("step"), "minItems": 1}
    by_name = _named(_any(_ref("reference"), _ref("output")), least=1)
    listed = {"type": "array", "items": _ref("reference"), "minItems": 1, "uniqueItems": True}
    file["outputs"] = _any(listed, by_name, _NULL, like=file["outputs"])
    return {
        "$schema": DRAFT,
        "title": TITLE,
        **_object(file, _required(FileSection)),
        "definitions": {
            **_words(),
            "input": _input(),
            "output": _output(),
            **_initialisation(),
            "step": _step(),
            **{name: _operation(operation) for name, operation in catalogue().items()},
        },
    }


_NULL: Schema = {"type": "null"}


def _ref(definition: str) -> Schema:
    """A reference. Draft 7 lets nothing stand beside `$ref`, hence the wrapping."""
    return {"allOf": [{"$ref": f"#/definitions/{definition}"}]}


def _any(*choices: Schema, like: Mapping[str, Any] | None = None) -> Schema:
    """One of several schemas, with the description and the default of `like`."""
    kept = {key: like[key] for key in ("description", "default") if key in like} if like else {}
    return {**kept, "anyOf": [choice["allOf"][0] if set(choice) == {"allOf"} else choice for choice in choices]}


def _object(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A mapping with these keys and no others."""
    fixed = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    needed = list(required)
    return {**fixed, "required": needed} if needed else fixed


def _named(values: Schema, least: int = 0) -> Schema:
    """A mapping from names of the user's to values of one kind."""
    mapping = {"type": "object", "propertyNames": _ref("name"), "additionalProperties": values}
    return {**mapping, "minProperties": least} if least else mapping


def _words() -> dict[str, Schema]:
    """What the words of a spec look like."""
    taken = sorted({*keyword.kwlist, *MODULE_ATTRIBUTES, *RESERVED})
    return {
        "name": {
            "type": "string",
            "description": "Letters, digits and underscores; no keyword of Python, no attribute of torch.nn.Module.",
            "pattern": f"^(?!__){PATTERN}$",
            "maxLength": NAME_LIMIT,
            "not": {"enum": taken},
            "errorMessage": "A name consists of letters, digits and underscores, and begins with no digit.",
        },
        "reference": {
            "type": "string",
            "description": "An earlier layer, an input, or prev; NAME.PORT is another output of a layer.",
            "pattern": rf"^{PATTERN}(\.[A-Za-z0-9_]+)*$",
            "errorMessage": "A reference is the name of an earlier layer or input, or prev; NAME.PORT is a port.",
        },
        "expression": {
            "type": "string",
            "description": "An expression, in which $NAME is a parameter: $width * 2.",
            "pattern": EXPRESSION,
            "errorMessage": "This is neither a value of the right kind nor an expression, which contains a `$`.",
        },
    }


def _input() -> Schema:
    """An input: its shape, or the long form."""
    long = _fields(InputSection)
    sizes = _any({"type": "integer", "minimum": 1}, _ref("name"), _ref("expression"))
    shape = {**long["shape"]["anyOf"][0], "items": sizes}
    long["shape"] = _any(shape, _ref("expression"), like=long["shape"])
    long["preprocess"] = _any(_section(PreprocessSection), _NULL, like=long["preprocess"])
    short = _any(shape, _ref("expression"))["anyOf"]
    return {
        "description": "A shape such as [batch, 1, 28, 28], or a mapping with shape, dtype and preprocess.",
        "anyOf": [*short, _object(long, _required(InputSection))],
    }


def _output() -> Schema:
    """An output in its long form."""
    fields = _fields(OutputSection)
    fields["from"] |= {**_any(_ref("reference"), _ref("expression"))}
    return {"description": _first_line(OutputSection), **_object(fields, _required(OutputSection))}


def _initialisation() -> dict[str, Schema]:
    """`init`: a rule, and what maps operations and parameters to rules."""
    arguments = {name: _section(model) for name, model in DISTRIBUTIONS.items()}
    for name, model in DISTRIBUTIONS.items():
        arguments[name].pop("description", None)
        if not _required(model):
            arguments[name]["type"] = ["object", "null"]
    bare = [name for name, model in DISTRIBUTIONS.items() if not _required(model)]
    by_parameter = {
        "properties": {name: {"description": text, **_ref("rule")} for name, text in WEIGHTS.items()},
        "patternProperties": {r"^[a-z_][A-Za-z0-9_]*$": _ref("rule")},
    }
    of_operation = _any(_ref("rule"), {"type": "object", **by_parameter, "additionalProperties": False})
    by_operation = dict.fromkeys(catalogue(), _ref("operation_init"))
    of_step = _object(by_operation)
    of_step["properties"] = {**by_parameter["properties"], **by_operation}
    of_step["patternProperties"] = by_parameter["patternProperties"]
    return {
        "numbers": {
            "type": "array",
            "description": "Literal values, as many as the parameter has elements, in lists as its shape has them.",
            "items": _any({"type": "number"}, _ref("numbers"), _ref("expression")),
            "minItems": 1,
            "maxItems": LITERAL_LIMIT,
        },
        "rule": {
            "description": "A function of torch.nn.init without its last underscore, a number, or literal values.",
            "anyOf": [
                {"type": "string", "enum": bare},
                {**_object(arguments), "minProperties": 1, "maxProperties": 1},
                {"type": "number"},
                {"$ref": "#/definitions/numbers"},
                {"$ref": "#/definitions/expression"},
            ],
        },
        "operation_init": of_operation,
        "file_init": _any(_ref("rule"), _object(by_operation), _NULL),
        "step_init": _any(_ref("rule"), of_step, _NULL),
    }


def _step() -> Schema:
    """A step: the bare word of an operation that needs no arguments, or one operation among its siblings."""
    operations = catalogue()
    bare = {name: operation for name, operation in operations.items() if not _required(operation)}
    fields = _fields(StepSection)
    fields["name"] = _any(_ref("name"), _NULL, like=fields["name"])
    references = {"type": "array", "items": _ref("reference"), "minItems": 1}
    mapping = {"type": "object", "additionalProperties": _ref("reference"), "minProperties": 1}
    fields["from"] = _any(_ref("reference"), references, mapping, like=fields["from"])
    times = {"type": "integer", "minimum": 0, "maximum": NODE_LIMIT}
    fields["repeat"] = _any(times, _ref("expression"), like=fields["repeat"])
    fields["init"] |= _ref("step_init")
    return {
        "description": "One step: an operation, alone or with its arguments and name, from, repeat, init.",
        "anyOf": [
            {
                "type": "string",
                "enum": list(bare),
                "enumDescriptions": [_first_line(operation) for operation in bare.values()],
            },
            {
                **_object({**{name: _ref(name) for name in operations}, **fields}),
                "oneOf": [{"required": [name]} for name in operations],
            },
        ],
    }


def _operation(operation: type[Op]) -> Schema:
    """The arguments of an operation; without required ones they may be left out."""
    arguments = _section(operation)
    for name, argument in arguments["properties"].items():
        argument["description"] = _explanation(operation, name)
    if not _required(operation):
        arguments["type"] = ["object", "null"]
    return {
        "title": operation.__name__,
        "description": _first_line(operation),
        "markdownDescription": _markdown(operation),
        **{key: value for key, value in arguments.items() if key != "description"},
    }


def _explanation(operation: type[Op], name: str) -> str:
    """What belongs into an argument, in a sentence."""
    expected = expected_by(operation, name) or "a value"
    text = expected[0].upper() + expected[1:]
    if name in INFERRED:
        return f"{text}. Inferred from the input; when written, it is held against it."
    default = operation.model_fields[name].default
    if default is PydanticUndefined:
        return f"{text}."
    return f"{text}; {json.dumps(short(default))} unless given."


def short(default: Any) -> Any:
    """A default as a user would write it: a pair of equal numbers is one number."""
    if isinstance(default, tuple):
        return default[0] if len(set(default)) == 1 else list(default)
    return to_jsonable_python(default)


def _section(model: type[BaseModel]) -> Schema:
    """The mapping that a model reads."""
    return {"description": _first_line(model), **_object(_fields(model), _required(model))}


def _required(model: type[BaseModel]) -> list[str]:
    """The keys of a model that must be given."""
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


def _fields(model: type[BaseModel]) -> dict[str, Schema]:
    """The schema of each key of a model, where every scalar may be an expression."""
    by_alias = {field.alias or name: field for name, field in model.model_fields.items()}
    fields = {}
    for name, written in model.model_json_schema(by_alias=True).get("properties", {}).items():
        default = by_alias[name].default
        field = _with_expressions(written) if model not in _LITERAL else _without_titles(written)
        field = {key: value for key, value in field.items() if key != "default"}
        if default is not PydanticUndefined and default is not None:
            field["default"] = short(default)
        fields[name] = field
    return fields


_LITERAL = (FileSection, StepSection)
"""Sections whose own keys are read as they are; expressions stand further inside."""


def _without_titles(written: Schema) -> Schema:
    return {key: value for key, value in written.items() if key != "title"}


def _with_expressions(written: Schema) -> Schema:
    """A field's schema in draft 7, where expressions may stand for it and for the items of its lists."""
    choices = [_choice(choice) for choice in written.get("anyOf", [written])]
    if {"type": "number"} in choices:
        choices = [choice for choice in choices if choice != {"type": "integer"}]
    plain = {key: written[key] for key in ("description",) if key in written}
    return {**plain, **_any(*choices, _ref("expression"))} if any(choices) else plain


def _choice(written: Schema) -> Schema:
    """One alternative of a field: a scalar, or a list of scalars."""
    kept = {key: value for key, value in written.items() if key not in ("title", "description", "default")}
    if kept.get("type") == "array":
        # Lists of fixed length are pairs here: both items are of one kind.
        inner = kept.pop("prefixItems", None)
        kept["items"] = _with_expressions(inner[0] if inner else kept["items"])
    return kept


def _first_line(model: type[BaseModel]) -> str:
    """The first line of a docstring."""
    return (model.__doc__ or "").strip().split("\n")[0]


def _markdown(operation: type[Op]) -> str:
    """An operation's docstring as Markdown: its sections as a list, and a link to PyTorch's own page."""
    text = "\n".join(line.strip() for line in (operation.__doc__ or "").strip().split("\n"))
    text = re.sub(r"([*_<\[\]])", r"\\\1", text)
    text = _SECTION.sub(lambda found: f"- **{found[1]}**: ", text)
    source = _TORCH.search(operation.__doc__ or "")
    if source is None:
        return text
    return f"{text}\n\n[{source[0]}](https://docs.pytorch.org/docs/stable/generated/{source[0]}.html)"
