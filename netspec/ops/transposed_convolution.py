"""Transposed convolutions: each input element spreads a kernel over the output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import (
    Bool,
    Expected,
    NonNegativePair,
    NonNegativeSingle,
    NonNegativeTriple,
    Pair,
    PositiveInt,
    Single,
    Triple,
)
from netspec.ops.base import AtLeast, Demand, Fault, Op, Weight
from netspec.ops.faults import AXES, as_declared, groups_divide, need_batch, need_floating, need_number

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

PaddingMode = Annotated[
    Literal["zeros"], Expected("zeros, the only mode of a transposed convolution (it crops its output)")
]


class OutputPaddingTooWide(Diagnostic):
    """`output_padding` chooses among the sizes that a stride rounds to one, so it is less than a stride."""

    code = "NS322"
    message = (
        "output_padding must be below the stride or the dilation: "
        "it is {output_padding}, they are {stride} and {dilation} ({axis})"
    )

    output_padding: int
    stride: int
    dilation: int
    axis: str

    @property
    def help(self) -> str:
        return "output_padding: {most} is the most here; Pad adds more"

    @property
    def most(self) -> int:
        return max(self.stride, self.dilation) - 1


class OutputVanishes(Diagnostic):
    """The padding of a transposed convolution takes its whole output away."""

    code = "NS323"
    message = (
        "padding of {padding} leaves nothing of the output of {op}: "
        "it needs {axis} {least} or more, not {size}"
    )

    op: str
    padding: int
    axis: str
    least: int
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "pad less: here padding takes elements away from both ends of the output"


class TransposedConvolution(Op):
    """What the transposed convolutions share: the adjoint of a convolution of the same arguments."""

    in_channels: PositiveInt | None = None
    out_channels: PositiveInt
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: PositiveInt = 1
    bias: Bool = True
    dilation: tuple[int, ...]
    padding_mode: PaddingMode = "zeros"

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op, spatial = type(self).__name__, len(self.kernel_size)
        need_batch(op, x, spatial)
        need_floating(op, x)
        channels = x.known[1]
        need_number(op, "input channels", channels, x)
        yield from as_declared("in_channels", self.in_channels, channels, x)
        yield from groups_divide(self.groups, channels, self.out_channels)
        for axis, (name, size) in enumerate(zip(AXES[spatial], x.known[2:], strict=True)):
            stride, extra = self.stride[axis], self.output_padding[axis]
            if extra >= max(stride, self.dilation[axis]):
                wide = OutputPaddingTooWide(
                    output_padding=extra, stride=stride, dilation=self.dilation[axis], axis=name
                )
                raise Fault(wide, field="output_padding")
            least = 1 - self._slack(axis) // stride  # (H - 1) s + slack + 1 is positive
            if least > 1:
                padding = self.padding[axis]
                vanishes = OutputVanishes(op=op, padding=padding, axis=name, least=least, size=size, input=x)
                yield AtLeast(size, least, Fault(vanishes, field="padding", input=0))

    def _slack(self, axis: int) -> int:
        """What an axis of the output has beyond (H - 1) s + 1: d (k - 1) - 2 p + output_padding."""
        spread = self.dilation[axis] * (self.kernel_size[axis] - 1)
        return spread - 2 * self.padding[axis] + self.output_padding[axis]

    def infer(self, x: TensorType) -> TensorType:
        sizes = (
            (size - 1) * self.stride[axis] + self._slack(axis) + 1 for axis, size in enumerate(x.known[2:])
        )
        return x.with_shape((x.known[0], self.out_channels, *sizes))

    def window(self, x: TensorType | None = None) -> Window | None:
        # How many input elements an output element sees depends on where it lies.
        return None

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        channels = x.known[1]
        assert isinstance(channels, int)
        weight = Weight("weight", (channels, self.out_channels // self.groups, *self.kernel_size), x.dtype)
        return (weight, Weight("bias", (self.out_channels,), x.dtype)) if self.bias else (weight,)

    def cost(self, x: TensorType, y: TensorType) -> Cost:
        return Cost(macs=product(x.known) * (self.out_channels // self.groups) * product(self.kernel_size))

    def _arguments(self, x: TensorType) -> dict[str, Any]:
        """The arguments of the torch module."""
        from netspec.torch_backend.dtypes import torch_dtype

        return {
            "in_channels": x.known[1],
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "groups": self.groups,
            "bias": self.bias,
            "dilation": self.dilation,
            "dtype": torch_dtype(x.dtype),
        }

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        from netspec.onnx_backend.padding import padded

        # onnxruntime refuses output_padding from one stride on, which a dilation allows: a zero behind the
        # input adds a stride to the output, and nothing to its values.
        pairs = [
            divmod(extra, stride) for extra, stride in zip(self.output_padding, self.stride, strict=True)
        ]
        x = padded(graph, x, [(0, 0), (0, 0), *((0, zeros) for zeros, _ in pairs)])
        parameters = [weights["weight"], weights["bias"]] if self.bias else [weights["weight"]]
        return graph.node(
            "ConvTranspose",
            x,
            *parameters,
            kernel_shape=self.kernel_size,
            strides=self.stride,
            pads=self.padding * 2,
            output_padding=[extra for _, extra in pairs],
            dilations=self.dilation,
            group=self.groups,
        )


class ConvTranspose1d(TransposedConvolution):
    """1-D transposed convolution, (N, C, L) -> (N, out_channels, L').

    Shape:   L' = (L - 1) s - 2 p + d (k - 1) + output_padding + 1.
    Cost:    out_channels/groups * k multiply-adds per input element.
    Errors:  NS304 groups must divide both channel counts; NS322 output_padding not below the stride or the
             dilation; NS323 padding that takes the whole output away.
    Source:  torch.nn.ConvTranspose1d; ONNX ConvTranspose-11.
    Example: (N, 32, 100) -> ConvTranspose1d: {out_channels: 16, kernel_size: 2, stride: 2} -> (N, 16, 200)
    """

    kernel_size: Single
    stride: Single = (1,)
    padding: NonNegativeSingle = (0,)
    output_padding: NonNegativeSingle = (0,)
    dilation: Single = (1,)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.ConvTranspose1d(**self._arguments(x))


class ConvTranspose2d(TransposedConvolution):
    """2-D transposed convolution, (N, C, H, W) -> (N, out_channels, H', W').

    Shape:   H' = (H - 1) s - 2 p + d (k - 1) + output_padding + 1; W' likewise.
    Cost:    out_channels/groups * kh * kw multiply-adds per input element.
    Errors:  NS304 groups must divide both channel counts; NS322 output_padding not below the stride or the
             dilation; NS323 padding that takes the whole output away.
    Source:  torch.nn.ConvTranspose2d; ONNX ConvTranspose-11.
    Example: (N, 64, 14, 14) -> ConvTranspose2d: {out_channels: 32, kernel_size: 2, stride: 2}
             -> (N, 32, 28, 28)
    """

    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: NonNegativePair = (0, 0)
    output_padding: NonNegativePair = (0, 0)
    dilation: Pair = (1, 1)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.ConvTranspose2d(**self._arguments(x))


class ConvTranspose3d(TransposedConvolution):
    """3-D transposed convolution, (N, C, D, H, W) -> (N, out_channels, D', H', W').

    Shape:   D' = (D - 1) s - 2 p + d (k - 1) + output_padding + 1; H', W' likewise.
    Cost:    out_channels/groups * kd * kh * kw multiply-adds per input element.
    Errors:  NS304 groups must divide both channel counts; NS322 output_padding not below the stride or the
             dilation; NS323 padding that takes the whole output away.
    Source:  torch.nn.ConvTranspose3d; ONNX ConvTranspose-11.
    Example: (N, 16, 8, 8, 8) -> ConvTranspose3d: {out_channels: 8, kernel_size: 2, stride: 2}
             -> (N, 8, 16, 16, 16)
    """

    kernel_size: Triple
    stride: Triple = (1, 1, 1)
    padding: NonNegativeTriple = (0, 0, 0)
    output_padding: NonNegativeTriple = (0, 0, 0)
    dilation: Triple = (1, 1, 1)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.ConvTranspose3d(**self._arguments(x))


OPERATIONS = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
