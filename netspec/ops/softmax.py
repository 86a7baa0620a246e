"""Softmax and its relatives: one dimension, whose elements come to share a sum."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.ir.tensor import TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Int
from netspec.ops.base import Demand, Op
from netspec.ops.faults import IMAGES, axis_of, need_floating, need_rank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Shared(Op):
    """What all share: the type stays; along the channels, no element sees another position."""

    onnx_operator: ClassVar[str] = "Softmax"

    @abstractmethod
    def axis(self, x: TensorType) -> int:
        """The dimension whose elements share a sum."""

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        return () if self.axis(x) == 1 else None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, x, axis=self.axis(graph.type(x)))


class Along(Shared):
    """What those share that have the dimension as an argument."""

    dim: Int | None = None

    def axis(self, x: TensorType) -> int:
        """The dimension; left out it is torch's implicit one: 0 for 1 or 3 dimensions, else 1."""
        if self.dim is None:
            return 0 if x.rank in (1, 3) else 1
        return self.dim % x.rank

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating(type(self).__name__, x)
        if self.dim is not None:
            axis_of("dim", self.dim, x)
        yield from ()

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, type(self).__name__)(dim=self.axis(x))
        return module


class Softmax(Along):
    """exp(x) over its sum along `dim`, (*) -> (*).

    Errors:  NS307 dim is no dimension of the input.
    Source:  torch.nn.Softmax; ONNX Softmax-13.
    Example: (N, 10) -> Softmax: {dim: 1} -> (N, 10)
    """


class Softmin(Along):
    """exp(-x) over its sum along `dim`, (*) -> (*).

    Errors:  NS307 dim is no dimension of the input.
    Source:  torch.nn.Softmin; ONNX Softmax-13 of -x.
    Example: (N, 10) -> Softmin: {dim: 1} -> (N, 10)
    """

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Softmax", graph.node("Neg", x), axis=self.axis(graph.type(x)))


class LogSoftmax(Along):
    """Logarithm of the softmax along `dim`, (*) -> (*).

    Errors:  NS307 dim is no dimension of the input.
    Source:  torch.nn.LogSoftmax; ONNX LogSoftmax-13.
    Example: (N, 10) -> LogSoftmax: {dim: 1} -> (N, 10)
    """

    onnx_operator = "LogSoftmax"


class Softmax2d(Shared):
    """Softmax over the channels of every pixel, (N, C, H, W) -> (N, C, H, W).

    Source:  torch.nn.Softmax2d; ONNX Softmax-13.
    Example: (N, 21, H, W) -> Softmax2d -> (N, 21, H, W)
    """

    def axis(self, x: TensorType) -> int:
        """The channels."""
        return 1

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("Softmax2d", x, (4,), IMAGES)
        need_floating("Softmax2d", x)
        yield from ()

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Softmax2d()


OPERATIONS = (Softmax, Softmin, LogSoftmax, Softmax2d)
