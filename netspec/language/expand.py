"""A Graph back to a spec: flat, without blocks, loops and parameters, of which the same graph is made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netspec.ir.dim import Bounds, Dim
from netspec.ir.graph import Distribution, Graph, GraphInput, GraphOutput, InitRule, Node, Value, Values
from netspec.ir.tensor import DType
from netspec.language.sections import VERSION

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
"""Texts that need no quotes in YAML, unless they are one of its words."""

WORDS = frozenset({"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"})


def expand(graph: Graph) -> dict[str, Any]:
    """The spec of a graph as plain data: every layer a step of its own, under its name in the graph.

    What is made of it has the same names, weights and hash. Initialisation, preprocessing, labels, bounds of
    dimensions, shared and computed weights come along, and how it is trained.
    """
    spec: dict[str, Any] = {"netspec": VERSION, "name": graph.name}
    spec["inputs"] = {item.name: _input(item) for item in graph.inputs}
    dims = {name: limits for name, bounds in graph.bounds.items() if (limits := _limits(bounds))}
    if dims:
        spec["dims"] = dims
    spec["layers"] = list(_steps(graph)) or [{"Identity": {}, "if": False}]  # a spec has a step
    spec["outputs"] = {output.name: _output(output) for output in graph.outputs}
    if graph.training is not None:
        from netspec.language.training.writing import written

        spec["train"] = written(graph.training, graph.outputs[0].name)
    return spec


def _input(item: GraphInput) -> Any:
    shape = [size if isinstance(size, int) else str(size) for size in item.value.type.known]
    if item.value.type.dtype is DType.FLOAT32 and item.preprocess is None:
        return shape
    long: dict[str, Any] = {"shape": shape}
    if item.value.type.dtype is not DType.FLOAT32:
        long["dtype"] = item.value.type.dtype.value
    if item.preprocess is not None:
        rule = item.preprocess._asdict()
        long["preprocess"] = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in rule.items()
            if value is not None
        }
    return long


def _limits(bounds: Bounds) -> dict[str, int]:
    limits = {"min": bounds.min, "max": bounds.max, "multiple_of": bounds.multiple_of}
    return {key: value for key, value in limits.items() if value is not None and value != 1}


def _output(output: GraphOutput) -> Any:
    if output.labels is None:
        return output.value.name
    return {"from": output.value.name, "labels": list(output.labels)}


def _steps(graph: Graph) -> Iterator[Any]:
    previous: Value | None = graph.inputs[0].value if len(graph.inputs) == 1 else None
    for node in graph:
        step: dict[str, Any] = {type(node.op).__name__: _arguments(node)}
        step["name"] = node.name
        reads = _reads(node, previous)
        if reads is not None:
            step["from"] = reads
        if node.init:
            step["init"] = {name: _rule(rule) for name, rule in node.init.items()}
        if node.shares is not None:
            step["share"] = node.shares
        if node.parametrize:
            step["parametrize"] = {name: dict(arguments) for name, arguments in node.parametrize.items()}
        yield step
        previous = node.output


def _arguments(node: Node) -> dict[str, Any]:
    op = node.op
    written = op.model_dump(mode="json", exclude_defaults=True)
    return {name: _escaped(getattr(op, name), value) for name, value in written.items()}


def _escaped(value: Any, written: Any) -> Any:
    """An argument as a spec writes it: a compound size is an expression; dollars in a text are doubled."""
    if isinstance(value, Dim):
        text = str(value)
        return text if PLAIN.fullmatch(text) else re.sub(r"[A-Za-z_][A-Za-z0-9_]*", r"$\g<0>", text)
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, tuple) and isinstance(written, list):
        return [_escaped(*pair) for pair in zip(value, written, strict=True)]
    return written


def _reads(node: Node, previous: Value | None) -> Any:
    """What `from` must say; None where the step reads what is before it."""
    names = [value.name for value in node.inputs]
    if not names:
        return None
    if node.slots is not None:
        return dict(zip((node.op.arguments[slot] for slot in node.slots), names, strict=True))
    if len(names) == 1:
        return None if previous is not None and names[0] == previous.name else names[0]
    return names


def _rule(rule: InitRule) -> Any:
    if isinstance(rule, Distribution):
        return {rule.name: dict(rule.arguments)}
    assert isinstance(rule, Values)
    return _nested(rule.numbers, rule.shape)


def _nested(numbers: Sequence[float], shape: Sequence[int]) -> Any:
    if not shape:
        return numbers[0]
    step = len(numbers) // shape[0] if shape[0] else 0
    return [_nested(numbers[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def expanded_yaml(spec: Mapping[str, Any]) -> Iterator[str]:
    """The lines of an expanded spec as YAML, a step a paragraph of its own keys."""
    for key, value in spec.items():
        if key == "layers":
            yield "layers:"
            for step in value:
                yield from _yaml_step(step)
        elif isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {flow(name)}: {flow(item)}" for name, item in value.items())
        else:
            yield f"{key}: {flow(value)}"


def _yaml_step(step: Mapping[str, Any]) -> Iterator[str]:
    for number, (key, value) in enumerate(step.items()):
        bare = number == 0 and value == {}
        yield f"  {'- ' if number == 0 else '  '}{flow(key)}:" + ("" if bare else f" {flow(value)}")


def flow(value: Any) -> str:
    """A value in YAML's flow style, which for numbers and nested values is JSON's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value not in WORDS:
        return value
    return json.dumps(value)
