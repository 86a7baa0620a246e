"""Dropouts: noise in training, nothing in evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Bool, Expected, Probability
from netspec.ops.base import Demand, Op
from netspec.ops.faults import need_batch, need_floating, need_rank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Noise(Op):
    """What all share: the type stays, and in evaluation the input too, so that nothing of it is exported."""

    p: Probability

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating(type(self).__name__, x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return x


class Zeroing(Noise):
    """What those of torch share.

    `inplace` is taken and changes nothing: other layers may read the input too, so that it is not
    overwritten.
    """

    p: Probability = 0.5
    inplace: Bool = False

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, type(self).__name__)(self.p)
        return module


class Dropout(Zeroing):
    """Zeroes elements with probability `p` in training and scales the rest by 1 / (1 - p), (*) -> (*).

    In evaluation it is the identity, so that nothing of it is exported.

    Source:  torch.nn.Dropout.
    Example: (N, 4096) -> Dropout: {p: 0.5} -> (N, 4096)
    """


class ChannelDropout(Zeroing):
    """What those share that zero a whole channel of a sample."""

    spatial: ClassVar[int]

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_batch(type(self).__name__, x, self.spatial)
        yield from super().demands(x)


class Dropout1d(ChannelDropout):
    """Zeroes channels of sequences with probability `p` in training, (N, C, L) -> (N, C, L).

    The rest is scaled by 1 / (1 - p). In evaluation it is the identity, so that nothing of it is exported.

    Source:  torch.nn.Dropout1d.
    Example: (N, 64, L) -> Dropout1d: {p: 0.2} -> (N, 64, L)
    """

    spatial = 1


class Dropout2d(ChannelDropout):
    """Zeroes channels of images with probability `p` in training, (N, C, H, W) -> (N, C, H, W).

    The rest is scaled by 1 / (1 - p). In evaluation it is the identity, so that nothing of it is exported.

    Source:  torch.nn.Dropout2d.
    Example: (N, 64, H, W) -> Dropout2d: {p: 0.2} -> (N, 64, H, W)
    """

    spatial = 2


class Dropout3d(ChannelDropout):
    """Zeroes channels of volumes with probability `p` in training, (N, C, D, H, W) -> the same shape.

    The rest is scaled by 1 / (1 - p). In evaluation it is the identity, so that nothing of it is exported.

    Source:  torch.nn.Dropout3d.
    Example: (N, 16, D, H, W) -> Dropout3d: {p: 0.2} -> (N, 16, D, H, W)
    """

    spatial = 3


class AlphaDropout(Zeroing):
    """Sets elements to the lowest value of SELU with probability `p` in training, (*) -> (*).

    Mean and variance are then restored. In evaluation it is the identity, so that nothing of it is exported.

    Source:  torch.nn.AlphaDropout.
    Example: (N, 128) -> AlphaDropout: {p: 0.1} -> (N, 128)
    """


class FeatureAlphaDropout(Zeroing):
    """Sets channels to the lowest value of SELU with probability `p` in training, (N, C, *) -> (N, C, *).

    Mean and variance are then restored. In evaluation it is the identity, so that nothing of it is exported.

    Source:  torch.nn.FeatureAlphaDropout.
    Example: (N, 64, H, W) -> FeatureAlphaDropout: {p: 0.1} -> (N, 64, H, W)
    """

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("FeatureAlphaDropout", x, tuple(range(2, max(x.rank, 2) + 1)), "(N, C) or (N, C, …)")
        yield from super().demands(x)


class StochasticDepth(Noise):
    """Zeroes whole samples with probability `p` in training and scales the rest by 1 / (1 - p), (*) -> (*).

    `mode: row` draws for every sample, `batch` for all of them together. It stands at the end of a residual
    branch, which it then leaves out. In evaluation it is the identity, so that nothing of it is exported.

    Source:  torchvision.ops.StochasticDepth.
    Example: (N, 24, 56, 56) -> StochasticDepth: {p: 0.2, mode: row} -> (N, 24, 56, 56)
    """

    mode: Annotated[Literal["batch", "row"], Expected("batch or row")]

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.stochastic_depth import StochasticDepth as Module

        return Module(self.p, self.mode)


OPERATIONS = (
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    AlphaDropout,
    FeatureAlphaDropout,
    StochasticDepth,
)
