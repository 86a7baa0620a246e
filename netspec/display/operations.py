"""The catalogue for people and programs: a list, and one operation in full."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticUndefined

from netspec.diagnostics import spell
from netspec.language.validation import expected_by
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op


def first_line(operation: type[Op]) -> str:
    """The first line of an operation's docstring."""
    return (operation.__doc__ or "").strip().splitlines()[0]


def operation_json(operation: type[Op]) -> dict[str, Any]:
    """An operation as data: what it does, its inputs, and its arguments with their defaults."""
    arguments = []
    for name, field in operation.model_fields.items():
        argument: dict[str, Any] = {"name": name, "expects": expected_by(operation, name) or ""}
        argument["required"] = field.default is PydanticUndefined
        if not argument["required"]:
            argument["default"] = field.default
        arguments.append(argument)
    return {
        "name": operation.__name__,
        "summary": first_line(operation),
        "inputs": list(operation.arguments),
        "variadic": operation.variadic,
        "arguments": arguments,
        "documentation": _unindented(operation.__doc__ or ""),
    }


def operation_text(operation: type[Op]) -> str:
    """An operation in full: its docstring and its arguments."""
    lines = [operation.__name__, "", _unindented(operation.__doc__ or ""), ""]
    fields = operation.model_fields
    if fields:
        lines.append("Arguments")
        width = max(map(len, fields))
        for name, field in fields.items():
            required = field.default is PydanticUndefined
            default = "required" if required else f"default {spell(field.default)}"
            if not required and field.default is None:
                default = "inferred" if name in INFERRED else "default null"
            lines.append(f"  {name:{width}}  {expected_by(operation, name) or ''} ({default})")
    else:
        lines.append("It takes no arguments.")
    return "\n".join(lines)


def operations_text(operations: dict[str, type[Op]]) -> str:
    """All operations, one line each, cut to 79 columns."""
    width = max(map(len, operations))
    lines = []
    for name, operation in operations.items():
        line = f"{name:{width}}  {first_line(operation)}"
        lines.append(line if len(line) <= 79 else line[:78].rstrip() + "…")
    return "\n".join(lines)


def _unindented(text: str) -> str:
    """A docstring without the indentation of its class."""
    first, *rest = text.strip().splitlines()
    return "\n".join([first, *(line.removeprefix("    ") for line in rest)]).rstrip()
