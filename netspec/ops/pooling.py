"""Pools: windows that take a maximum or a mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import Bool, NonNegativePair, Pair, PositiveInt
from netspec.ops.base import AtLeast, Demand, Fault, Op
from netspec.ops.faults import IMAGES, need_floating, need_rank, window_fits

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

AXES = ("height", "width")


class PoolPaddingTooWide(Diagnostic):
    """A pool may pad at most half of its kernel, whatever its dilation."""

    code = "NS311"
    message = "padding {padding} is more than half of the kernel of {kernel} ({axis})"

    padding: int
    kernel: int
    axis: str

    @property
    def help(self) -> str:
        return "padding: {most} is the most that this kernel allows"

    @property
    def most(self) -> int:
        return self.kernel // 2


class OnlyPadding(Diagnostic):
    """A dilated window steps over the whole input, from the padding before it to the padding behind."""

    code = "NS319"
    message = "a window of {op} lies in padding alone: it needs {axis} {least} or more, not {size}"

    op: str
    axis: str
    least: int
    size: Size
    input: TensorType

    @property
    def label(self) -> str:
        return "the input is {input}"

    @property
    def help(self) -> str:
        return "make the dilation smaller, or leave the padding out"


class Pool2d(Op):
    """What MaxPool2d and AvgPool2d share: a window of (height, width) that slides over each channel."""

    kernel_size: Pair
    stride: Pair | None = None
    padding: NonNegativePair = (0, 0)
    ceil_mode: Bool = False

    def _dilations(self) -> tuple[int, int]:
        return (1, 1)

    def window(self, x: TensorType | None = None) -> Window:
        strides = self.stride or self.kernel_size
        return tuple(
            Axis(kernel, stride, padding, padding, dilation, self.ceil_mode)
            for kernel, stride, padding, dilation in zip(
                self.kernel_size, strides, self.padding, self._dilations(), strict=True
            )
        )

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        need_rank(op, x, (4,), IMAGES)
        need_floating(op, x)
        for name, size, axis in zip(AXES, x.known[2:], self.window(), strict=True):
            if axis.padding > axis.kernel // 2:
                fault = PoolPaddingTooWide(padding=axis.padding, kernel=axis.kernel, axis=name)
                raise Fault(fault, field="padding")
            # Rounded up, a window may hang over the end by less than one stride.
            overhang = axis.stride - 1 if axis.ceil_mode else 0
            yield from window_fits(op, name, size, 2 * axis.padding + overhang, axis.extent, x)
            fitting = axis.extent - 2 * axis.padding - overhang
            least = -axis.padding % axis.dilation + 1  # up to the window's first element behind the padding
            if least > max(fitting, 1) and (not isinstance(size, int) or fitting <= size < least):
                only = OnlyPadding(op=op, axis=name, least=least, size=size, input=x)
                yield AtLeast(size, least, Fault(only, field="dilation", input=0))

    def infer(self, x: TensorType) -> TensorType | tuple[TensorType, ...]:
        batch, channels, height, width = x.known
        over_height, over_width = self.window()
        return x.with_shape((batch, channels, over_height.length(height), over_width.length(width)))

    def _trailing(self) -> list[int]:
        """Elements to add behind each axis so that rounding down gives the length that `ceil_mode` asks for.

        With p before and min(p + s - 1, extent - 1) behind, the rounded-down length is Axis.length; it holds
        for every size, so that a symbolic axis needs no arithmetic at run time.
        """
        return [
            min(axis.padding + axis.stride - 1, axis.extent - 1) if axis.ceil_mode else axis.padding_after
            for axis in self.window()
        ]


class MaxPool2d(Pool2d):
    """Maximum over windows, (N, C, H, W) -> (N, C, H', W'), and with `return_indices` where each stood.

    Shape:   H' = (H + 2 p - d (k - 1) - 1) // s + 1, rounded up with ceil_mode; W' likewise.
    Ports:   output; indices (int64, flat within each H x W plane) with return_indices.
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel;
             NS319 a dilated window that lies in padding alone.
    Source:  torch.nn.MaxPool2d; ONNX MaxPool-12.
    """

    dilation: Pair = (1, 1)
    return_indices: Bool = False

    def ports(self, *inputs: Any) -> tuple[str, ...]:
        return ("output", "indices") if self.return_indices else ("output",)

    def _dilations(self) -> tuple[int, int]:
        return self.dilation

    def infer(self, x: TensorType) -> TensorType | tuple[TensorType, ...]:
        y = super().infer(x)
        assert isinstance(y, TensorType)
        return (y, TensorType(y.shape, DType.INT64)) if self.return_indices else y

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            return_indices=self.return_indices,
            ceil_mode=self.ceil_mode,
        )

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        height, width = self.window()
        source = x
        before, after = list(self.padding), self._trailing()
        padded = any(pad >= k for pad, k in zip(before + after, self.kernel_size * 2, strict=True))
        if padded:
            # onnxruntime refuses padding as wide as the kernel, which dilation allows in torch.
            pads = graph.constant([0, 0, *before, 0, 0, *after], DType.INT64)
            lowest = graph.constant(float("-inf"), graph.type(x).dtype)
            x = graph.node("Pad", x, pads, lowest)
        attributes = {
            "kernel_shape": self.kernel_size,
            "strides": (height.stride, width.stride),
            "pads": [0, 0, 0, 0] if padded else before + after,
            "dilations": self.dilation,
        }
        if not self.return_indices:
            return graph.node("MaxPool", x, **attributes)
        y, flat = graph.nodes("MaxPool", x, outputs=2, **attributes)
        return y, self._in_plane(graph, flat, source, before, after if padded else None)

    def _in_plane(
        self, graph: Emitter, flat: str, source: str, before: list[int], after: list[int] | None
    ) -> str:
        """Indices within each plane of the input, from ONNX's, which are flat over the (padded) tensor."""
        shape = graph.node("Shape", source, start=2, end=4)
        height = graph.node("Gather", shape, graph.constant(0, DType.INT64), axis=0)
        width = graph.node("Gather", shape, graph.constant(1, DType.INT64), axis=0)
        if after is None:
            return graph.node("Mod", flat, graph.node("Mul", height, width))
        top, left = before
        padded_height = graph.node("Add", height, graph.constant(top + after[0], DType.INT64))
        padded_width = graph.node("Add", width, graph.constant(left + after[1], DType.INT64))
        flat = graph.node("Mod", flat, graph.node("Mul", padded_height, padded_width))
        row = graph.node("Sub", graph.node("Div", flat, padded_width), graph.constant(top, DType.INT64))
        column = graph.node("Sub", graph.node("Mod", flat, padded_width), graph.constant(left, DType.INT64))
        return graph.node("Add", graph.node("Mul", row, width), column)


