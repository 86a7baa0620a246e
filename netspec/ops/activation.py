"""Activations: functions of each element, and of one dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.ir.tensor import TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, Int
from netspec.ops.base import Demand, Op
from netspec.ops.faults import axis_of, need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Elementwise(Op):
    """What activations of each element share: the type stays, ONNX has one operator for it."""

    onnx_operator: ClassVar[str]

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating(type(self).__name__, x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, x)


class Sigmoid(Elementwise):
    """Logistic function 1 / (1 + exp(-x)) of each element, (*) -> (*).

    Source:  torch.nn.Sigmoid; ONNX Sigmoid-13.
    """

    onnx_operator = "Sigmoid"

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Sigmoid()


class Tanh(Elementwise):
    """Hyperbolic tangent of each element, (*) -> (*).

    Source:  torch.nn.Tanh; ONNX Tanh-13.
    """

    onnx_operator = "Tanh"

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Tanh()


class ReLU(Elementwise):
    """max(x, 0) of each element, (*) -> (*).

    `inplace` is taken and changes nothing: other layers may read the input too, so that it is not
    overwritten.

    Source:  torch.nn.ReLU; ONNX Relu-14.
    """

    onnx_operator = "Relu"

    inplace: Bool = False

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.ReLU()


class Normalised(Op):
    """What Softmax and LogSoftmax share: one dimension, whose elements come to share a sum."""

    onnx_operator: ClassVar[str]

    dim: Int | None = None

    def _axis(self, x: TensorType) -> int:
        """The dimension; left out it is torch's implicit one: 0 for 1 or 3 dimensions, else 1."""
        if self.dim is None:
            return 0 if x.rank in (1, 3) else 1
        return self.dim % x.rank

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating(type(self).__name__, x)
        if self.dim is not None:
            axis_of("dim", self.dim, x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        return None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, x, axis=self._axis(graph.type(x)))


class Softmax(Normalised):
    """exp(x) over its sum along `dim`, (*) -> (*).

    Errors:  NS307 dim is no dimension of the input.
    Source:  torch.nn.Softmax; ONNX Softmax-13.
    """

    onnx_operator = "Softmax"

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Softmax(dim=self._axis(x))


class LogSoftmax(Normalised):
    """Logarithm of the softmax along `dim`, (*) -> (*).

    Errors:  NS307 dim is no dimension of the input.
    Source:  torch.nn.LogSoftmax; ONNX LogSoftmax-13.
    """

    onnx_operator = "LogSoftmax"

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.LogSoftmax(dim=self._axis(x))


OPERATIONS = (Sigmoid, Tanh, ReLU, Softmax, LogSoftmax)
