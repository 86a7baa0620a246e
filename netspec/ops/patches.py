"""Images cut into blocks, and blocks added up into images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Dim, Size
from netspec.ir.tensor import DType, Shape, TensorType, product
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import Expected, NonNegativePair, Pair, SizeArgument, Symbolic, listed, symbols_in
from netspec.ops.base import AtLeast, Demand, Fault, Op, Same
from netspec.ops.faults import AXES, need_batch, need_floating, need_number, need_rank, window_fits

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

LAST = 2**63 - 1  # what ONNX's Slice takes for the end of an axis
COL2IM_OPSET = 18


def _both(value: Any) -> Any:
    """One size for height and width, or a list of two."""
    return (value, value) if isinstance(value, Dim) or type(value) is int else listed(value)


ImageSize = Annotated[
    tuple[SizeArgument, SizeArgument],
    BeforeValidator(_both, json_schema_input_type=SizeArgument | tuple[SizeArgument, SizeArgument]),
    Symbolic(),
    Expected("an integer or a symbolic dimension, or a list of two (height, width)"),
]


class UnfilledBlocks(Diagnostic):
    """Fold's channels are not a multiple of what one block holds."""

    code = "NS327"
    message = (
        "Fold needs a multiple of {elements} channels, the elements of one block, not {channels}: {input}"
    )

    elements: int
    channels: int
    input: TensorType

    @property
    def help(self) -> str:
        return "the input is (N, C * {elements}, L), as Unfold gives it"


class WrongBlockCount(Diagnostic):
    """Fold's input has another number of blocks than fit into its output."""

    code = "NS328"
    message = "the output of Fold holds {rows} by {columns} blocks, but the input has {given}: {input}"

    rows: Size
    columns: Size
    given: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "output_size, kernel_size, dilation, padding and stride are those of the Unfold before it"


class OutputTooSmall(Diagnostic):
    """A block does not fit into Fold's padded output."""

    code = "NS329"
    message = "a block of Fold exceeds its padded output: it spans {extent}, the {axis} is {padded}"

    axis: str
    extent: int
    size: Size
    padding: int

    @property
    def padded(self) -> str:
        return f"{self.size}" if self.padding == 0 else f"{self.size} + {self.padding} of padding"

    @property
    def help(self) -> str:
        return "make output_size larger, or the kernel smaller"


class Unfold(Op):
    """Sliding blocks as columns, (N, C, H, W) -> (N, C * kh * kw, L').

    Shape:   L' = H' W' blocks, H' = (H + 2 p - d (k - 1) - 1) // s + 1; W' likewise.
    Errors:  NS302 the block exceeds the padded input.
    Source:  torch.nn.Unfold; ONNX Slice-13, Concat-13, Reshape-14.
    Example: (N, 3, 224, 224) -> Unfold: {kernel_size: 16, stride: 16} -> (N, 768, 196)
    """

    kernel_size: Pair
    dilation: Pair = (1, 1)
    padding: NonNegativePair = (0, 0)
    stride: Pair = (1, 1)

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_batch("Unfold", x, 2)
        need_floating("Unfold", x)
        for name, size, axis in zip(AXES[2], x.known[2:], windows(self), strict=True):
            yield from window_fits("Unfold", name, size, 2 * axis.padding, axis.extent, x)

    def infer(self, x: TensorType) -> TensorType:
        batch, channels, height, width = x.known
        return x.with_shape((batch, channels * elements(self), product(blocks(self, height, width))))

    def window(self, x: TensorType) -> Window | None:
        return None  # a column of blocks is no position in an image

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Unfold(self.kernel_size, self.dilation, self.padding, self.stride)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # By slices and not by a convolution with kernels of one 1: of an infinity, the zeros make a NaN.
        from netspec.onnx_backend.padding import padded

        _, channels, columns = self.infer(graph.type(x)).known
        height, width = windows(self)
        x = padded(graph, x, [(0, 0), (0, 0), *((p, p) for p in self.padding)])
        x = _taps(graph, x, height, 2, 2)  # (N, C, kh, H', W)
        x = _taps(graph, x, width, 4, 3)  # (N, C, kh, kw, H', W')
        shape = (0, channels, -1) if isinstance(channels, int) else (0, -1, columns)
        return graph.node("Reshape", x, graph.shape(shape))


def _taps(graph: Emitter, x: str, window: Axis, axis: int, place: int) -> str:
    """What each element of a window sees, along a new axis at `place`; their positions stay along `axis`."""
    seen = []
    for tap in range(window.kernel):
        first = tap * window.dilation
        # Counted from the end, so that no size need be known.
        stop = first - (window.extent - 1) or LAST
        bounds = (graph.constant([number], DType.INT64) for number in (first, stop, axis, window.stride))
        part = graph.node("Slice", x, *bounds)
        seen.append(graph.node("Unsqueeze", part, graph.constant([place], DType.INT64)))
    return graph.node("Concat", *seen, axis=place) if len(seen) > 1 else seen[0]