class AvgPool2d(Pool2d):
    """Mean over windows, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = (H + 2 p - k) // s + 1, rounded up with ceil_mode; W' likewise.
             The sum is divided by divisor_override, else by the elements of the window that lie within the
             input (count_include_pad: within the input and its padding).
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel.
    Source:  torch.nn.AvgPool2d; ONNX AveragePool-11 (-19, -22), Pad-13.
    """

    count_include_pad: Bool = True
    divisor_override: PositiveInt | None = None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AvgPool2d(
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            divisor_override=self.divisor_override,
        )

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        before, after = list(self.padding), self._trailing()
        if self.divisor_override is None and not any(before + after):
            return self._mean(graph, x)
        dtype = graph.type(x).dtype
        source = x
        # The sum of every window, then its own divisor. Runtimes disagree on AveragePool's padding and
        # ceil_mode; explicit padding and an exact count mean the same to all of them.
        x = self._pad(graph, x, before, after)
        total = graph.node("Mul", self._mean(graph, x), self._window_size(graph, dtype))
        return graph.node("Div", total, self._divisor(graph, source, before, after, dtype))

    def _mean(self, graph: Emitter, x: str) -> str:
        height, width = self.window()
        return graph.node(
            "AveragePool",
            x,
            kernel_shape=self.kernel_size,
            strides=(height.stride, width.stride),
            pads=[0, 0, 0, 0],
            ceil_mode=0,
            count_include_pad=1,
        )

    def _pad(self, graph: Emitter, x: str, before: list[int], after: list[int]) -> str:
        if not any(before + after):
            return x
        return graph.node("Pad", x, graph.constant([0, 0, *before, 0, 0, *after], DType.INT64))

    def _window_size(self, graph: Emitter, dtype: DType) -> str:
        return graph.constant(self.kernel_size[0] * self.kernel_size[1], dtype)

    def _divisor(self, graph: Emitter, x: str, before: list[int], after: list[int], dtype: DType) -> str:
        """How many elements each window counts: a constant where the input's size is known."""
        if self.divisor_override is not None:
            return graph.constant(self.divisor_override, dtype)
        if self.count_include_pad and not self.ceil_mode:
            return self._window_size(graph, dtype)
        sizes = graph.type(x).known[2:]
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) == 2:
            rows, columns = (
                self._counts(size, axis) for size, axis in zip(known, self.window(), strict=True)
            )
            return graph.constant([[[[r * c for c in columns] for r in rows]]], dtype)
        return self._counted(graph, x, before, after, dtype)

    def _counts(self, size: int, axis: Axis) -> list[int]:
        """Elements that each position of the window along one axis counts."""
        first = -axis.padding if self.count_include_pad else 0
        last = size + axis.padding if self.count_include_pad else size
        positions = axis.length(size)
        assert isinstance(positions, int)
        starts = (i * axis.stride - axis.padding for i in range(positions))
        return [min(start + axis.kernel, last) - max(start, first) for start in starts]

    def _counted(self, graph: Emitter, x: str, before: list[int], after: list[int], dtype: DType) -> str:
        """The same counts at run time: the pool of a plane that is 1 where an element counts."""
        plane = graph.node("Shape", x, start=2, end=4)
        if self.count_include_pad:
            widened = graph.constant([2 * before[0], 2 * before[1]], DType.INT64)
            plane = graph.node("Add", plane, widened)
            before, after = [0, 0], [after[0] - before[0], after[1] - before[1]]
        one = graph.constant([1, 1], DType.INT64)
        shape = graph.node("Concat", one, plane, axis=0)
        counted = graph.node("Expand", graph.constant(1, dtype), shape)
        mean = self._mean(graph, self._pad(graph, counted, before, after))
        # A mean of zeros and ones times the window's size is a whole number but for its rounding.
        return graph.node("Round", graph.node("Mul", mean, self._window_size(graph, dtype)))


OPERATIONS = (MaxPool2d, AvgPool2d)
