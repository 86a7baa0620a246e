"""Operations that move elements between the channels and the pixels, and among the channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Dim, Size
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import PositiveInt
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import Undivided, WrongRank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class ChannelsUndivided(Diagnostic):
    """The channels do not fill squares of pixels."""

    code = "NS337"
    message = "upscale_factor {factor} makes one channel of {square}, and the input has {channels}: {input}"

    factor: int
    channels: Size
    input: TensorType

    @property
    def square(self) -> int:
        return self.factor**2

    @property
    def help(self) -> str:
        return "give the layer before it a multiple of {square} channels"


class PixelsUndivided(Diagnostic):
    """The pixels do not fall into squares."""

    code = "NS338"
    message = "downscale_factor {factor} must divide the {axis}, which is {size}: {input}"

    factor: int
    axis: str
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "pad or crop the image before this layer"


def _need_images(op: str, x: TensorType) -> None:
    if x.rank < 3:
        raise Fault(WrongRank(op=op, expected="images (*, C, H, W)", got=x), input=0)


def _rearranged(
    graph: Emitter, x: str, split: Sequence[Size], order: Sequence[int], joined: Sequence[Size]
) -> str:
    """Elements in another order: axes taken apart into `split`, permuted, and put together to `joined`."""
    x = graph.node("Reshape", x, _asked(graph, split))
    x = graph.node("Transpose", x, perm=list(order))
    return graph.node("Reshape", x, _asked(graph, joined))


def _asked(graph: Emitter, sizes: Sequence[Size]) -> str:
    """The sizes for a Reshape; a single symbolic one is what remains."""
    symbolic = [size for size in sizes if isinstance(size, Dim)]
    return graph.shape([-1 if len(symbolic) == 1 and isinstance(size, Dim) else size for size in sizes])


class PixelShuffle(Op):
    """Channels become pixels, (*, C r², H, W) -> (*, C, H r, W r) with the upscale_factor r.

    Pixel (r h + i, r w + j) of channel c comes from channel c r² + i r + j.

    Errors:  NS301 no image; NS337 the channels are no multiple of r².
    Source:  torch.nn.PixelShuffle; ONNX DepthToSpace-13, else Reshape and Transpose.
    Example: (N, 64, H, W) -> PixelShuffle: {upscale_factor: 2} -> (N, 16, 2*H, 2*W)
    """

    upscale_factor: PositiveInt

    def demands(self, x: TensorType) -> Iterator[Demand]:
        _need_images("PixelShuffle", x)
        channels, factor = x.known[-3], self.upscale_factor
        fault = ChannelsUndivided(factor=factor, channels=channels, input=x)
        yield Same(channels % factor**2, 0, Fault(fault, field="upscale_factor", input=0))

    def infer(self, x: TensorType) -> TensorType:
        *lead, channels, height, width = x.known
        factor = self.upscale_factor
        return x.with_shape((*lead, channels // factor**2, height * factor, width * factor))

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.PixelShuffle(self.upscale_factor)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source, factor = graph.type(x), self.upscale_factor
        if source.rank == 4 and source.dtype in (DType.FLOAT32, DType.FLOAT64):
            return graph.node("DepthToSpace", x, blocksize=factor, mode="CRD")
        *lead, channels, height, width = source.known
        split = (*lead, channels // factor**2, factor, factor, height, width)
        n = len(lead)
        order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
        return _rearranged(graph, x, split, order, self.infer(source).known)


class PixelUnshuffle(Op):
    """Pixels become channels, (*, C, H r, W r) -> (*, C r², H, W) with the downscale_factor r.

    Channel c r² + i r + j has the pixels (r h + i, r w + j) of channel c: what PixelShuffle undoes.

    Errors:  NS301 no image; NS338 r divides not both height and width.
    Source:  torch.nn.PixelUnshuffle; ONNX Reshape-14 and Transpose-13.
    Example: (N, 3, 224, 224) -> PixelUnshuffle: {downscale_factor: 2} -> (N, 12, 112, 112)
    """

    downscale_factor: PositiveInt

    def demands(self, x: TensorType) -> Iterator[Demand]:
        _need_images("PixelUnshuffle", x)
        factor = self.downscale_factor
        for axis, size in zip(("height", "width"), x.known[-2:], strict=True):
            fault = PixelsUndivided(factor=factor, axis=axis, size=size, input=x)
            yield Same(size % factor, 0, Fault(fault, field="downscale_factor", input=0))

    def infer(self, x: TensorType) -> TensorType:
        *lead, channels, height, width = x.known
        factor = self.downscale_factor
        return x.with_shape((*lead, channels * factor**2, height // factor, width // factor))

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.PixelUnshuffle(self.downscale_factor)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source, factor = graph.type(x), self.downscale_factor
        *lead, channels, height, width = source.known
        split = (*lead, channels, height // factor, factor, width // factor, factor)
        n = len(lead)
        order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
        return _rearranged(graph, x, split, order, self.infer(source).known)


class ChannelShuffle(Op):
    """Mixes the channels of groups, (N, C, *) -> (N, C, *): the first of every group, then the second.

    Errors:  NS301 no axis behind the channels; NS304 the groups do not divide the channels.
    Source:  torch.nn.ChannelShuffle; ONNX Gather-13, of a symbolic number of channels Reshape and Transpose.
    Example: (N, 240, 28, 28) -> ChannelShuffle: {groups: 3} -> (N, 240, 28, 28)
    """

    groups: PositiveInt

    def demands(self, x: TensorType) -> Iterator[Demand]:
        if x.rank < 3:
            expected = "a batch with channels and at least one axis behind them (N, C, *)"
            raise Fault(WrongRank(op="ChannelShuffle", expected=expected, got=x), input=0)
        fault = Undivided(what="the input's channels", groups=self.groups, channels=x.known[1])
        yield Same(x.known[1] % self.groups, 0, Fault(fault, field="groups", input=0))

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape(x.known)

    def window(self, x: TensorType) -> Window:
        return ()

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.ChannelShuffle(self.groups)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        batch, channels, *sizes = graph.type(x).known
        shape: Shape = (batch, channels, *sizes)
        if isinstance(channels, int):
            each = channels // self.groups
            order = [group * each + place for place in range(each) for group in range(self.groups)]
            # The axis from behind: a gather of all channels on axis 1 is to OpenVINO their reversal, which it
            # moves into the weights of a convolution behind as if it were its own inverse.
            return graph.node("Gather", x, graph.constant(order, DType.INT64), axis=1 - len(shape))
        split = (batch, self.groups, channels // self.groups, *sizes)
        return _rearranged(graph, x, split, (0, 2, 1, *range(3, len(split))), shape)


OPERATIONS = (PixelShuffle, PixelUnshuffle, ChannelShuffle)
