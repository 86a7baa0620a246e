"""What activations of each element share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator

from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Expected
from netspec.ops.base import Demand, Op
from netspec.ops.broadcasting import need_held
from netspec.ops.faults import need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

LEAST_NORMAL = 2.0**-126  # of float32: whose inverse it can hold too


def _divides(number: float) -> float:
    if abs(number) < LEAST_NORMAL:
        raise ValueError("not a divisor")
    return number


Divisor = Annotated[float, AfterValidator(_divides), Expected("a number other than 0")]


class Pointwise(Op):
    """A function of each element: the type stays.

    The torch module bears the operation's name and has its arguments, but for `inplace`, which is taken and
    changes nothing: other layers may read the input too, so that it is not overwritten.
    """

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating(type(self).__name__, x)
        for name, value in self._arguments().items():
            if isinstance(value, float):
                need_held(name, value, x.dtype)
        yield from ()

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields if name != "inplace"}

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, type(self).__name__)(**self._arguments())
        return module


class Activation(Pointwise):
    """A function of each element that ONNX has as one operator, unless a subclass says otherwise."""

    onnx_operator: ClassVar[str]

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, x)
