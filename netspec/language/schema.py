"""The JSON Schema of a spec file, from the models and the catalogue: editors complete and check specs by it.

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

from netspec.language.calls import NODE_LIMIT
from netspec.language.distributions import DISTRIBUTIONS
from netspec.language.initialisation import LITERAL_LIMIT
from netspec.language.names import MODULE_ATTRIBUTES, NAME_LIMIT, PATTERN, RESERVED
from netspec.language.sections import (
    VERSION,
    DimSection,
    FileSection,
    InputSection,
    OutputSection,
    PreprocessSection,
)
from netspec.language.step_sections import CallSection
from netspec.language.validation import expected_by
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op
from netspec.ops.catalogue import catalogue

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
TITLE = "netspec spec"

EXPRESSION = r"(^|[^$])(\$\$)*\$([^$]|$)"
"""A scalar with a dollar that is not doubled; a doubled one is a literal dollar."""

WEIGHTS = {"weight": "How the weight is drawn.", "bias": "How the bias is drawn."}
"""Parameters that editors offer; the others of a layer are accepted too."""

PARAMETER = "^[a-z_][A-Za-z0-9_]*$"

_SECTION = re.compile(r"^(Shape|Evaluation|Cost|Ports|Errors|Source): +", re.MULTILINE)
_MARKS = re.compile(r"`[^`]*`|[*_<\[\]]")  # what Markdown would read as marks; code is left as it is
_TORCH = re.compile(r"torch(?:\.nn)?\.\w+")


def schema_text() -> str:
    """The schema as the file `netspec.schema.json` has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """The JSON Schema of a spec file."""
    file = _fields(FileSection)
    file["netspec"] = {"description": file["netspec"]["description"], "const": VERSION}
    file["name"] = _any(_ref("name"), _NULL, like=file["name"])
    file["inputs"] |= _named(_ref("input"), least=1)
    file["dims"] |= _named(_section(DimSection))
    file["params"] |= _named({"type": ["number", "boolean", "string", "array"]})
    file["init"] |= _rules()
    file["layers"] |= {"items": _ref("step"), "minItems": 1}
    by_name = _named(_any(_ref("reference"), _output()), least=1)
    listed = {"type": "array", "items": _ref("reference"), "minItems": 1, "uniqueItems": True}
    file["outputs"] = _any(listed, by_name, _NULL, like=file["outputs"])
    return {
        "$schema": DRAFT,
        "title": TITLE,
        **_object(file, _required(FileSection)),
        "definitions": {
            **_words(),
            "input": _input(),
            "step": _step(),
            "rule": _rule(),
            "numbers": _numbers(),
            "operation_init": _rules_of_an_operation(),
            **{name: _operation(operation) for name, operation in catalogue().items()},
        },
    }


_NULL: Schema = {"type": "null"}


def _ref(definition: str) -> Schema:
    """What `definitions` says under a name; draft 7 lets nothing else stand beside it."""
    return {"$ref": f"#/definitions/{definition}"}


def _any(*choices: Schema, like: Mapping[str, Any] | None = None) -> Schema:
    """One of several schemas, with the description and the default of `like`."""
    kept = {key: like[key] for key in ("description", "default") if key in like} if like else {}
    return {**kept, "anyOf": list(choices)}


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
    taken = "|".join(sorted({*keyword.kwlist, *MODULE_ATTRIBUTES, *RESERVED}))
    return {
        "name": {
            "type": "string",
            "description": "Letters, digits and underscores; no word of Python's, no attribute of nn.Module.",
            "maxLength": NAME_LIMIT,
            "allOf": [
                {
                    "pattern": f"^(?!__){PATTERN}$",
                    "errorMessage": "Names are made of letters, digits and underscores; no digit is first.",
                },
                {
                    "pattern": f"^(?!({taken})$)",
                    "errorMessage": "This name is taken by Python, by PyTorch's modules or by netspec.",
                },
            ],
        },
        "reference": {
            "type": "string",
            "description": "An earlier layer, an input, or prev; NAME.PORT is another output of a layer.",
            "pattern": rf"^{PATTERN}(\.[A-Za-z0-9_]+)*$",
            "errorMessage": "Write the name of an earlier layer or of an input, prev, or NAME.PORT.",
        },
        "expression": {
            "type": "string",
            "description": "An expression, in which $NAME is a parameter: $width * 2.",
            "pattern": EXPRESSION,
            "errorMessage": "This is neither what belongs here nor an expression, which has a $.",
        },
    }


