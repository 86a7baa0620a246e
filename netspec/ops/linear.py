"""Linear maps of the last dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, PositiveInt
from netspec.ops.base import Demand, Fault, Op, Same, Weight
from netspec.ops.broadcasting import need_one_type
from netspec.ops.faults import WrongRank, about, as_declared, need_floating, need_number, need_rank, told_of

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

FLATTEN_FIRST = "put AdaptiveAvgPool2d: {output_size: 1} and Flatten before it, or fix the input's size"


class UnequalBefore(Diagnostic):
    """Two inputs that must have the same shape but for the last dimension."""

    code = "NS378"
    message = (
        "Bilinear needs equal sizes but for the last dimension: {first} against {other}, "
        "dimension {axis} is {left} against {right}"
    )

    axis: int
    first: TensorType
    other: TensorType
    left: Size
    right: Size


class Linear(Op):
    """Affine map of the last dimension, (*, in_features) -> (*, out_features).

    Shape:   all but the last dimension stay.
    Cost:    in_features multiply-adds per output element.
    Errors:  NS306 the last dimension is symbolic; NS305 in_features differs from it.
    Source:  torch.nn.Linear; ONNX Gemm-13 for (N, in_features), there MatMul-13 where a BatchNorm1d follows
             in float32; else MatMul-13 and Add-14.
    Example: (N, 400) -> Linear: {out_features: 120} -> (N, 120)
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


class Bilinear(Op):
    """A bilinear form of two vectors an output, (*, in1_features), (*, in2_features) -> (*, out_features).

    y_o = x1^T weight_o x2 + bias_o.

    Shape:   all but the last dimension stay; they are the same in both inputs, and do not stretch.
    Cost:    in1_features * in2_features + in2_features multiply-adds per output element.
    Errors:  NS301 a single number, or inputs of two ranks; NS305 a feature count that differs from an
             input's; NS306 a symbolic last dimension; NS308 other element types; NS378 sizes that differ
             before the last dimension.
    Source:  torch.nn.Bilinear; ONNX MatMul-13.
    Example: (N, 64), (N, 32) -> Bilinear: {out_features: 16} -> (N, 16)
    """

    arguments = ("input1", "input2")

    in1_features: PositiveInt | None = None
    in2_features: PositiveInt | None = None
    out_features: PositiveInt
    bias: Bool = True

    def demands(self, x1: TensorType, x2: TensorType) -> Iterator[Demand]:
        need_rank("Bilinear", x1, tuple(range(1, 9)), "tensors (*, in1_features)")
        need_floating("Bilinear", x1)
        if x2.rank != x1.rank:
            expected = f"two tensors of as many dimensions; the first has {x1.rank}"
            raise Fault(WrongRank(op="Bilinear", expected=expected, got=x2), input=1)
        need_one_type("Bilinear", x1, x2)
        for number, (name, declared, x) in enumerate(
            (("in1_features", self.in1_features, x1), ("in2_features", self.in2_features, x2))
        ):
            with about(number):
                need_number("Bilinear", "input features", x.known[-1], x, FLATTEN_FIRST)
            yield from told_of(number, as_declared(name, declared, x.known[-1], x))
        for axis, (left, right) in enumerate(zip(x1.known[:-1], x2.known[:-1], strict=True)):
            fault = UnequalBefore(axis=axis, first=x1, other=x2, left=left, right=right)
            yield Same(left, right, Fault(fault, input=1))

    def infer(self, x1: TensorType, x2: TensorType) -> TensorType:
        return x1.with_shape((*x1.known[:-1], self.out_features))

    def window(self, x1: TensorType, x2: TensorType) -> Window | None:
        return None

    def _features(self, x1: TensorType, x2: TensorType) -> tuple[int, int]:
        first, second = x1.known[-1], x2.known[-1]
        assert isinstance(first, int)
        assert isinstance(second, int)
        return first, second

    def weights(self, x1: TensorType, x2: TensorType) -> tuple[Weight, ...]:
        weight = Weight("weight", (self.out_features, *self._features(x1, x2)), x1.dtype)
        return (weight, Weight("bias", (self.out_features,), x1.dtype)) if self.bias else (weight,)

    def cost(self, x1: TensorType, x2: TensorType, y: TensorType) -> Cost:
        first, second = self._features(x1, x2)
        return Cost(macs=product(y.known) * (first * second + second))

    def build(self, x1: TensorType, x2: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        features = self._features(x1, x2)
        return nn.Bilinear(*features, self.out_features, bias=self.bias, dtype=torch_dtype(x1.dtype))

    def lower(self, graph: Emitter, x1: str, x2: str, weights: Weights) -> str:
        first, second = self._features(graph.type(x1), graph.type(x2))
        rank = graph.type(x1).rank
        # (out, in1, in2) -> (in1, out * in2): one product with all outputs' matrices side by side.
        sides = graph.node("Transpose", weights["weight"], perm=[1, 0, 2])
        beside = graph.constant([first, self.out_features * second], DType.INT64)
        rows = graph.node("MatMul", x1, graph.node("Reshape", sides, beside))
        # (*, out * in2) -> (*, out, in2); a 0 keeps the dimension in its place.
        apart = graph.constant([0] * (rank - 1) + [self.out_features, second], DType.INT64)
        column = graph.node("Unsqueeze", x2, graph.constant([-1], DType.INT64))
        y = graph.node("MatMul", graph.node("Reshape", rows, apart), column)
        y = graph.node("Squeeze", y, graph.constant([-1], DType.INT64))
        return graph.node("Add", y, weights["bias"]) if self.bias else y


OPERATIONS: tuple[type[Op], ...] = (Linear, Bilinear)
