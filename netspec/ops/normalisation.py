"""Normalisations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, NonNegativeFloat, PositiveInt, Probability
from netspec.ops.base import AtLeast, Demand, Fault, Op, Weight
from netspec.ops.faults import IMAGES, as_declared, need_floating, need_number, need_rank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class OneValueOnly(Diagnostic):
    """Statistics of a batch that has one value per channel: its variance is no estimate of anything."""

    code = "NS320"
    message = "{op} without running statistics needs more than one value per channel, not {count}: {input}"

    op: str
    count: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "leave track_running_stats out, or give the batch more than one sample"


class BatchNorm(Op):
    """What the batch normalisations share: a mean and a variance per channel, over all other dimensions."""

    ranks: ClassVar[tuple[int, ...]]
    takes: ClassVar[str]
    otherwise: ClassVar[str]  # the cure for an input of another rank

    num_features: PositiveInt | None = None
    eps: NonNegativeFloat = 1e-5
    momentum: Probability | None = 0.1
    affine: Bool = True
    track_running_stats: Bool = True
    bias: Bool = True

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        need_rank(op, x, self.ranks, self.takes, self.otherwise)
        need_floating(op, x)
        need_number(op, "channels", x.known[1], x)
        yield from as_declared("num_features", self.num_features, x.known[1], x)
        if not self.track_running_stats:
            count = product((x.known[0], *x.known[2:]))
            fault = OneValueOnly(op=op, count=count, input=x)
            yield AtLeast(count, 2, Fault(fault, field="track_running_stats", input=0))

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        # Without running statistics every element depends on the whole batch.
        return () if self.track_running_stats else None

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        channels = x.known[1]
        assert isinstance(channels, int)
        tensors = [Weight(name, (channels,), x.dtype) for name in self._parameters()]
        if self.track_running_stats:
            tensors += [
                Weight(name, (channels,), x.dtype, trained=False) for name in ("running_mean", "running_var")
            ]
            tensors.append(Weight("num_batches_tracked", (), DType.INT64, trained=False))
        return tuple(tensors)

    def _parameters(self) -> tuple[str, ...]:
        """The names of the parameters that there are; `bias` says nothing where there is no `affine`."""
        if not self.affine:
            return ()
        return ("weight", "bias") if self.bias else ("weight",)

    def _arguments(self, x: TensorType) -> dict[str, Any]:
        """The arguments of the torch module, but for the number of features."""
        from netspec.torch_backend.dtypes import torch_dtype

        # torch has not always had `bias`, so that it is passed only where it says something.
        bias = {} if self.bias else {"bias": False}
        return bias | {
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": self.affine,
            "track_running_stats": self.track_running_stats,
            "dtype": torch_dtype(x.dtype),
        }

    @property
    def writes_constants(self) -> bool:
        return not self.track_running_stats

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype, channels = graph.type(x).dtype, graph.type(x).known[1]
        assert isinstance(channels, int)
        if not self.track_running_stats:
            return self._of_the_batch(graph, x, weights)
        scale, shift = (
            weights[name] if name in self._parameters() else graph.constant([neutral] * channels, dtype)
            for name, neutral in (("weight", 1.0), ("bias", 0.0))
        )
        statistics = weights["running_mean"], weights["running_var"]
        return graph.node("BatchNormalization", x, scale, shift, *statistics, epsilon=self.eps)

    def _of_the_batch(self, graph: Emitter, x: str, weights: Weights) -> str:
        """Normalise by the statistics of this very batch, as torch does when it tracks none."""
        dtype, rank = graph.type(x).dtype, graph.type(x).rank
        others = [axis for axis in range(rank) if axis != 1]

        def mean(tensor: str) -> str:
            if graph.opset < 18:
                return graph.node("ReduceMean", tensor, axes=others, keepdims=1)
            return graph.node("ReduceMean", tensor, graph.constant(others, DType.INT64), keepdims=1)

        centred = graph.node("Sub", x, mean(x))
        # A runtime that adds element after element misses the mean of a large batch. Where all elements
        # are nearly equal, only that error would be left, so that the mean of the rest is taken off too.
        centred = graph.node("Sub", centred, mean(centred))
        variance = mean(graph.node("Mul", centred, centred))
        spread = graph.node("Sqrt", graph.node("Add", variance, graph.constant(self.eps, dtype)))
        y = graph.node("Div", centred, spread)
        for name, operator in zip(self._parameters(), ("Mul", "Add"), strict=False):
            parameter = weights[name]
            if rank > 2:
                per_channel = graph.constant([-1] + [1] * (rank - 2), DType.INT64)
                parameter = graph.node("Reshape", parameter, per_channel)
            y = graph.node(operator, y, parameter)
        return y


class BatchNorm1d(BatchNorm):
    """Batch normalisation, (N, C) or (N, C, L) -> the same shape.

    Evaluation: (x - running_mean) / sqrt(running_var + eps) * weight + bias, per channel; without
    track_running_stats, by the mean and variance of the batch itself.

    Errors:  NS301 the input has other than 2 or 3 dimensions; NS305 num_features differs from C;
             NS320 one value per channel without track_running_stats.
    Source:  torch.nn.BatchNorm1d; ONNX BatchNormalization-15.
    """

    ranks = (2, 3)
    takes = "(N, C) or (N, C, L)"
    otherwise = "BatchNorm2d is for images (N, C, H, W)"

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        channels = x.known[1]
        assert isinstance(channels, int)
        return nn.BatchNorm1d(channels, **self._arguments(x))


class BatchNorm2d(BatchNorm):
    """Batch normalisation of images, (N, C, H, W) -> the same shape.

    Evaluation: (x - running_mean) / sqrt(running_var + eps) * weight + bias, per channel; without
    track_running_stats, by the mean and variance of the batch itself.

    Errors:  NS301 the input has other than 4 dimensions; NS305 num_features differs from C;
             NS320 one value per channel without track_running_stats.
    Source:  torch.nn.BatchNorm2d; ONNX BatchNormalization-15.
    """

    ranks = (4,)
    takes = IMAGES
    otherwise = "BatchNorm1d is for (N, C) and (N, C, L)"

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        channels = x.known[1]
        assert isinstance(channels, int)
        return nn.BatchNorm2d(channels, **self._arguments(x))


OPERATIONS = (BatchNorm1d, BatchNorm2d)
