"""Smooth activations: those that bend everywhere, and those that let the input through a smooth gate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, Expected, Float, Int
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import axis_of, need_floating
from netspec.ops.unary import Activation, Divisor

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

SATURATED = 20  # beyond it, log(1 + exp(x)) is x to within 1e-10 of it, and its tanh is 1


class OddHalves(Diagnostic):
    """GLU splits a dimension into two halves."""

    code = "NS347"
    message = "GLU halves dimension {dim}, but its size is {size}: {input}"

    dim: int
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        if not isinstance(self.size, int):
            return ""  # a note says how to constrain it
        return "make that size even: the first half is multiplied by the sigmoid of the second"


class Sigmoid(Activation):
    """Logistic function 1 / (1 + exp(-x)) of each element, (*) -> (*).

    Source:  torch.nn.Sigmoid; ONNX Sigmoid-13.
    Example: (N, 64) -> Sigmoid -> (N, 64)
    """

    onnx_operator = "Sigmoid"


class LogSigmoid(Activation):
    """Logarithm of the logistic function, -log(1 + exp(-x)), of each element, (*) -> (*).

    Source:  torch.nn.LogSigmoid; ONNX Softplus-1 of -x, negated.
    Example: (N, 64) -> LogSigmoid -> (N, 64)
    """

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Neg", graph.node("Softplus", graph.node("Neg", x)))


class Tanh(Activation):
    """Hyperbolic tangent of each element, (*) -> (*).

    Source:  torch.nn.Tanh; ONNX Tanh-13.
    Example: (N, 64) -> Tanh -> (N, 64)
    """

    onnx_operator = "Tanh"


class Tanhshrink(Activation):
    """x - tanh(x) of each element, (*) -> (*).

    Source:  torch.nn.Tanhshrink; ONNX Tanh-13, Sub-14.
    Example: (N, 64) -> Tanhshrink -> (N, 64)
    """

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Sub", x, graph.node("Tanh", x))


class Softsign(Activation):
    """x / (1 + |x|) of each element, (*) -> (*).

    Source:  torch.nn.Softsign; ONNX Softsign-1.
    Example: (N, 64) -> Softsign -> (N, 64)
    """

    onnx_operator = "Softsign"


class Softplus(Activation):
    """log(1 + exp(beta x)) / beta of each element, (*) -> (*); x itself where beta x exceeds `threshold`.

    Source:  torch.nn.Softplus; ONNX Softplus-1, Where-16.
    Example: (N, 64) -> Softplus: {beta: 2.0} -> (N, 64)
    """

    beta: Divisor = 1.0
    threshold: Float = 20.0

    @property
    def writes_constants(self) -> bool:
        return True

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        beta = graph.constant(self.beta, dtype)
        scaled = x if self.beta == 1 else graph.node("Mul", x, beta)
        y = graph.node("Softplus", scaled)
        if self.beta != 1:
            y = graph.node("Div", y, beta)
        if self.threshold >= SATURATED and dtype is not DType.FLOAT64:
            return y
        linear = graph.node("Greater", scaled, graph.constant(self.threshold, dtype))
        return graph.node("Where", linear, x, y)


class SiLU(Activation):
    """x sigmoid(x) of each element, also called swish, (*) -> (*).

    Source:  torch.nn.SiLU; ONNX Sigmoid-13, Mul-14.
    Example: (N, 64, H, W) -> SiLU -> (N, 64, H, W)
    """

    inplace: Bool = False

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # Not Swish, which came with opset 24: onnxruntime fuses these two, and lacks it.
        return graph.node("Mul", x, graph.node("Sigmoid", x))


class Mish(Activation):
    """x tanh(log(1 + exp(x))) of each element, (*) -> (*).

    Source:  torch.nn.Mish; ONNX Exp-13, Div-14, Mul-14.
    Example: (N, 64, H, W) -> Mish -> (N, 64, H, W)
    """

    inplace: Bool = False

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # With u = exp(x), tanh(log(1 + u)) is n / (n + 2) of n = u (u + 2). It keeps a small u, which 1 + u
        # forgets, and runs five times as fast in onnxruntime as its Mish, from opset 18 on, or Softplus.
        dtype = graph.type(x).dtype
        if dtype is DType.FLOAT16:  # which u^2 would soon overflow
            return graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x)))
        two = graph.constant(2.0, dtype)
        u = graph.node("Exp", graph.node("Min", x, graph.constant(float(SATURATED), dtype)))
        n = graph.node("Mul", u, graph.node("Add", u, two))
        return graph.node("Mul", x, graph.node("Div", n, graph.node("Add", n, two)))


class GELU(Activation):
    """x P(X <= x) of each element, where X is distributed normally, (*) -> (*).

    With `approximate: tanh` it is x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Source:  torch.nn.GELU; ONNX Gelu-20, below it Erf-13 or Sigmoid-13.
    Example: (N, T, 768) -> GELU -> (N, T, 768)
    """

    approximate: Annotated[Literal["none", "tanh"], Expected("none or tanh")] = "none"

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # Of float64, onnxruntime makes this operator from constants in float32.
        if graph.opset >= 20 and graph.type(x).dtype is not DType.FLOAT64:
            return graph.node("Gelu", x, approximate=self.approximate)
        if self.approximate == "tanh":
            return self._by_sigmoid(graph, x)
        from netspec.onnx_backend.gelu import gelu_by_erf

        return gelu_by_erf(graph, x, graph.type(x).dtype, scalar=graph.type(x).rank == 0)

    def _by_sigmoid(self, graph: Emitter, x: str) -> str:
        """x sigmoid(2 z), since (1 + tanh(z)) / 2 is sigmoid(2 z); 2 z is x (a x^2 + b)."""
        dtype = graph.type(x).dtype
        b = math.sqrt(8 / math.pi)
        # As float64, cast in the file: the reference then computes with the numbers themselves.
        exact = (graph.constant(number, DType.FLOAT64) for number in (0.044715 * b, b))
        inner, outer = (graph.node("Cast", number, to=dtype) for number in exact)
        square = graph.node("Mul", x, x)
        factor = graph.node("Add", graph.node("Mul", square, inner), outer)
        return graph.node("Mul", x, graph.node("Sigmoid", graph.node("Mul", x, factor)))


class GLU(Op):
    """The first half of `dim` times the sigmoid of its second, (*, 2 D, *) -> (*, D, *).

    Errors:  NS307 dim is no dimension of the input; NS347 its size is odd.
    Source:  torch.nn.GLU; ONNX Split-18 or -13, Sigmoid-13, Mul-14.
    Example: (N, 128, L) -> GLU: {dim: 1} -> (N, 64, L)
    """

    dim: Int = -1

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating("GLU", x)
        axis = axis_of("dim", self.dim, x)
        size = x.known[axis]
        fault = OddHalves(dim=self.dim, size=size, input=x)
        yield Same(2 * (size // 2), size, Fault(fault, field="dim", input=0))

    def infer(self, x: TensorType) -> TensorType:
        shape = list(x.known)
        shape[self.dim] = shape[self.dim] // 2
        return x.with_shape(tuple(shape))

    def window(self, x: TensorType) -> Window | None:
        return () if self.dim % x.rank == 1 else None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.GLU(self.dim)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        axis = self.dim % graph.type(x).rank
        halves = {"num_outputs": 2} if graph.opset >= 18 else {}
        first, second = graph.nodes("Split", x, outputs=2, axis=axis, **halves)
        return graph.node("Mul", first, graph.node("Sigmoid", second))


OPERATIONS = (Sigmoid, LogSigmoid, Tanh, Tanhshrink, Softsign, Softplus, SiLU, Mish, GELU, GLU)
