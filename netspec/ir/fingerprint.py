"""Fingerprints of a spec and of a graph, so that weights and files can say what they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from netspec.ir.graph import Graph, Node, Value


def canonical_json(data: Any) -> str:
    """`data` as JSON on one line: ASCII, no spaces, keys in the order they have."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def spec_hash(resolved: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of a resolved spec's canonical JSON."""
    return sha256(canonical_json(resolved).encode("ascii")).hexdigest()


def graph_hash(graph: Graph) -> str:
    """SHA-256, in hex, of what a graph computes, names included and positions in the text excluded.

    Hashed is the canonical JSON of {"inputs": [[name, dtype, [size]]], "nodes": [[name, operation,
    arguments, [input], [output], …]], "outputs": [[name, value]]}, where nodes end in what few of them
    have: which inputs are given, whose weights they share, what these are computed by. Sizes are text,
    arguments those that differ from their defaults (so that an argument added to an operation later changes
    no hash), in order of their names. Initialisation, preprocessing, labels and the bounds of dimensions are
    not part of it.
    """

    def typed(value: Value) -> list[Any]:
        return [value.name, value.type.dtype.value, [str(size) for size in value.type.known]]

    structure = {
        "inputs": [typed(item.value) for item in graph.inputs],
        "nodes": [
            [
                node.name,
                type(node.op).__name__,
                dict(sorted(node.op.model_dump(mode="json", exclude_defaults=True).items())),
                [value.name for value in node.inputs],
                [value.name for value in node.outputs],
                *_beside(node),
            ]
            for node in graph.nodes
        ],
        "outputs": [[output.name, output.value.name] for output in graph.outputs],
    }
    return sha256(canonical_json(structure).encode("ascii")).hexdigest()


def _beside(node: Node) -> list[Any]:
    """What few nodes have; nothing for the others, so that their hash is what it always was."""
    beside = {
        "slots": node.slots and list(node.slots),
        "shares": node.shares,
        "parametrize": {name: dict(arguments) for name, arguments in node.parametrize.items()},
    }
    found = {key: value for key, value in beside.items() if value}
    return [found] if found else []