class Fold(Op):
    """Columns of blocks added up where they lie in an image, (N, C * kh * kw, L) -> (N, C, H, W).

    `output_size` is (H, W); a word in it is a symbolic dimension. L must be H' W' as Unfold gives it.

    Errors:  NS306 symbolic channels; NS327 channels that blocks do not divide; NS328 another number of blocks
             than fit; NS329 the block exceeds the padded output.
    Source:  torch.nn.Fold; ONNX Col2Im-18; before it Gather-13, Pad-13, Sum-13.
    Example: (N, 768, 196) -> Fold: {output_size: [224, 224], kernel_size: 16, stride: 16} -> (N, 3, 224, 224)
    """

    output_size: ImageSize
    kernel_size: Pair
    dilation: Pair = (1, 1)
    padding: NonNegativePair = (0, 0)
    stride: Pair = (1, 1)

    def sizes(self, x: TensorType) -> Mapping[str, Shape]:
        return {"output_size": self.output_size} if symbols_in(*self.output_size) else {}

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("Fold", x, (3,), "columns of blocks (N, C * kh * kw, L)")
        need_floating("Fold", x)
        _, channels, given = x.known
        need_number("Fold", "channels", channels, x)
        if isinstance(channels, int) and channels % elements(self):
            unfilled = UnfilledBlocks(elements=elements(self), channels=channels, input=x)
            yield Fault(unfilled, field="kernel_size", input=0)
        for name, size, axis in zip(AXES[2], self.output_size, windows(self), strict=True):
            small = OutputTooSmall(axis=name, extent=axis.extent, size=size, padding=2 * axis.padding)
            least = max(1, axis.extent - 2 * axis.padding)
            if isinstance(size, int) and size < least:
                raise Fault(small, field="output_size")
            yield AtLeast(size, least, Fault(small, field="output_size"))
        rows, columns = blocks(self, *self.output_size)
        count = WrongBlockCount(rows=rows, columns=columns, given=given, input=x)
        yield Same(given, rows * columns, Fault(count, field="output_size", input=0))

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape((x.known[0], x.known[1] // elements(self), *self.output_size))

    def window(self, x: TensorType) -> Window | None:
        return None  # a column of blocks is no position in an image

    def build(self, x: TensorType) -> nn.Module:
        arguments = self.kernel_size, self.dilation, self.padding, self.stride
        if self.sizes(x):
            from netspec.torch_backend.patches import Fold as Module

            return Module(*arguments)
        from torch import nn

        return nn.Fold(self.output_size, *arguments)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        if graph.opset < COL2IM_OPSET:
            return self._added(graph, x)
        return graph.node(
            "Col2Im",
            x,
            graph.shape(self.output_size),
            graph.constant(self.kernel_size, DType.INT64),
            dilations=self.dilation,
            pads=self.padding * 2,
            strides=self.stride,
        )

    def _added(self, graph: Emitter, x: str) -> str:
        """The same where ONNX has no Col2Im: the columns of all blocks, then their rows."""
        channels = self.infer(graph.type(x)).known[1]
        rows, _ = blocks(self, *self.output_size)
        (height, width), (down, across) = self.output_size, windows(self)
        x = graph.node("Reshape", x, graph.shape((0, channels, *self.kernel_size, rows, -1)))
        x = graph.node("Transpose", x, perm=[0, 1, 2, 4, 3, 5])  # (N, C, kh, H', kw, W')
        x = _overlaid(graph, x, 6, across, width)
        x = graph.node("Transpose", x, perm=[0, 1, 4, 2, 3])  # (N, C, W, kh, H')
        x = _overlaid(graph, x, 5, down, height)
        return graph.node("Transpose", x, perm=[0, 1, 3, 2])


def _overlaid(graph: Emitter, x: str, rank: int, window: Axis, size: Size) -> str:
    """Windows added up where they lie, (*, kernel, positions) -> (*, size); `rank` is that of `x`."""
    from netspec.onnx_backend.padding import padded

    if window.stride > 1:  # zeros between the positions
        x = graph.node("Unsqueeze", x, graph.constant([rank], DType.INT64))
        x = padded(graph, x, [(0, 0)] * rank + [(0, window.stride - 1)])
        x = graph.node("Reshape", x, graph.constant([0] * (rank - 1) + [-1], DType.INT64))
    seen = []
    for tap in range(window.kernel):
        part = graph.node("Gather", x, graph.constant(tap, DType.INT64), axis=rank - 2)
        offset = tap * window.dilation
        seen.append(padded(graph, part, [(0, 0)] * (rank - 2) + [(offset, window.extent - 1 - offset)]))
    total = graph.node("Sum", *seen) if len(seen) > 1 else seen[0]
    start, axis = (graph.constant([number], DType.INT64) for number in (window.padding, rank - 2))
    return graph.node("Slice", total, start, graph.size(size + window.padding), axis)


def windows(op: Unfold | Fold) -> tuple[Axis, Axis]:
    """The block of an operation, as it slides along height and width."""
    arguments = op.kernel_size, op.stride, op.padding, op.padding, op.dilation
    height, width = (Axis(*numbers) for numbers in zip(*arguments, strict=True))
    return height, width


def blocks(op: Unfold | Fold, height: Size, width: Size) -> tuple[Size, Size]:
    """Rows and columns of blocks in an image of this size."""
    down, across = windows(op)
    return down.length(height), across.length(width)


def elements(op: Unfold | Fold) -> int:
    """Elements of one block in one channel."""
    height, width = op.kernel_size
    return height * width


OPERATIONS = (Unfold, Fold)
