"""The JSON Schema of a spec file, from the models and the catalogue: editors complete and check specs by it.

Draft 7, the one that editors know best. It says what can be said without reading expressions and shapes;
`netspec check` says the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from netspec.language.blocks import TYPE_WORDS
from netspec.language.schema_forms import (
    NULL,
    Schema,
    either,
    fields,
    first_line,
    listed,
    mapping,
    named,
    ref,
    required,
    section,
    words,
)
from netspec.language.schema_operations import operations
from netspec.language.schema_steps import steps
from netspec.language.schema_training import training
from netspec.language.sections import (
    VERSION,
    BlockSection,
    DimSection,
    FileSection,
    InputSection,
    LibrarySection,
    OutputSection,
    PreprocessSection,
)

DRAFT = "http://json-schema.org/draft-07/schema#"
TITLE = "netspec spec"
WIDTH = 110  # of the file's lines, where what stands on one can be broken

PLAIN: Schema = {"type": ["number", "boolean", "string", "array"]}
"""The value of a parameter of a file."""


def schema_text() -> str:
    """The schema as the file `netspec.schema.json` has it."""
    return "\n".join(_lines(schema(), "", "")) + "\n"


def _lines(value: Any, before: str, indent: str) -> Iterator[str]:
    """JSON in which a mapping or list stands on one line where it fits."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(before) + len(flat) < WIDTH or not isinstance(value, dict | list) or not value:
        yield indent + before + flat
        return
    is_list = isinstance(value, list)
    parts = (
        [("", item) for item in value] if is_list else [(f"{json.dumps(key)}: ", value[key]) for key in value]
    )
    yield indent + before + ("[" if is_list else "{")
    for number, (key, item) in enumerate(parts, 1):
        *others, last = _lines(item, key, indent + "  ")
        yield from others
        yield last + ("," if number < len(parts) else "")
    yield indent + ("]" if is_list else "}")


def schema() -> Schema:
    """The JSON Schema of a spec file, or of a file of blocks alone, which others use."""
    file = fields(FileSection)
    capital = {"pattern": "^[A-Z]", "errorMessage": "The name of a block begins with a capital."}
    file["netspec"] = {"description": file["netspec"]["description"], "const": VERSION}
    file["name"] = either(ref("name"), NULL, like=file["name"])
    file["inputs"] |= named(ref("input"), least=1)
    file["dims"] |= named(section(DimSection))
    file["params"] |= named(PLAIN)
    file["variants"] |= named(named(PLAIN))
    file["blocks"] |= {
        "type": "object",
        "propertyNames": {"allOf": [ref("name"), capital, ref("no_operation")]},
        "additionalProperties": ref("block"),
    }
    file["init"] = either(ref("init"), NULL, like=file["init"])
    file["layers"] |= listed(ref("step"), least=1)
    by_name = named(either(ref("reference"), ref("output")), least=1)
    file["outputs"] = either(_listed_outputs(), by_name, NULL, like=file["outputs"])
    of_operations = operations()
    file["train"] = either(ref("train"), like=file["train"])
    return {
        "$schema": DRAFT,
        "title": TITLE,
        **mapping(file, ["netspec"]),
        "allOf": [_needs(), _knows()],
        "definitions": {
            **words(),
            "input": _input(),
            "output": _output(),
            "block": _block(),
            **steps(),
            **training(of_operations),
            **of_operations,
        },
    }


def _needs() -> Schema:
    """A spec has inputs and layers, a file of blocks neither."""
    alone = {"required": ["blocks"], "not": {"anyOf": [{"required": ["inputs"]}, {"required": ["layers"]}]}}
    return {
        "if": alone,
        "then": {"propertyNames": {"enum": list(fields(LibrarySection))}},
        "else": {"required": required(FileSection)},
    }


def _knows() -> Schema:
    """Where there are no blocks, every step is an operation of the catalogue."""
    return {
        "if": {"not": {"anyOf": [{"required": ["blocks"]}, {"required": ["use"]}]}},
        "then": {"properties": {"layers": ref("known_steps")}},
    }


def _input() -> Schema:
    """An input: its shape, or the long form."""
    long = fields(InputSection)
    shape, expression = long["shape"]["anyOf"]
    size, *_ = shape["items"]["anyOf"]
    shape["items"] = either(size, ref("name"), expression)
    long["preprocess"] = either(section(PreprocessSection), NULL, like=long["preprocess"])
    return {
        "description": "A shape such as [batch, 1, 28, 28], or a mapping with shape, dtype and preprocess.",
        "anyOf": [shape, mapping(long, required(InputSection)), expression],
    }


def _output() -> Schema:
    """An output of the file in its long form."""
    long = fields(OutputSection)
    long["from"] = either(ref("reference"), ref("expression"), like=long["from"])
    return {"description": first_line(OutputSection), **mapping(long, required(OutputSection))}


def _listed_outputs() -> Schema:
    return {**listed(ref("reference"), least=1), "uniqueItems": True}


def _block() -> Schema:
    """A block."""
    its = fields(BlockSection)
    words = {
        "enum": list(TYPE_WORDS),
        "enumDescriptions": [f"Required: {text}." for text in TYPE_WORDS.values()],
    }
    its["params"] |= named(either(words, {}))
    its["inputs"] = either(listed(ref("name")), NULL, like=its["inputs"])
    its["layers"] |= listed(ref("step"))
    its["outputs"] = either(_listed_outputs(), named(ref("reference"), 1), NULL, like=its["outputs"])
    return {"description": first_line(BlockSection), **mapping(its, required(BlockSection))}
