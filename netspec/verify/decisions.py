"""Outputs that are decided by comparing real numbers: indices and truth values.

Two engines that round differently may select either of two maxima that are equal but for their rounding.
Such an output is judged by what it decides between: the tensors that its layer compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from netspec.ir.graph import Graph, Node, Value
from netspec.ops.base import Compared, Indexed
from netspec.torch_backend.dtypes import array_of
from netspec.verify.tolerance import Array, Mask


class Answer(NamedTuple):
    """What PyTorch gives for one batch: the outputs, and for those that are decided what decides them.

    `operands` holds by the output's name the tensors that its layer compares, one or two.
    """

    outputs: list[Array]
    operands: Mapping[str, tuple[Array, ...]]


@dataclass(frozen=True)
class Decided:
    """An output of the graph that a layer decides by comparing `operands`."""

    node: Node
    rule: Indexed | Compared
    operands: tuple[Value, ...]
    places: tuple[int, ...]
    """Which of the layer's inputs the operands are."""
    rounded: tuple[bool, ...]
    """Whether an operand can differ between engines: not if it is an input of the graph, or of integers."""

    def slack(self, bounds: Sequence[float]) -> float:
        """How far apart operands may be that either engine takes for equal, where `bounds` says how far off
        each of them may be."""
        granted = [bound if rounded else 0.0 for bound, rounded in zip(bounds, self.rounded, strict=True)]
        # An index compares elements of one tensor, each of them off by its bound.
        return 2 * granted[0] if isinstance(self.rule, Indexed) else sum(granted)

    def excused(self, got: Array, exact: Array, operands: Sequence[Array], slack: float) -> Mask:
        """Where an output may differ from the exact one since what it decides between is that close."""
        if isinstance(self.rule, Indexed):
            return _same_value(got, exact, operands[0], self.rule.axes, slack)
        right = operands[1] if self.rule.right is not None else self.rule.number
        with np.errstate(invalid="ignore"):
            close = np.abs(np.subtract(operands[0], right, dtype=np.float64)) <= slack
        return np.broadcast_to(close & (slack > 0), got.shape)


def _same_value(got: Array, exact: Array, source: Array, axes: Sequence[int], slack: float) -> Mask:
    """Where two indices point at values that are `slack` or less apart."""
    behind = range(-len(axes), 0)
    elements = np.moveaxis(source, axes, behind)
    elements = elements.reshape(*elements.shape[: -len(axes)], -1)
    count = elements.shape[-1]

    def along(indices: Array) -> Array:
        """(..., n) of the indices, aligned with (..., count) of the elements."""
        if indices.ndim < source.ndim:
            return indices[..., np.newaxis]
        moved = np.moveaxis(indices, axes, behind)
        return moved.reshape(*elements.shape[:-1], -1)

    ours, theirs = along(got), along(exact)
    within = (ours >= 0) & (ours < count)
    values = [np.take_along_axis(elements, np.where(within, i, theirs), axis=-1) for i in (ours, theirs)]
    with np.errstate(invalid="ignore"):
        close = within & (np.abs(values[0] - values[1]) <= slack)
    if got.ndim < source.ndim:
        return np.asarray(close[..., 0])
    sizes = [got.shape[axis] for axis in axes]
    return np.moveaxis(close.reshape(*elements.shape[:-1], *sizes), behind, axes)


def decided_outputs(graph: Graph) -> dict[str, Decided]:
    """The outputs of the graph that layers decide, by name."""
    fixed = {entry.name for entry in graph.inputs}
    found: dict[str, Decided] = {}
    for node in graph:
        for port, value in enumerate(node.outputs):
            rule = None if value.type.dtype.is_floating else node.op.decides(port, *node.input_types)
            if rule is None:
                continue
            places = _operands(rule)
            arguments = node.arranged(node.inputs, None)
            operands = tuple(entry for entry in (arguments[place] for place in places) if entry is not None)
            rounded = tuple(entry.type.dtype.is_floating and entry.name not in fixed for entry in operands)
            decided = Decided(node, rule, operands, places, rounded)
            found |= {output.name: decided for output in graph.outputs if output.value.name == value.name}
    return found


def _operands(rule: Indexed | Compared) -> tuple[int, ...]:
    if isinstance(rule, Indexed):
        return (rule.input,)
    return (rule.left,) if rule.right is None else (rule.left, rule.right)


class Watch:
    """Keeps what the layers that decide outputs compare, while a module runs."""

    def __init__(self, graph: Graph, module: nn.Module) -> None:
        self._decided = decided_outputs(graph)
        known = dict(module.named_modules())
        self._seen: dict[str, list[tuple[Any, ...]]] = {}
        # Layers that share a module call it in the order of the graph.
        self._calls: dict[str, list[str]] = {}
        for node in graph:
            self._calls.setdefault(node.owner, []).append(node.name)
        for owner in {entry.node.owner for entry in self._decided.values()}:
            known[owner].register_forward_pre_hook(self._keep(owner))

    def _keep(self, owner: str) -> Any:
        def hook(_: nn.Module, tensors: tuple[Any, ...]) -> None:
            self._seen.setdefault(owner, []).append(tensors)

        return hook

    def clear(self) -> None:
        """Forget the last run."""
        self._seen.clear()

    def taken(self) -> dict[str, tuple[Array, ...]]:
        """What decided each output in the last run, by the output's name."""
        taken: dict[str, tuple[Array, ...]] = {}
        for output, entry in self._decided.items():
            call = self._calls[entry.node.owner].index(entry.node.name)
            tensors: tuple[Tensor, ...] = self._seen[entry.node.owner][call]
            taken[output] = tuple(array_of(tensors[place].detach()) for place in entry.places)
        return taken
