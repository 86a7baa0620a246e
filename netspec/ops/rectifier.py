"""Rectifiers: activations that pass what is positive and damp what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Bool, Float, PositiveInt
from netspec.ops.base import Demand, Fault, Same, Weight
from netspec.ops.unary import Activation, Divisor, Pointwise

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class SlopesDoNotFit(Diagnostic):
    """PReLU has one slope for all channels, or one a channel."""

    code = "NS346"
    message = "PReLU has {slopes} slopes, but the input has {channel_words}: {input}"

    slopes: int
    channels: Size
    input: TensorType

    @property
    def channel_words(self) -> str:
        return "1 channel" if self.channels == 1 else f"{self.channels} channels"

    @property
    def help(self) -> str:
        if self.channels == 1:
            return "leave num_parameters out: there is one channel"
        if isinstance(self.channels, int):
            return "num_parameters: {channels} gives each channel its slope, num_parameters: 1 all the same"
        return "give that dimension of the input a number, or all channels one slope: num_parameters: 1"


class SlopesOfNothing(Diagnostic):
    """The bounds of RReLU's slope are swapped."""

    code = "NS349"
    message = "RReLU draws its slope from lower: {lower} to upper: {upper}, between which there is nothing"

    lower: float
    upper: float

    @property
    def help(self) -> str:
        return "lower must not exceed upper"


class ReLU(Activation):
    """max(x, 0) of each element, (*) -> (*).

    Source:  torch.nn.ReLU; ONNX Relu-14.
    Example: (N, 64, H, W) -> ReLU -> (N, 64, H, W)
    """

    onnx_operator = "Relu"

    inplace: Bool = False


class LeakyReLU(Activation):
    """x of each element that is positive, negative_slope x of the others, (*) -> (*).

    Source:  torch.nn.LeakyReLU; ONNX LeakyRelu-16.
    Example: (N, 64, H, W) -> LeakyReLU: {negative_slope: 0.2} -> (N, 64, H, W)
    """

    negative_slope: Float = 0.01
    inplace: Bool = False

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("LeakyRelu", x, alpha=self.negative_slope)


class PReLU(Activation):
    """x of each element that is positive, a learned slope times x of the others, (N, C, *) -> (N, C, *).

    `num_parameters` is 1, which is one slope for all, or C, one a channel; each begins as `init`.

    Errors:  NS346 num_parameters is neither 1 nor C.
    Source:  torch.nn.PReLU; ONNX PRelu-16.
    Example: (N, 64, H, W) -> PReLU: {num_parameters: 64} -> (N, 64, H, W)
    """

    num_parameters: PositiveInt = 1
    init: Float = 0.25

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        if self.num_parameters == 1:
            return
        # Of one vector alone torch takes every element for the same channel.
        channels = x.known[1] if x.rank > 1 else 1
        fault = SlopesDoNotFit(slopes=self.num_parameters, channels=channels, input=x)
        yield Same(self.num_parameters, channels, Fault(fault, field="num_parameters", input=0))

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        return (Weight("weight", (self.num_parameters,), x.dtype),)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        return nn.PReLU(self.num_parameters, self.init, dtype=torch_dtype(x.dtype))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        slope, rank = weights["weight"], graph.type(x).rank
        if self.num_parameters > 1 and rank > 2:
            per_channel = graph.constant([-1] + [1] * (rank - 2), DType.INT64)
            slope = graph.node("Reshape", slope, per_channel)
        return graph.node("PRelu", x, slope)


class RReLU(Pointwise):
    """x of each element that is positive, a slope times x of the others, (*) -> (*).

    In training every element draws its slope between `lower` and `upper`; in evaluation it is their mean.

    Errors:  NS349 lower exceeds upper.
    Source:  torch.nn.RReLU; ONNX LeakyRelu-16.
    Example: (N, 64, H, W) -> RReLU -> (N, 64, H, W)
    """

    lower: Float = 0.125  # type: ignore[misc, assignment] # torch's name for it; `emit` lowers
    upper: Float = 0.3333333333333333
    inplace: Bool = False

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        if self.lower > self.upper:
            yield Fault(SlopesOfNothing(lower=self.lower, upper=self.upper), field="lower")

    @property
    def _slope(self) -> float:
        return (self.lower + self.upper) / 2

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any]:
        from netspec.torch_backend.rounded import leaky_relu

        return leaky_relu(self._slope)  # the mean is rounded, where torch takes the mean of rounded bounds

    def emit(self, graph: Emitter, *inputs: str, weights: Weights) -> str:
        return graph.node("LeakyRelu", *inputs, alpha=self._slope)


class ELU(Activation):
    """x of each element that is positive, alpha (exp(x) - 1) of the others, (*) -> (*).

    Source:  torch.nn.ELU; ONNX Elu-6.
    Example: (N, 64) -> ELU: {alpha: 0.5} -> (N, 64)
    """

    alpha: Float = 1.0
    inplace: Bool = False

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Elu", x, alpha=self.alpha)


class CELU(Activation):
    """x of each element that is positive, alpha (exp(x / alpha) - 1) of the others, (*) -> (*).

    Source:  torch.nn.CELU; ONNX Celu-12, which takes float32 only; for others Exp-13.
    Example: (N, 64) -> CELU: {alpha: 2.0} -> (N, 64)
    """

    alpha: Divisor = 1.0
    inplace: Bool = False

    @property
    def writes_constants(self) -> bool:
        return True

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        if dtype is DType.FLOAT32:
            return graph.node("Celu", x, alpha=self.alpha)
        alpha, zero, one = (graph.constant(number, dtype) for number in (self.alpha, 0.0, 1.0))
        below = graph.node("Sub", graph.node("Exp", graph.node("Div", x, alpha)), one)
        below = graph.node("Min", graph.node("Mul", below, alpha), zero)
        return graph.node("Add", graph.node("Max", x, zero), below)


class SELU(Activation):
    """1.0507 times x of each element that is positive, 1.7581 (exp(x) - 1) of the others, (*) -> (*).

    The constants keep mean 0 and variance 1 from layer to layer.

    Source:  torch.nn.SELU; ONNX Selu-6.
    Example: (N, 64) -> SELU -> (N, 64)
    """

    onnx_operator = "Selu"

    inplace: Bool = False

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any]:
        from netspec.torch_backend.rounded import selu

        return selu


OPERATIONS = (ReLU, LeakyReLU, PReLU, RReLU, ELU, CELU, SELU)
