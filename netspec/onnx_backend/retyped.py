"""A network in another element type: its spec rewritten, and its weights rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from netspec.ir.graph import Graph
from netspec.ir.tensor import DType
from netspec.onnx_backend.digest import Array
from netspec.ops.catalogue import find

DTYPE = "dtype"


def retyped_spec(resolved: Mapping[str, Any], dtype: DType) -> dict[str, Any]:
    """A resolved spec in which every float32, said or left unsaid, is of another type."""
    spec = {
        key: _steps(value, dtype) if key in ("layers", "blocks") else value for key, value in resolved.items()
    }
    spec["inputs"] = {name: _input(entry, dtype) for name, entry in resolved["inputs"].items()}
    return spec


def _input(entry: Any, dtype: DType) -> dict[str, Any]:
    section = dict(entry) if isinstance(entry, Mapping) else {"shape": entry}
    return section | {DTYPE: dtype.value} if section.get(DTYPE, DType.FLOAT32) == DType.FLOAT32 else section


def _steps(part: Any, dtype: DType) -> Any:
    """Steps at any depth: in blocks, branches, loops and conditions."""
    if isinstance(part, list):
        return [_steps(item, dtype) for item in part]
    if not isinstance(part, Mapping):
        return part
    return {key: _step(key, value, dtype) for key, value in part.items()}


def _step(key: str, value: Any, dtype: DType) -> Any:
    """One entry of a step: an operation that names its element type gets another, the others' follows."""
    op = find(key) if isinstance(value, Mapping) else None
    if op is None or DTYPE not in op.model_fields:
        return _steps(value, dtype)
    unsaid = op.model_fields[DTYPE].default
    if unsaid is None and _has_reals(value.get("value")):
        unsaid = DType.FLOAT32
    if value.get(DTYPE, unsaid) == DType.FLOAT32:
        return {**value, DTYPE: dtype.value}
    return dict(value)


def _has_reals(value: Any) -> bool:
    return any(map(_has_reals, value)) if isinstance(value, list | tuple) else isinstance(value, float)


def with_places_of(graph: Graph, original: Graph) -> Graph:
    """The same graph, its layers where they stand in the text that the other was read from."""
    spans = {node.name: node.span for node in original}
    return replace(
        graph,
        inputs=tuple(
            new._replace(span=old.span) for new, old in zip(graph.inputs, original.inputs, strict=True)
        ),
        nodes=tuple(node.but(span=spans[node.name]) for node in graph),
        outputs=tuple(
            new._replace(span=old.span) for new, old in zip(graph.outputs, original.outputs, strict=True)
        ),
    )


def rounded(weights: Mapping[str, Array], graph: Graph) -> dict[str, Array]:
    """Weights by name, each in the element type that the graph has for it, rounded to nearest even."""
    import ml_dtypes  # noqa: F401 - with it, numpy knows the name bfloat16

    types = {
        f"{node.name}.{weight.name}": weight.dtype
        for node in graph
        if node.shares is None
        for weight in node.op.weights(*node.input_types)
    }
    with np.errstate(over="ignore"):
        return {
            name: array.astype(str(types[name]), copy=False) if name in types else array
            for name, array in weights.items()
        }
