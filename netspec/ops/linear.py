"""Linear maps of the last dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.ir.cost import Cost
from netspec.ir.tensor import TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, PositiveInt
from netspec.ops.base import Demand, Op, Weight
from netspec.ops.faults import as_declared, need_floating, need_number, need_rank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

FLATTEN_FIRST = "put AdaptiveAvgPool2d: {output_size: 1} and Flatten before it, or fix the input's size"


class Linear(Op):
    """Affine map of the last dimension, (*, in_features) -> (*, out_features).

    Shape:   all but the last dimension stay.
    Cost:    in_features multiply-adds per output element.
    Errors:  NS306 the last dimension is symbolic; NS305 in_features differs from it.
    Source:  torch.nn.Linear; ONNX Gemm-13 for (N, in_features), else MatMul-13 and Add-14.
    """

    in_features: PositiveInt | None = None
    out_features: PositiveInt
    bias: Bool = True

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("Linear", x, tuple(range(1, 9)), "a tensor (*, in_features)")
        need_floating("Linear", x)
        need_number("Linear", "input features", x.known[-1], x, FLATTEN_FIRST)
        yield from as_declared("in_features", self.in_features, x.known[-1], x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape((*x.known[:-1], self.out_features))

    def window(self, x: TensorType) -> Window | None:
        return None

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        features = x.known[-1]
        assert isinstance(features, int)
        weight = Weight("weight", (self.out_features, features), x.dtype)
        return (weight, Weight("bias", (self.out_features,), x.dtype)) if self.bias else (weight,)

    def cost(self, x: TensorType, y: TensorType) -> Cost:
        return Cost(macs=product(y.known) * x.known[-1])

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        features = x.known[-1]
        assert isinstance(features, int)
        return nn.Linear(features, self.out_features, bias=self.bias, dtype=torch_dtype(x.dtype))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        if graph.type(x).rank == 2:
            parameters = [weights["weight"], weights["bias"]] if self.bias else [weights["weight"]]
            return graph.node("Gemm", x, *parameters, transB=1)
        y = graph.node("MatMul", x, graph.node("Transpose", weights["weight"], perm=[1, 0]))
        return graph.node("Add", y, weights["bias"]) if self.bias else y


OPERATIONS = (Linear,)
