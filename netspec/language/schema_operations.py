"""The arguments of every operation as JSON Schemas; what many of them have in common is said once."""

from __future__ import annotations

import json
import re
from collections import defaultdict

from pydantic_core import PydanticUndefined

from netspec.language.schema_forms import (
    NULL,
    Schema,
    either,
    fields,
    first_line,
    mapping,
    ref,
    required,
    short,
)
from netspec.language.validation import expected_by
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op
from netspec.ops.catalogue import catalogue

_SECTION = re.compile(r"^(Shape|Evaluation|Cost|Ports|Errors|Source): +", re.MULTILINE)
_MARKS = re.compile(r"`[^`]*`|[*_<\[\]]")  # what Markdown would read as marks; code is left as it is
_TORCH = re.compile(r"torch(?:\.nn)?\.\w+")

WORD: Schema = {"type": "string"}
"""What pydantic says of a size that may be a symbolic dimension."""


def operations() -> dict[str, Schema]:
    """The definition of each operation, and before them the kinds of arguments that several take."""
    arguments = {name: fields(operation) for name, operation in catalogue().items()}
    kinds = _kinds(arguments)
    names = {json.dumps(kind): name for name, kind in kinds.items()}
    found = dict(kinds)
    for name, operation in catalogue().items():
        found[name] = _operation(operation, arguments[name], names)
    return found


def _kinds(arguments: dict[str, dict[str, Schema]]) -> dict[str, Schema]:
    """What several arguments take, named after the words by which messages call it."""
    texts: dict[str, list[str]] = defaultdict(list)
    for operation, its in arguments.items():
        for name, written in its.items():
            kind = json.dumps(_kind(written))
            texts[kind].append(expected_by(catalogue()[operation], name) or name)
    kinds: dict[str, Schema] = {}
    for kind, called in texts.items():
        if len(called) > 1:
            words = re.findall(r"[A-Za-z0-9]+", min(called, key=len).lower())
            own = "_".join(words[1:] if words[0] in ("a", "an") else words)
            while own in kinds:
                own += "_too"
            kinds[own] = json.loads(kind)
    return kinds


def _kind(written: Schema) -> Schema:
    """What an argument takes beside null."""
    return either(*(_symbolic(choice) for choice in written["anyOf"] if choice != NULL))


def _symbolic(choice: Schema) -> Schema:
    """One alternative, in which a word without a meaning of its own is the name of a dimension."""
    if choice == WORD:
        return ref("name")
    if choice.get("type") == "array" and choice["items"]:
        return {**choice, "items": either(*map(_symbolic, choice["items"]["anyOf"]))}
    return choice


def _operation(operation: type[Op], arguments: dict[str, Schema], kinds: dict[str, str]) -> Schema:
    """The arguments of an operation; without required ones they may be left out."""
    properties = {}
    for name, written in arguments.items():
        kind = _kind(written)
        shared = kinds.get(json.dumps(kind))
        choices = [ref(shared)] if shared else kind["anyOf"]
        nothing = [NULL] if NULL in written["anyOf"] else []
        explained = {**written, "description": _explanation(operation, name)}
        properties[name] = either(*choices, *nothing, like=explained)
    whole = mapping(properties, required(operation))
    if not required(operation):
        whole["type"] = ["object", "null"]
    return {
        "title": operation.__name__,
        "description": first_line(operation),
        "markdownDescription": _markdown(operation),
        **whole,
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


def _markdown(operation: type[Op]) -> str:
    """An operation's docstring as Markdown: its sections as a list, and a link to PyTorch's own page."""
    text = "\n".join(line.strip() for line in (operation.__doc__ or "").strip().split("\n"))
    text = _MARKS.sub(lambda found: found[0] if found[0].startswith("`") else "\\" + found[0], text)
    text = _SECTION.sub(lambda found: f"- **{found[1]}**: ", text)
    source = _TORCH.search(operation.__doc__ or "")
    if source is None:
        return text
    return f"{text}\n\n[{source[0]}](https://docs.pytorch.org/docs/stable/generated/{source[0]}.html)"
