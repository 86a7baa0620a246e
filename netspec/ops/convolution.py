"""Convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import Bool, Expected, NonNegativePair, Pair, PositiveInt, spread
from netspec.ops.base import AtLeast, Demand, Fault, Op, Weight
from netspec.ops.faults import (
    IMAGES,
    Undivided,
    as_declared,
    need_floating,
    need_number,
    need_rank,
    window_fits,
)

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

PaddingMode = Annotated[
    Literal["zeros", "reflect", "replicate", "circular"],
    Expected("zeros, reflect, replicate or circular"),
]
Padding = Annotated[
    NonNegativePair | Literal["same", "valid"],
    BeforeValidator(spread(2)),
    Expected("an integer of at least 0, a list of two (height, width), same or valid"),
]

ONNX_PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
AXES = ("height", "width")


class SameNeedsStrideOne(Diagnostic):
    """`padding: same` keeps the size, which a stride of 2 cannot."""

    code = "NS309"
    message = "padding: same needs stride 1, not {height} by {width}"

    height: int
    width: int
    window: Window

    @property
    def help(self) -> str:
        return "write the padding as a number, such as padding: {padding}"

    @property
    def padding(self) -> str:
        """What `same` would be on each side, as near as a number can be."""
        height, width = (axis.padding for axis in self.window)
        return f"{height}" if height == width else f"[{height}, {width}]"


class PaddingTooWide(Diagnostic):
    """Reflected and circular padding copy from the input, so it must have enough to copy."""

    code = "NS310"
    message = "{mode} padding of {padding} needs {axis} {least} or more, but it is {size}"

    mode: str
    padding: int
    axis: str
    least: int
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "pad less, or with zeros"


class Conv2d(Op):
    """2-D cross-correlation, (N, C, H, W) -> (N, out_channels, H', W').

    Shape:   H' = (H + p + q - d (k - 1) - 1) // s + 1 with padding p before and q after; W' likewise.
             padding `same` is d (k - 1) in all, the odd one behind; it needs stride 1.
    Cost:    out_channels * C/groups * kh * kw multiply-adds per output pixel.
    Errors:  NS302 the window exceeds the padded input; NS304 groups must divide both channel counts;
             NS309 same with a stride; NS310 reflect or circular padding wider than the input.
    Source:  torch.nn.Conv2d; ONNX Conv-11, Pad-13 (Pad-19 for wrap) for the modes other than zeros.
    """

    in_channels: PositiveInt | None = None
    out_channels: PositiveInt
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: Padding = (0, 0)
    dilation: Pair = (1, 1)
    groups: PositiveInt = 1
    bias: Bool = True
    padding_mode: PaddingMode = "zeros"

    def window(self, x: TensorType | None = None) -> Window:
        axes = []
        for axis in range(2):
            kernel, dilation = self.kernel_size[axis], self.dilation[axis]
            if self.padding == "same":
                total = dilation * (kernel - 1)
                before, after = total // 2, total - total // 2
            elif self.padding == "valid":
                before = after = 0
            else:
                before = after = self.padding[axis]
            axes.append(Axis(kernel, self.stride[axis], before, after, dilation))
        return tuple(axes)

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("Conv2d", x, (4,), IMAGES)
        need_floating("Conv2d", x)
        channels = x.known[1]
        need_number("Conv2d", "input channels", channels, x)
        yield from as_declared("in_channels", self.in_channels, channels, x)
        for what, count in (("the input's channels", channels), ("out_channels", self.out_channels)):
            if isinstance(count, int) and count % self.groups:
                yield Fault(Undivided(what=what, groups=self.groups, channels=count), field="groups")
                break
        if self.padding == "same" and self.stride != (1, 1):
            height, width = self.stride
            raise Fault(SameNeedsStrideOne(height=height, width=width, window=self.window()), field="stride")
        for name, size, axis in zip(AXES, x.known[2:], self.window(), strict=True):
            yield from self._padding_demands(name, size, axis, x)
            yield from window_fits("Conv2d", name, size, axis.padding + axis.padding_after, axis.extent, x)

    def _padding_demands(self, name: str, size: Size, axis: Axis, x: TensorType) -> Iterator[Demand]:
        if self.padding_mode not in ("reflect", "circular"):
            return
        widest = max(axis.padding, axis.padding_after)
        least = widest + 1 if self.padding_mode == "reflect" else widest
        fault = PaddingTooWide(
            mode=self.padding_mode, padding=widest, axis=name, least=least, size=size, input=x
        )
        yield AtLeast(size, least, Fault(fault, field="padding", input=0))

    def infer(self, x: TensorType) -> TensorType:
        batch, _, height, width = x.known
        over_height, over_width = self.window()
        shape = (batch, self.out_channels, over_height.length(height), over_width.length(width))
        return x.with_shape(shape)

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        channels = x.known[1]
        assert isinstance(channels, int)
        weight = Weight("weight", (self.out_channels, channels // self.groups, *self.kernel_size), x.dtype)
        return (weight, Weight("bias", (self.out_channels,), x.dtype)) if self.bias else (weight,)

    def cost(self, x: TensorType, y: TensorType) -> Cost:
        height, width = self.kernel_size
        return Cost(macs=product(y.known) * (x.known[1] // self.groups) * (height * width))

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        channels = x.known[1]
        assert isinstance(channels, int)
        return nn.Conv2d(
            channels,
            self.out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
            dtype=torch_dtype(x.dtype),
        )

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        height, width = self.window()
        pads = [height.padding, width.padding, height.padding_after, width.padding_after]
        if self.padding_mode != "zeros" and any(pads):
            x = self._pad(graph, x, height, width)
            pads = [0, 0, 0, 0]
        parameters = [weights["weight"], weights["bias"]] if self.bias else [weights["weight"]]
        return graph.node(
            "Conv",
            x,
            *parameters,
            kernel_shape=self.kernel_size,
            strides=self.stride,
            pads=pads,
            dilations=self.dilation,
            group=self.groups,
        )

    def _pad(self, graph: Emitter, x: str, height: Axis, width: Axis) -> str:
        mode = ONNX_PAD_MODES[self.padding_mode]
        if mode == "wrap" and graph.opset < 19:
            # Pad has no wrap before opset 19: put the far end before the near one, axis by axis.
            for number, axis in ((2, height), (3, width)):
                x = wrap(graph, x, number, axis.padding, axis.padding_after)
            return x
        pads = [0, 0, height.padding, width.padding, 0, 0, height.padding_after, width.padding_after]
        return graph.node("Pad", x, graph.constant(pads, DType.INT64), mode=mode)


def wrap(graph: Emitter, x: str, axis: int, before: int, after: int) -> str:
    """Circular padding of one axis by Slice and Concat, for opsets whose Pad lacks it."""
    parts = [x]
    if before:
        parts.insert(0, slice_axis(graph, x, axis, -before, 2**63 - 1))
    if after:
        parts.append(slice_axis(graph, x, axis, 0, after))
    return graph.node("Concat", *parts, axis=axis) if len(parts) > 1 else x


def slice_axis(graph: Emitter, x: str, axis: int, start: int, stop: int) -> str:
    """Elements `start` up to `stop` of one axis."""
    bounds = (graph.constant([value], DType.INT64) for value in (start, stop, axis))
    return graph.node("Slice", x, *bounds)


OPERATIONS = (Conv2d,)
