"""What `check` found, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.diagnostics import Diagnostic
from netspec.display.limits import limits
from netspec.ir.graph import Graph


def checked_line(spec: str, graph: Graph) -> str:
    """One line for a spec that holds: how many layers, what goes in and out, what its dimensions need."""
    inputs = ", ".join(str(item.value.type) for item in graph.inputs)
    outputs = ", ".join(str(item.value.type) for item in graph.outputs)
    layers = "1 layer" if len(graph.nodes) == 1 else f"{len(graph.nodes):,} layers"
    needs = "; ".join(limits(graph.bounds))
    return f"{spec}: ok, {layers}, {inputs} -> {outputs}" + (f", {needs}" if needs else "")


def checked_json(spec: str, diagnostics: Sequence[Diagnostic], holds: bool) -> dict[str, Any]:
    """What was found in one spec, as data."""
    import json

    from netspec.diagnostics.render import render_json

    return {"file": spec, "ok": holds, "diagnostics": json.loads(render_json(diagnostics))}
