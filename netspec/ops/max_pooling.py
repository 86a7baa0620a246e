"""Pools that take a maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import (
    Bool,
    NonNegativePair,
    NonNegativeSingle,
    NonNegativeTriple,
    Pair,
    Single,
    Triple,
)
from netspec.ops.base import Decision, Indexed, Types
from netspec.ops.pooling import Pool

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

Ends = list[tuple[int, int]]


class MaxPool(Pool):
    """What MaxPool1d, MaxPool2d and MaxPool3d share."""

    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    return_indices: Bool = False

    def _paddings(self) -> tuple[int, ...]:
        return self.padding

    def _dilations(self) -> tuple[int, ...]:
        return self.dilation

    def ports(self, *inputs: Any) -> tuple[str, ...]:
        return ("output", "indices") if self.return_indices else ("output",)

    def decides(self, port: int, *inputs: Any) -> Decision | None:
        return Indexed(0, tuple(range(-len(self.kernel_size), 0))) if port == 1 else None

    def infer(self, x: TensorType) -> Types:
        y = self._pooled(x)
        return (y, TensorType(y.shape, DType.INT64, within=x.known[2:])) if self.return_indices else y

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        source, ends = x, self._ends()
        padded = any(max(pair) >= k for pair, k in zip(ends, self.kernel_size, strict=True))
        if padded:
            # onnxruntime refuses padding as wide as the kernel, which dilation allows in torch.
            from netspec.onnx_backend.padding import padded as pad

            lowest = graph.constant(float("-inf"), graph.type(x).dtype)
            x = pad(graph, x, [(0, 0), (0, 0), *ends], value=lowest)
        amounts = [before for before, _ in ends] + [after for _, after in ends]
        attributes = {
            "kernel_shape": self.kernel_size,
            "strides": [axis.stride for axis in self.window()],
            "pads": [0] * len(amounts) if padded else amounts,
            "dilations": self.dilation,
        }
        if not graph.is_read(1):
            y = graph.node("MaxPool", x, **attributes)
            return (y, "") if self.return_indices else y
        y, flat = graph.nodes("MaxPool", x, outputs=2, **attributes)
        return y, _in_plane(graph, flat, source, ends if padded else None)


def _in_plane(graph: Emitter, flat: str, source: str, ends: Ends | None) -> str:
    """Indices within each plane of `source`, from ONNX's, which are flat over the whole (padded) tensor.

    Behind padding the coordinates are taken out of an index one by one, the last axis first.
    """
    from netspec.onnx_backend.lengths import Length, as_tensor, length_of, plus, times

    axes = range(2, graph.type(source).rank)
    lengths = [length_of(graph, source, axis) for axis in axes]
    if ends is None:
        plane: Length = 1
        for length in lengths:
            plane = times(graph, plane, length)
        return graph.node("Mod", flat, as_tensor(graph, plane))
    rest, index = flat, ""
    step: Length = 1
    for (before, after), length in zip(reversed(ends), reversed(lengths), strict=True):
        wide = as_tensor(graph, plus(graph, length, before + after))
        place = graph.node("Mod", rest, wide)
        if before:
            place = graph.node("Sub", place, graph.constant([before], DType.INT64))
        index = graph.node("Add", index, graph.node("Mul", place, as_tensor(graph, step))) if index else place
        step = times(graph, step, length)
        rest = graph.node("Div", rest, wide)
    return index


class MaxPool1d(MaxPool):
    """Maximum over windows, (N, C, L) -> (N, C, L'), and with `return_indices` where each stood.

    Shape:   L' = (L + 2 p - d (k - 1) - 1) // s + 1, rounded up with ceil_mode.
    Ports:   output; indices (int64, along the sequence) with return_indices.
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel;
             NS319 a dilated window that lies in padding alone.
    Source:  torch.nn.MaxPool1d; ONNX MaxPool-12.
    Example: (N, 64, 1000) -> MaxPool1d: {kernel_size: 4} -> (N, 64, 250)
    """

    kernel_size: Single
    stride: Single | None = None
    padding: NonNegativeSingle = (0,)
    dilation: Single = (1,)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxPool1d(**self._arguments())


class MaxPool2d(MaxPool):
    """Maximum over windows, (N, C, H, W) -> (N, C, H', W'), and with `return_indices` where each stood.

    Shape:   H' = (H + 2 p - d (k - 1) - 1) // s + 1, rounded up with ceil_mode; W' likewise.
    Ports:   output; indices (int64, flat within each H x W plane) with return_indices.
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel;
             NS319 a dilated window that lies in padding alone.
    Source:  torch.nn.MaxPool2d; ONNX MaxPool-12.
    Example: (N, 64, 28, 28) -> MaxPool2d: {kernel_size: 2, return_indices: true}
             -> (N, 64, 14, 14), indices (N, 64, 14, 14) of int64
    """

    kernel_size: Pair
    stride: Pair | None = None
    padding: NonNegativePair = (0, 0)
    dilation: Pair = (1, 1)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(**self._arguments())


class MaxPool3d(MaxPool):
    """Maximum over windows, (N, C, D, H, W) -> (N, C, D', H', W'), with `return_indices` where each stood.

    Shape:   D' = (D + 2 p - d (k - 1) - 1) // s + 1, rounded up with ceil_mode; H', W' likewise.
    Ports:   output; indices (int64, flat within each D x H x W volume) with return_indices.
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel;
             NS319 a dilated window that lies in padding alone.
    Source:  torch.nn.MaxPool3d; ONNX MaxPool-12.
    Example: (N, 16, 8, 32, 32) -> MaxPool3d: {kernel_size: [1, 2, 2]} -> (N, 16, 8, 16, 16)
    """

    kernel_size: Triple
    stride: Triple | None = None
    padding: NonNegativeTriple = (0, 0, 0)
    dilation: Triple = (1, 1, 1)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxPool3d(**self._arguments())


OPERATIONS = (MaxPool1d, MaxPool2d, MaxPool3d)
