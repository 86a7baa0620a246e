"""Normalisation of groups of channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import NonNegativeFloat, PositiveInt
from netspec.ops.base import Demand, Fault, Weight
from netspec.ops.broadcasting import need_held
from netspec.ops.faults import as_declared, need_floating, need_number, need_rank
from netspec.ops.normalising import OneValueOnly, PerChannel, centred, need_spread, reshaped_as

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class GroupsDoNotDivide(Diagnostic):
    """GroupNorm splits the channels into groups of one size."""

    code = "NS350"
    message = "num_groups must divide the channels: {groups} does not divide {channels}"

    groups: int
    channels: int

    @property
    def help(self) -> str:
        return "num_groups: {near} divides {channels}"

    @property
    def near(self) -> int:
        """The largest number up to `groups` that divides the channels."""
        most = min(self.groups, self.channels)
        return next(number for number in range(most, 0, -1) if self.channels % number == 0)


class GroupNorm(PerChannel):
    """Normalisation of groups of channels of each sample, (N, C, *) -> (N, C, *).

    (x - mean) / sqrt(variance + eps) * weight + bias, by the mean and variance of C / num_groups channels at
    all positions; weight and bias are per channel.

    Errors:  NS305 num_channels differs from C; NS320 one value per group; NS350 num_groups does not divide C.
    Source:  torch.nn.GroupNorm; ONNX InstanceNormalization-6, between Reshapes.
    Example: (N, 64, H, W) -> GroupNorm: {num_groups: 8} -> (N, 64, H, W)
    """

    num_groups: PositiveInt
    num_channels: PositiveInt | None = None
    eps: NonNegativeFloat = 1e-5

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("GroupNorm", x, tuple(range(2, max(x.rank, 2) + 1)), "(N, C) or (N, C, …)")
        need_floating("GroupNorm", x)
        need_held("eps", self.eps, x.dtype)
        channels = x.known[1]
        need_number("GroupNorm", "channels", channels, x)
        yield from as_declared("num_channels", self.num_channels, channels, x)
        if not isinstance(channels, int):
            return
        if channels % self.num_groups:
            undivided = GroupsDoNotDivide(groups=self.num_groups, channels=channels)
            raise Fault(undivided, field="num_groups", input=0)
        fault = OneValueOnly(
            op="GroupNorm",
            lacking="",
            unit="group of channels",
            count=channels // self.num_groups * product(x.known[2:]),
            input=x,
            advice="make fewer groups",
        )
        yield from need_spread(fault, "num_groups")

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        return None

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        channels = x.known[1]
        assert isinstance(channels, int)
        return tuple(Weight(name, (channels,), x.dtype) for name in self.parameters)

    def held(self, x: TensorType) -> Size:
        return x.known[1]

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        channels = x.known[1]
        assert isinstance(channels, int)
        return nn.GroupNorm(self.num_groups, channels, self.eps, **self.affine_arguments(x))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # Not GroupNormalization, which came with opset 21: onnxruntime takes its variance as the difference
        # of two means, of which nothing is left where the mean is a hundred times the spread.
        type, groups = graph.type(x), self.num_groups
        rows = graph.node("Reshape", x, graph.constant([0, groups, -1], DType.INT64))
        # Centred before, since onnxruntime misses the mean of a long row.
        neutral = (graph.constant([number] * groups, type.dtype) for number in (1.0, 0.0))
        rows = graph.node("InstanceNormalization", centred(graph, rows, (2,)), *neutral, epsilon=self.eps)
        return self.scaled(graph, reshaped_as(graph, rows, x), x, weights)


OPERATIONS = (GroupNorm,)
