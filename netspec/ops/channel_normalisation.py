"""Normalisations of each channel: by statistics of the batch, of the sample, or kept from training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, NonNegativeFloat, PositiveInt, Probability
from netspec.ops.base import Demand, Weight
from netspec.ops.broadcasting import need_held
from netspec.ops.faults import BATCHES, as_declared, need_floating, need_number, need_rank
from netspec.ops.normalising import OneValueOnly, PerChannel, centred, mean, need_spread

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class ChannelNorm(PerChannel):
    """What all share: a mean and a variance per channel, which are taken off and divided by.

    With `track_running_stats` they are those of training; without it they are taken anew in evaluation too.
    """

    ranks: ClassVar[tuple[int, ...]]
    takes: ClassVar[str]
    otherwise: ClassVar[str]  # the cure for an input of another rank
    unit: ClassVar[str]  # of which there is one mean
    more_values: ClassVar[str]  # the cure for statistics of one value

    num_features: PositiveInt | None = None
    eps: NonNegativeFloat = 1e-5
    momentum: Probability | None = 0.1
    track_running_stats: Bool

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        need_rank(op, x, self.ranks, self.takes, self.otherwise)
        need_floating(op, x)
        need_held("eps", self.eps, x.dtype)
        need_number(op, "channels", x.known[1], x)
        yield from as_declared("num_features", self.num_features, x.known[1], x)
        if not self.track_running_stats:
            fault = OneValueOnly(
                op=op,
                lacking=" without running statistics",
                unit=self.unit,
                count=product(tuple(x.known[axis] for axis in self.reduces(x))),
                input=x,
                advice=self.more_values,
            )
            written = "track_running_stats" in self.model_fields_set
            yield from need_spread(fault, "track_running_stats" if written else None)

    @abstractmethod
    def reduces(self, x: TensorType) -> tuple[int, ...]:
        """The axes over which statistics are taken."""

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        # Without running statistics every element depends on whole planes.
        return () if self.track_running_stats else None

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        channels = x.known[1]
        assert isinstance(channels, int)
        tensors = [Weight(name, (channels,), x.dtype) for name in self.parameters]
        if self.track_running_stats:
            tensors += [
                Weight(name, (channels,), x.dtype, trained=False) for name in ("running_mean", "running_var")
            ]
            tensors.append(Weight("num_batches_tracked", (), DType.INT64, trained=False))
        return tuple(tensors)

    def held(self, x: TensorType) -> Size:
        return x.known[1]

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, type(self).__name__)(
            x.known[1],
            eps=self.eps,
            momentum=self.momentum,
            track_running_stats=self.track_running_stats,
            **self.affine_arguments(x),
        )
        return module

    def scale_and_shift(self, graph: Emitter, x: str, weights: Weights) -> list[str]:
        """One number a channel to multiply by and one to add; 1 and 0 where there is no parameter."""
        dtype, channels = graph.type(x).dtype, graph.type(x).known[1]
        assert isinstance(channels, int)
        return [
            weights[name] if name in self.parameters else graph.constant([neutral] * channels, dtype)
            for name, neutral in (("weight", 1.0), ("bias", 0.0))
        ]

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        if not self.track_running_stats:
            return self.lower_untracked(graph, x, weights)
        statistics = weights["running_mean"], weights["running_var"]
        affine = self.scale_and_shift(graph, x, weights)
        return graph.node("BatchNormalization", x, *affine, *statistics, epsilon=self.eps)

    @abstractmethod
    def lower_untracked(self, graph: Emitter, x: str, weights: Weights) -> str:
        """The same by the statistics of this very input, as torch does when it tracks none."""


class BatchNorm(ChannelNorm):
    """By the statistics of a channel in the whole batch."""

    unit = "channel"
    more_values = "leave track_running_stats out, or give the batch more than one sample"

    track_running_stats: Bool = True

    def reduces(self, x: TensorType) -> tuple[int, ...]:
        return (0, *range(2, x.rank))

    @property
    def writes_constants(self) -> bool:
        return not self.track_running_stats

    def lower_untracked(self, graph: Emitter, x: str, weights: Weights) -> str:
        axes = self.reduces(graph.type(x))
        # A runtime that adds element after element misses the mean of a large batch. Where all elements
        # are nearly equal, only that error would be left, so that the mean of the rest is taken off too.
        rest = centred(graph, centred(graph, x, axes), axes)
        variance = mean(graph, graph.node("Mul", rest, rest), axes)
        eps = graph.constant(self.eps, graph.type(x).dtype)
        spread = graph.node("Sqrt", graph.node("Add", variance, eps))
        return self.scaled(graph, graph.node("Div", rest, spread), x, weights)


class BatchNorm1d(BatchNorm):
    """Batch normalisation, (N, C) or (N, C, L) -> the same shape.

    Evaluation: (x - running_mean) / sqrt(running_var + eps) * weight + bias, per channel; without
    track_running_stats, by the mean and variance of the batch itself.

    Errors:  NS301 the input has other than 2 or 3 dimensions; NS305 num_features differs from C;
             NS320 one value per channel without track_running_stats.
    Source:  torch.nn.BatchNorm1d; ONNX BatchNormalization-15.
    Example: (N, 64, L) -> BatchNorm1d -> (N, 64, L)
    """

    ranks = (2, 3)
    takes = "(N, C) or (N, C, L)"
    otherwise = "BatchNorm2d is for images (N, C, H, W)"


class BatchNorm2d(BatchNorm):
    """Batch normalisation of images, (N, C, H, W) -> the same shape.

    Evaluation: (x - running_mean) / sqrt(running_var + eps) * weight + bias, per channel; without
    track_running_stats, by the mean and variance of the batch itself.

    Errors:  NS301 the input has other than 4 dimensions; NS305 num_features differs from C;
             NS320 one value per channel without track_running_stats.
    Source:  torch.nn.BatchNorm2d; ONNX BatchNormalization-15.
    Example: (N, 64, H, W) -> BatchNorm2d -> (N, 64, H, W)
    """

    ranks = (4,)
    takes = BATCHES[2]
    otherwise = "BatchNorm1d is for (N, C) and (N, C, L)"


class BatchNorm3d(BatchNorm):
    """Batch normalisation of volumes, (N, C, D, H, W) -> the same shape.

    Evaluation: (x - running_mean) / sqrt(running_var + eps) * weight + bias, per channel; without
    track_running_stats, by the mean and variance of the batch itself.

    Errors:  NS301 the input has other than 5 dimensions; NS305 num_features differs from C;
             NS320 one value per channel without track_running_stats.
    Source:  torch.nn.BatchNorm3d; ONNX BatchNormalization-15.
    Example: (N, 16, D, H, W) -> BatchNorm3d -> (N, 16, D, H, W)
    """

    ranks = (5,)
    takes = BATCHES[3]
    otherwise = "BatchNorm2d is for images (N, C, H, W), BatchNorm1d for (N, C) and (N, C, L)"


class InstanceNorm(ChannelNorm):
    """By the statistics of a channel in one sample."""

    unit = "channel of a sample"
    more_values = "there is nothing to normalise: leave it out, or write track_running_stats: true"

    affine: Bool = False
    track_running_stats: Bool = False

    def reduces(self, x: TensorType) -> tuple[int, ...]:
        return tuple(range(2, x.rank))

    def lower_untracked(self, graph: Emitter, x: str, weights: Weights) -> str:
        # onnxruntime adds the elements of a plane one after another, and of a large one misses the mean.
        # What is centred before has a mean of which nothing can be missed.
        rest = centred(graph, x, self.reduces(graph.type(x)))
        affine = self.scale_and_shift(graph, x, weights)
        return graph.node("InstanceNormalization", rest, *affine, epsilon=self.eps)


class InstanceNorm1d(InstanceNorm):
    """Normalisation of each channel of each sequence, (N, C, L) -> the same shape.

    (x - mean) / sqrt(variance + eps) * weight + bias, by the mean and variance over L, or with
    track_running_stats in evaluation by the running ones.

    Errors:  NS301 the input has other than 3 dimensions; NS305 num_features differs from C;
             NS320 an L of 1 without track_running_stats.
    Source:  torch.nn.InstanceNorm1d; ONNX InstanceNormalization-6, BatchNormalization-15.
    Example: (N, 64, 100) -> InstanceNorm1d: {affine: true} -> (N, 64, 100)
    """

    ranks = (3,)
    takes = BATCHES[1]
    otherwise = "InstanceNorm2d is for images (N, C, H, W), LayerNorm for vectors (N, C)"


class InstanceNorm2d(InstanceNorm):
    """Normalisation of each channel of each image, (N, C, H, W) -> the same shape.

    (x - mean) / sqrt(variance + eps) * weight + bias, by the mean and variance over H and W, or with
    track_running_stats in evaluation by the running ones.

    Errors:  NS301 the input has other than 4 dimensions; NS305 num_features differs from C;
             NS320 one pixel without track_running_stats.
    Source:  torch.nn.InstanceNorm2d; ONNX InstanceNormalization-6, BatchNormalization-15.
    Example: (N, 64, 56, 56) -> InstanceNorm2d -> (N, 64, 56, 56)
    """

    ranks = (4,)
    takes = BATCHES[2]
    otherwise = "InstanceNorm1d is for sequences (N, C, L), LayerNorm for vectors (N, C)"


class InstanceNorm3d(InstanceNorm):
    """Normalisation of each channel of each volume, (N, C, D, H, W) -> the same shape.

    (x - mean) / sqrt(variance + eps) * weight + bias, by the mean and variance over D, H and W, or with
    track_running_stats in evaluation by the running ones.

    Errors:  NS301 the input has other than 5 dimensions; NS305 num_features differs from C;
             NS320 one voxel without track_running_stats.
    Source:  torch.nn.InstanceNorm3d; ONNX InstanceNormalization-6, BatchNormalization-15.
    Example: (N, 16, 8, 32, 32) -> InstanceNorm3d -> (N, 16, 8, 32, 32)
    """

    ranks = (5,)
    takes = BATCHES[3]
    otherwise = "InstanceNorm2d is for images (N, C, H, W), InstanceNorm1d for sequences (N, C, L)"


OPERATIONS = (BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
