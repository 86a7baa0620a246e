"""One operation, for people and programs: what it takes, gives and costs, an example, its ONNX operators."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from pydantic_core import PydanticUndefined

from netspec.analysis.table import size_json
from netspec.diagnostics import Diagnostic, DiagnosticError, spell
from netspec.display.documentation import Documentation, documentation
from netspec.display.examples import Example, example
from netspec.display.terminal import show_heading
from netspec.language.schema_forms import short
from netspec.language.validation import expected_by
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op

WIDTH = 79
ARGUMENTS, EXAMPLE, LOWERING = HEADINGS = ("Arguments", "Example", "Lowering of the example")

UNBROKEN = "\N{NO-BREAK SPACE}"

_SHAPE = re.compile(r"\([^()]{1,40}\)")


@dataclass(frozen=True)
class Described:
    """An operation with its documentation; `faults` say why its example is none."""

    operation: type[Op]
    origin: str  # which plugin it comes from; empty for the catalogue's own
    documentation: Documentation
    example: Example | None = None
    faults: tuple[Diagnostic, ...] = ()


def described(operation: type[Op], origin: str = "") -> Described:
    """Read an operation's docstring, and check its example."""
    told = documentation(operation)
    if "Example" not in told.sections:
        return Described(operation, origin, told)
    try:
        shown = example(operation.__name__, told.sections["Example"])
    except DiagnosticError as error:
        return Described(operation, origin, told, faults=error.diagnostics)
    return Described(operation, origin, told, shown)


def operation_json(operation: Described) -> dict[str, Any]:
    """An operation as data."""
    op, told = operation.operation, operation.documentation
    sections = told.sections
    return {
        "name": op.__name__,
        "origin": operation.origin or None,
        "summary": told.summary,
        "description": list(told.prose),
        "inputs": [
            {"name": name, "optional": number >= len(op.arguments) - op.optional, "repeated": op.variadic}
            for number, name in enumerate(op.arguments)
        ],
        "outputs": _outputs(operation),
        "shape": sections.get("Shape"),
        "evaluation": sections.get("Evaluation"),
        "cost": sections.get("Cost"),
        "errors": list(told.errors),
        "source": sections.get("Source"),
        "arguments": [_argument_json(op, name) for name in op.model_fields],
        "example": _example_json(operation.example, sections.get("Example")),
        "has_lowering": op.has_lowering(),
        "lowering": [
            {"opsets": [item.first, item.last], "operators": list(item.operators)}
            for item in (operation.example.lowering if operation.example else ())
        ],
    }


def _argument_json(op: type[Op], name: str) -> dict[str, Any]:
    default = op.model_fields[name].default
    argument = {"name": name, "expects": expected_by(op, name) or "", "inferred": name in INFERRED}
    if default is PydanticUndefined:
        return {**argument, "required": True}
    return {**argument, "required": False, "default": default}


def _example_json(shown: Example | None, text: str | None) -> dict[str, Any] | None:
    if shown is None:
        return None
    outputs = [
        {"port": port, "shape": [size_json(size) for size in type.known], "dtype": type.dtype.value}
        for port, type in shown.outputs
    ]
    return {"text": text, "spec": shown.spec, "outputs": outputs}


def operation_text(operation: Described) -> Iterator[str]:
    """The lines of all about an operation, in 79 columns; its name is the first of its headings."""
    op, told = operation.operation, operation.documentation
    yield from (op.__name__, "")
    for paragraph in filter(None, (told.summary, *told.prose)):
        yield from (*_wrapped(paragraph), "")
    yield from _beside(_facts(operation), 10)
    yield from ("", *_arguments(op))
    if operation.example is not None:
        yield from ("", EXAMPLE, *(f"  {line}" for line in operation.example.spec.splitlines()))
        yield from ("", LOWERING, *_lowering(operation.example))


def show_operation(operation: Described) -> None:
    """Print all about an operation."""
    for number, line in enumerate(operation_text(operation)):
        if number == 0 or line in HEADINGS:
            show_heading(line)
        else:
            print(line)


def _beside(entries: Iterable[tuple[str, str]], width: int, before: str = "") -> Iterator[str]:
    """Texts beside their labels, each wrapped below itself."""
    for label, text in entries:
        yield from _wrapped(text, f"{before}{label:{width}}")


def _wrapped(text: str, before: str = "") -> Iterator[str]:
    """The lines of a text, behind something that stands before the first; shapes are not broken."""
    whole = _SHAPE.sub(lambda shape: shape[0].replace(" ", UNBROKEN), text)
    lines = textwrap.wrap(whole, WIDTH, initial_indent=before, subsequent_indent=" " * len(before))
    return (line.replace(UNBROKEN, " ") for line in lines)


def _facts(operation: Described) -> Iterator[tuple[str, str]]:
    """What the operation takes and gives, and what the sections of its docstring say."""
    op, sections = operation.operation, operation.documentation.sections
    yield "From", operation.origin
    yield "Inputs", _inputs(op)
    yield "Outputs", _outputs(operation)
    yield "Shape", sections.get("Shape", "")
    yield "Evaluated", sections.get("Evaluation", "")
    yield "Cost", sections.get("Cost", "no multiply-adds" if op.cost is Op.cost else "")
    yield from zip(chain(["Errors"], repeat("")), operation.documentation.errors, strict=False)
    yield "Source", sections.get("Source", "")


def _inputs(op: type[Op]) -> str:
    if not op.arguments:
        return "none"
    needed = ", ".join(op.arguments[: len(op.arguments) - op.optional])
    if op.variadic:
        return f"{needed}, any number of them"
    return f"{needed}; {', '.join(op.arguments[-op.optional :])} may be left out" if op.optional else needed


def _outputs(operation: Described) -> str:
    """The ports, as the docstring says them; most operations have one."""
    one = "output" if operation.operation.ports is Op.ports else ""
    return operation.documentation.sections.get("Ports", one).rstrip(".")


def _arguments(op: type[Op]) -> Iterator[str]:
    fields = op.model_fields
    if not fields:
        yield "It takes no arguments."
        return
    yield ARGUMENTS
    entries = [(name, f"{expected_by(op, name) or 'a value'}; {_default(op, name)}") for name in fields]
    yield from _beside(entries, max(map(len, fields)) + 2, "  ")


def _default(op: type[Op], name: str) -> str:
    default = op.model_fields[name].default
    if default is PydanticUndefined:
        return "required"
    return "inferred from the input" if name in INFERRED else f"default {spell(short(default))}"


def _lowering(shown: Example) -> Iterator[str]:
    """The ONNX operators of an example's layer; one line for opsets in which they are the same."""
    if not shown.lowering:
        yield "  as torch's exporter writes it: the operation has no lowering of its own"
    opsets = [
        f"opset {first} to {last}" if first < last else f"opset {last}" for first, last, _ in shown.lowering
    ]
    written = [_counted(item.operators) or "no operator" for item in shown.lowering]
    yield from _beside(zip(opsets, written, strict=True), max(map(len, opsets), default=0) + 2, "  ")


def _counted(operators: Sequence[str]) -> str:
    """Operators in the order in which they first stand, with how many there are of each."""
    return ", ".join(f"{name} x{count}" if count > 1 else name for name, count in Counter(operators).items())
