"""Normalisation by the responses of neighbouring channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Float, PositiveInt
from netspec.ops.base import Demand, Op
from netspec.ops.broadcasting import need_held
from netspec.ops.faults import need_floating, need_rank
from netspec.ops.normalising import reshaped_as

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class LocalResponseNorm(Op):
    """Division by what the neighbouring channels hold at each position, (N, C, *) -> (N, C, *).

    x / (k + alpha / size * sum of x^2)^beta; the sum is over the `size` channels around each, of an even
    number one more before than after it.

    Source:  torch.nn.LocalResponseNorm; ONNX AveragePool-11 of the squares.
    Example: (N, 96, 55, 55) -> LocalResponseNorm: {size: 5} -> (N, 96, 55, 55)
    """

    size: PositiveInt
    alpha: Float = 1e-4
    beta: Float = 0.75
    k: Float = 1.0

    @property
    def writes_constants(self) -> bool:
        return True

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = "LocalResponseNorm"
        need_rank(op, x, tuple(range(3, max(x.rank, 3) + 1)), "(N, C, L), (N, C, H, W) or (N, C, …)")
        need_floating(op, x)
        for name in ("alpha", "beta", "k"):
            need_held(name, getattr(self, name), x.dtype)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.k)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # Not LRN: of an even size it counts one channel more after than before, and onnxruntime refuses it;
        # of an odd one onnxruntime adds and subtracts the squares of the channel that comes and of the one
        # that goes, so that behind a large channel the small ones are lost. This is faster too.
        dtype = graph.type(x).dtype
        rows = graph.node("Reshape", x, graph.constant([0, 0, -1], DType.INT64))
        channels = graph.constant([1], DType.INT64)
        image = graph.node("Unsqueeze", graph.node("Mul", rows, rows), channels)
        before, after = self.size // 2, (self.size - 1) // 2
        padded = graph.node("Pad", image, graph.constant([0, 0, before, 0, 0, 0, after, 0], DType.INT64))
        means = graph.node("AveragePool", padded, kernel_shape=[self.size, 1], count_include_pad=1)
        alpha, k = (graph.constant(number, dtype) for number in (self.alpha, self.k))
        scaled = graph.node("Mul", graph.node("Squeeze", means, channels), alpha)
        divisor = self._power(graph, graph.node("Add", scaled, k), dtype)
        return reshaped_as(graph, graph.node("Div", rows, divisor), x)

    def _power(self, graph: Emitter, base: str, dtype: DType) -> str:
        if self.beta != 0.75:
            return graph.node("Pow", base, graph.constant(self.beta, dtype))
        root = graph.node("Sqrt", base)  # two roots, which take half the time of a power
        return graph.node("Mul", root, graph.node("Sqrt", root))


OPERATIONS = (LocalResponseNorm,)
