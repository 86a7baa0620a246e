"""How far rounding alone can carry a network: float64 with every layer's result moved as an engine may.

torch in float32 is one engine and rounds in one way. A network that multiplies what it is off by, such as
untrained normalisations in a row with a Sigmoid far out between them, is now and then ten or a thousand times
further off in another engine that is as right. So a case that is over its bound is run again in float64, many
times, each layer's result moved at random by what a single layer may be off by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from netspec.ir.graph import Graph, Value
from netspec.verify.decisions import Answer
from netspec.verify.inputs import Batch
from netspec.verify.oracle import Oracle
from netspec.verify.tolerance import Array, allowance, rounding

STRENGTHS = (1 / 8, 1 / 4, 1 / 2, 1)
"""Parts of what a layer may be off by, tried from the least: the bound gets no wider than it must be."""
DRAWS = 8
"""With each. Untrained EfficientNet on inputs of 1000 goes as far as onnxruntime did in one draw of five."""

LOOKS = [strength for strength in STRENGTHS for _ in range(DRAWS)]


class Rerounding:
    """The network in float64 on the weights that are verified, its layers moved; made when it is needed."""

    def __init__(
        self,
        graph: Graph,
        parameters: Mapping[str, Array],
        progress: Callable[[str, float], None] | None = None,
    ) -> None:
        self._graph = graph
        self._parameters = parameters
        self._progress = progress
        self._oracle: Oracle | None = None

    def reach(self, batch: Batch, exact: Answer, position: int, units: float, wanted: float) -> float:
        """How far the output at `position` was seen to move; no further looks are taken from `wanted` on.

        `units` are the unit roundoffs of a layer's largest value that the layer may be off by.
        """
        oracle = self._loaded()
        feeds = [batch.feeds[entry.name] for entry in self._graph.inputs]
        y, furthest = exact.outputs[position], 0.0
        with oracle.exactly():
            for seed, strength in enumerate(LOOKS):
                if self._progress:
                    self._progress("PyTorch in float64, rounded otherwise", seed / len(LOOKS))
                with oracle.changed(_Mover(strength * units, seed)):
                    moved = oracle.run_exact(feeds).outputs[position]
                furthest = max(furthest, rounding(moved, moved, y).error)
                if furthest >= wanted:
                    break
        return furthest

    def _loaded(self) -> Oracle:
        if self._oracle is None:
            self._oracle = Oracle(self._graph)
            self._oracle.load(self._parameters)
        return self._oracle


class _Mover:
    """Moves layer after layer, by up to so many unit roundoffs."""

    def __init__(self, units: float, seed: int) -> None:
        self._units = units
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, value: Value, tensor: Tensor) -> Tensor:
        return _moved(tensor, allowance(value.type.dtype, self._units), self._generator)


def _moved(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """Each element moved by up to a part of the largest of its plane; without planes, of its sample.

    A sample is a row of the first axis, a plane what lies behind the first two, as a channel of an image.
    """
    finite = torch.where(torch.isfinite(x), x.abs(), 0.0)
    first = 2 if math.prod(x.shape[2:]) > 1 else 1
    axes = tuple(range(first, x.ndim))
    largest = finite.amax(axes, keepdim=True) if axes and x.numel() else finite
    return x + part * largest * (2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1)
