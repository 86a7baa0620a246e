"""How many examples a network takes at once."""

from __future__ import annotations

from netspec.ir.dim import Bounds, Dim
from netspec.ir.graph import Graph


def batch_bounds(graph: Graph) -> Bounds:
    """What the first dimension of the inputs may be: one number where it is fixed."""
    leading = [entry.value.type.known[0] for entry in graph.inputs]
    for size in leading:
        if isinstance(size, int):
            return Bounds(min=size, max=size)
    first = leading[0]
    return graph.bounds.get(str(first), Bounds()) if isinstance(first, Dim) else Bounds()