def _input() -> Schema:
    """An input: its shape, or the long form."""
    long = _fields(InputSection)
    shape, expression = long["shape"]["anyOf"]
    size, *_ = shape["items"]["anyOf"]
    shape["items"] = _any(size, _ref("name"), expression)
    long["preprocess"] = _any(_section(PreprocessSection), _NULL, like=long["preprocess"])
    return {
        "description": "A shape such as [batch, 1, 28, 28], or a mapping with shape, dtype and preprocess.",
        "anyOf": [shape, _object(long, _required(InputSection)), expression],
    }


def _output() -> Schema:
    """An output in its long form."""
    fields = _fields(OutputSection)
    fields["from"] = _any(_ref("reference"), _ref("expression"), like=fields["from"])
    return {"description": _first_line(OutputSection), **_object(fields, _required(OutputSection))}


def _step() -> Schema:
    """A step: the bare word of an operation that needs no arguments, or one operation among its siblings."""
    operations = catalogue()
    bare = {name: operation for name, operation in operations.items() if not _required(operation)}
    fields = _fields(CallSection)
    fields["name"] = _any(_ref("name"), _NULL, like=fields["name"])
    several = {"type": "array", "items": _ref("reference"), "minItems": 1}
    by_argument = {"type": "object", "additionalProperties": _ref("reference"), "minProperties": 1}
    fields["from"] = _any(_ref("reference"), several, by_argument, like=fields["from"])
    times = {"type": "integer", "minimum": 0, "maximum": NODE_LIMIT}
    fields["repeat"] = _any(times, _ref("expression"), like=fields["repeat"])
    named = {
        "properties": {name: {"description": text, "allOf": [_ref("rule")]} for name, text in WEIGHTS.items()}
    }
    fields["init"] |= _rules({**named, "patternProperties": {PARAMETER: _ref("rule")}})
    one = "A step needs exactly one operation."
    return {
        "description": "One step: an operation, alone or with its arguments and name, from, repeat, init.",
        "anyOf": [
            {
                "enum": list(bare),
                "enumDescriptions": [_first_line(operation) for operation in bare.values()],
                "errorMessage": "A step is an operation: a word such as ReLU, or a mapping "
                "such as Conv2d: {out_channels: 8, kernel_size: 3}.",
            },
            {
                **_object({**{name: _ref(name) for name in operations}, **fields}),
                "oneOf": [{"required": [name], "errorMessage": one} for name in operations],
            },
        ],
    }


def _rules(of_parameters: Schema | None = None) -> Schema:
    """`init`: one rule for all, or rules by operation, and in a step by parameter."""
    rules = _object(dict.fromkeys(catalogue(), _ref("operation_init")))
    if of_parameters is not None:
        rules["properties"] = {**of_parameters["properties"], **rules["properties"]}
        rules["patternProperties"] = of_parameters["patternProperties"]
    return _any(_ref("rule"), rules, _NULL)


def _rules_of_an_operation() -> Schema:
    """One rule for an operation's weights, or rules by parameter."""
    by_parameter = {"type": "object", "additionalProperties": _ref("rule")}
    return _any(_ref("rule"), by_parameter)


def _rule() -> Schema:
    """One rule: a distribution, alone or with arguments, a number, or literal values."""
    bare = [name for name, model in DISTRIBUTIONS.items() if not _required(model)]
    arguments = {}
    for name, model in DISTRIBUTIONS.items():
        arguments[name] = _object(_fields(model), _required(model))
        if name in bare:
            arguments[name]["type"] = ["object", "null"]
    return {
        "description": "A function of torch.nn.init without its last underscore, or literal values.",
        "anyOf": [
            {"type": "string", "enum": bare},
            {**_object(arguments), "minProperties": 1, "maxProperties": 1},
            {"type": "number"},
            _ref("numbers"),
            _ref("expression"),
        ],
    }


def _numbers() -> Schema:
    """Literal values."""
    return {
        "type": "array",
        "description": "A number for each element of the parameter, in lists as its shape has them.",
        "items": _any({"type": "number"}, _ref("numbers"), _ref("expression")),
        "minItems": 1,
        "maxItems": LITERAL_LIMIT,
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
    """What belongs into an argument, and what it is when left out."""
    expected = expected_by(operation, name) or "a value"
    if name in INFERRED:
        return f"{expected}; inferred from the input, and held against it when written"
    default = operation.model_fields[name].default
    if default is PydanticUndefined:
        return f"{expected}; required"
    return f"{expected}; default {json.dumps(short(default))}"


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


_LITERAL = (FileSection, CallSection)
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
    text = _MARKS.sub(lambda found: found[0] if found[0].startswith("`") else "\\" + found[0], text)
    text = _SECTION.sub(lambda found: f"- **{found[1]}**: ", text)
    source = _TORCH.search(operation.__doc__ or "")
    if source is None:
        return text
    return f"{text}\n\n[{source[0]}](https://docs.pytorch.org/docs/stable/generated/{source[0]}.html)"
