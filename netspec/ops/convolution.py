"""Convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.tensor import TensorType, product
from netspec.ir.window import Axis, Window
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
    spread,
)
from netspec.ops.base import Demand, Fault, Op, Weight
from netspec.ops.faults import (
    AXES,
    as_declared,
    groups_divide,
    need_batch,
    need_floating,
    need_number,
    padding_is_there,
    window_fits,
)

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

PaddingMode = Annotated[
    Literal["zeros", "reflect", "replicate", "circular"],
    Expected("zeros, reflect, replicate or circular"),
]
PaddingWord = Literal["same", "valid"]
SinglePadding = Annotated[
    NonNegativeSingle | PaddingWord,
    BeforeValidator(spread(1)),
    Expected("an integer of at least 0, a list of one, same or valid"),
]
PairPadding = Annotated[
    NonNegativePair | PaddingWord,
    BeforeValidator(spread(2)),
    Expected("an integer of at least 0, a list of two (height, width), same or valid"),
]
TriplePadding = Annotated[
    NonNegativeTriple | PaddingWord,
    BeforeValidator(spread(3)),
    Expected("an integer of at least 0, a list of three (depth, height, width), same or valid"),
]


class SameNeedsStrideOne(Diagnostic):
    """`padding: same` keeps the size, which a stride of 2 cannot."""

    code = "NS309"
    message = "padding: same needs stride 1, not {strides}"

    stride: tuple[int, ...]
    window: Window

    @property
    def strides(self) -> str:
        return " by ".join(map(str, self.stride))

    @property
    def help(self) -> str:
        return "write the padding as a number, such as padding: {padding}"

    @property
    def padding(self) -> str:
        """What `same` would be on each side, as near as a number can be."""
        amounts = [axis.padding for axis in self.window]
        return f"{amounts[0]}" if len(set(amounts)) == 1 else f"{amounts}"


class Convolution(Op):
    """What Conv1d, Conv2d and Conv3d share: a kernel over all channels of a group, at every position."""

    in_channels: PositiveInt | None = None
    out_channels: PositiveInt
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...] | PaddingWord
    dilation: tuple[int, ...]
    groups: PositiveInt = 1
    bias: Bool = True
    padding_mode: PaddingMode = "zeros"

    def window(self, x: TensorType | None = None) -> Window:
        return tuple(
            Axis(kernel, stride, *self._ends(axis), dilation)
            for axis, (kernel, stride, dilation) in enumerate(
                zip(self.kernel_size, self.stride, self.dilation, strict=True)
            )
        )

    def _ends(self, axis: int) -> tuple[int, int]:
        """Padding before and after an axis."""
        if self.padding == "valid":
            return 0, 0
        if self.padding == "same":
            total = self.dilation[axis] * (self.kernel_size[axis] - 1)
            return total // 2, total - total // 2
        return self.padding[axis], self.padding[axis]

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op, spatial = type(self).__name__, len(self.kernel_size)
        need_batch(op, x, spatial)
        need_floating(op, x)
        channels = x.known[1]
        need_number(op, "input channels", channels, x)
        yield from as_declared("in_channels", self.in_channels, channels, x)
        yield from groups_divide(self.groups, channels, self.out_channels)
        if self.padding == "same" and set(self.stride) != {1}:
            raise Fault(SameNeedsStrideOne(stride=self.stride, window=self.window()), field="stride")
        for name, size, axis in zip(AXES[spatial], x.known[2:], self.window(), strict=True):
            ends = axis.padding, axis.padding_after
            yield from padding_is_there(self.padding_mode, name, size, *ends, x)
            yield from window_fits(op, name, size, sum(ends), axis.extent, x)

    def infer(self, x: TensorType) -> TensorType:
        sizes = (axis.length(size) for axis, size in zip(self.window(), x.known[2:], strict=True))
        return x.with_shape((x.known[0], self.out_channels, *sizes))

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        channels = x.known[1]
        assert isinstance(channels, int)
        weight = Weight("weight", (self.out_channels, channels // self.groups, *self.kernel_size), x.dtype)
        return (weight, Weight("bias", (self.out_channels,), x.dtype)) if self.bias else (weight,)

    def cost(self, x: TensorType, y: TensorType) -> Cost:
        return Cost(macs=product(y.known) * (x.known[1] // self.groups) * product(self.kernel_size))

    def _arguments(self, x: TensorType) -> dict[str, Any]:
        """The arguments of the torch module."""
        from netspec.torch_backend.dtypes import torch_dtype

        return {
            "in_channels": x.known[1],
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "bias": self.bias,
            "padding_mode": self.padding_mode,
            "dtype": torch_dtype(x.dtype),
        }

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        from netspec.onnx_backend.padding import padded

        ends = [(axis.padding, axis.padding_after) for axis in self.window()]
        if self.padding_mode != "zeros":
            x = padded(graph, x, [(0, 0), (0, 0), *ends], self.padding_mode)
            ends = [(0, 0)] * len(ends)
        parameters = [weights["weight"], weights["bias"]] if self.bias else [weights["weight"]]
        return graph.node(
            "Conv",
            x,
            *parameters,
            kernel_shape=self.kernel_size,
            strides=self.stride,
            pads=[before for before, _ in ends] + [after for _, after in ends],
            dilations=self.dilation,
            group=self.groups,
        )


class Conv1d(Convolution):
    """1-D cross-correlation, (N, C, L) -> (N, out_channels, L').

    Shape:   L' = (L + p + q - d (k - 1) - 1) // s + 1 with padding p before and q after.
             padding `same` is d (k - 1) in all, the odd one behind; it needs stride 1.
    Cost:    out_channels * C/groups * k multiply-adds per output position.
    Errors:  NS302 the window exceeds the padded input; NS304 groups must divide both channel counts;
             NS309 same with a stride; NS310 reflect or circular padding wider than the input.
    Source:  torch.nn.Conv1d; ONNX Conv-11, Pad-13 (Pad-19 for wrap) for the modes other than zeros.
    Example: (N, 1, 16000) -> Conv1d: {out_channels: 64, kernel_size: 80, stride: 4} -> (N, 64, 3981)
    """

    kernel_size: Single
    stride: Single = (1,)
    padding: SinglePadding = (0,)
    dilation: Single = (1,)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Conv1d(**self._arguments(x))


class Conv2d(Convolution):
    """2-D cross-correlation, (N, C, H, W) -> (N, out_channels, H', W').

    Shape:   H' = (H + p + q - d (k - 1) - 1) // s + 1 with padding p before and q after; W' likewise.
             padding `same` is d (k - 1) in all, the odd one behind; it needs stride 1.
    Cost:    out_channels * C/groups * kh * kw multiply-adds per output pixel.
    Errors:  NS302 the window exceeds the padded input; NS304 groups must divide both channel counts;
             NS309 same with a stride; NS310 reflect or circular padding wider than the input.
    Source:  torch.nn.Conv2d; ONNX Conv-11, Pad-13 (Pad-19 for wrap) for the modes other than zeros.
    Example: (N, 3, 32, 32) -> Conv2d: {out_channels: 8, kernel_size: 3} -> (N, 8, 30, 30)
    """

    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: PairPadding = (0, 0)
    dilation: Pair = (1, 1)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Conv2d(**self._arguments(x))


class Conv3d(Convolution):
    """3-D cross-correlation, (N, C, D, H, W) -> (N, out_channels, D', H', W').

    Shape:   D' = (D + p + q - d (k - 1) - 1) // s + 1 with padding p before and q after; H', W' likewise.
             padding `same` is d (k - 1) in all, the odd one behind; it needs stride 1.
    Cost:    out_channels * C/groups * kd * kh * kw multiply-adds per output voxel.
    Errors:  NS302 the window exceeds the padded input; NS304 groups must divide both channel counts;
             NS309 same with a stride; NS310 reflect or circular padding wider than the input.
    Source:  torch.nn.Conv3d; ONNX Conv-11, Pad-13 (Pad-19 for wrap) for the modes other than zeros.
    Example: (N, 1, 16, 64, 64) -> Conv3d: {out_channels: 8, kernel_size: 3, padding: same}
             -> (N, 8, 16, 64, 64)
    """

    kernel_size: Triple
    stride: Triple = (1, 1, 1)
    padding: TriplePadding = (0, 0, 0)
    dilation: Triple = (1, 1, 1)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Conv3d(**self._arguments(x))


OPERATIONS = (Conv1d, Conv2d, Conv3d)
