"""Adaptive pools: as many windows as asked for, whatever the input's size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import SIZE_LIMIT, Bool, Expected, Single, spread
from netspec.ops.base import Decision, Demand, Indexed, Op, Types
from netspec.ops.faults import need_batch, need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

_OutputSize = Annotated[int, Field(ge=1, le=SIZE_LIMIT)] | None
OutputPair = Annotated[
    tuple[_OutputSize, _OutputSize],
    BeforeValidator(spread(2), json_schema_input_type=_OutputSize | tuple[_OutputSize, _OutputSize]),
    Expected("a positive integer, or a list of two (height, width) in which null keeps the input's size"),
]
OutputTriple = Annotated[
    tuple[_OutputSize, _OutputSize, _OutputSize],
    BeforeValidator(
        spread(3), json_schema_input_type=_OutputSize | tuple[_OutputSize, _OutputSize, _OutputSize]
    ),
    Expected(
        "a positive integer, or a list of three (depth, height, width) in which null keeps the input's size"
    ),
]


class AdaptivePool(Op):
    """What the adaptive pools share: (N, C, *) -> (N, C, *output_size)."""

    output_size: tuple[int | None, ...]

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        need_batch(op, x, len(self.output_size))
        need_floating(op, x)
        yield from ()

    def _pooled(self, x: TensorType) -> TensorType:
        asked = zip(self.output_size, x.known[2:], strict=True)
        return x.with_shape((*x.known[:2], *(size if ask is None else ask for ask, size in asked)))

    def infer(self, x: TensorType) -> Types:
        return self._pooled(x)

    def window(self, x: TensorType) -> Window | None:
        axes = []
        for ask, size in zip(self.output_size, x.known[2:], strict=True):
            if ask is None or ask == size:
                axes.append(Axis(1))
            elif isinstance(size, int) and size % ask == 0:
                axes.append(Axis(size // ask, size // ask))
            else:
                return None
        return tuple(axes)

    def _is_global(self) -> bool:
        return set(self.output_size) == {1}


class AdaptiveAvgPool(AdaptivePool):
    """What AdaptiveAvgPool1d, AdaptiveAvgPool2d and AdaptiveAvgPool3d share."""

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        if self._is_global():
            return self._mean_of_all(graph, x)
        from netspec.onnx_backend.adaptive import averaged

        return averaged(graph, x, self._pooled(graph.type(x)).known[2:])

    def _mean_of_all(self, graph: Emitter, x: str) -> str:
        if len(self.output_size) < 3:
            return graph.node("GlobalAveragePool", x)
        from netspec.onnx_backend.reductions import reduced

        # What OpenCV pools has at most two axes behind the channels.
        return reduced(graph, "ReduceMean", x, [2, 3, 4], keepdims=True)


class AdaptiveMaxPool(AdaptivePool):
    """What AdaptiveMaxPool1d, AdaptiveMaxPool2d and AdaptiveMaxPool3d share."""

    return_indices: Bool = False

    def ports(self, *inputs: Any) -> tuple[str, ...]:
        return ("output", "indices") if self.return_indices else ("output",)

    def decides(self, port: int, *inputs: Any) -> Decision | None:
        return Indexed(0, tuple(range(-len(self.output_size), 0))) if port == 1 else None

    def infer(self, x: TensorType) -> Types:
        y = self._pooled(x)
        return (y, TensorType(y.shape, DType.INT64, within=x.known[2:])) if self.return_indices else y

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        if graph.is_read(1):
            return self._with_places(graph, x)
        y = self._maxima(graph, x)
        return (y, "") if self.return_indices else y

    def _maxima(self, graph: Emitter, x: str) -> str:
        if self._is_global():
            return graph.node("GlobalMaxPool", x)
        window = self.window(graph.type(x))
        if window is not None:
            kernel = [axis.kernel for axis in window]
            ends = [0] * 2 * len(kernel)
            return graph.node("MaxPool", x, kernel_shape=kernel, strides=kernel, pads=ends)
        from netspec.onnx_backend.adaptive import Windows, maxima
        from netspec.onnx_backend.lengths import length_of

        y = x
        for axis, ask in enumerate(self.output_size, start=2):
            if ask is not None:
                y = maxima(graph, y, axis, Windows.of(graph, length_of(graph, x, axis), ask))
        return y

    def _with_places(self, graph: Emitter, x: str) -> tuple[str, str]:
        spatial = len(self.output_size)
        if self._is_global():
            flat = graph.node("Reshape", x, graph.constant([0, 0, -1], DType.INT64))
            place = graph.node("ArgMax", flat, axis=2, keepdims=1)
            if spatial > 1:
                place = graph.node("Reshape", place, graph.constant([0, 0, *[1] * spatial], DType.INT64))
            return graph.node("GlobalMaxPool", x), place
        from netspec.onnx_backend.adaptive import Windows, maxima_and_places
        from netspec.onnx_backend.lengths import length_of

        lengths = [length_of(graph, x, axis) for axis in range(2, 2 + spatial)]
        asked = zip(lengths, self.output_size, strict=True)
        windows = [Windows.of(graph, length, length if ask is None else ask) for length, ask in asked]
        return maxima_and_places(graph, x, windows, lengths)


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """Mean over as many windows as asked for, (N, C, L) -> (N, C, output_size).

    Shape:   window i of n covers elements i L // n up to ceil((i + 1) L / n).
    Source:  torch.nn.AdaptiveAvgPool1d; ONNX GlobalAveragePool-1, AveragePool-11, Gather-13, ReduceSum-13.
    Example: (N, 64, L) -> AdaptiveAvgPool1d: {output_size: 1} -> (N, 64, 1)
    """

    output_size: Single

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool1d(self.output_size)


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """Mean over as many windows as asked for, (N, C, H, W) -> (N, C, *output_size).

    Shape:   window i of n covers elements i H // n up to ceil((i + 1) H / n); null keeps an axis.
    Source:  torch.nn.AdaptiveAvgPool2d; ONNX GlobalAveragePool-1, AveragePool-11, Gather-13, ReduceSum-13.
    Example: (N, 512, H, W) -> AdaptiveAvgPool2d: {output_size: 1} -> (N, 512, 1, 1)
    """

    output_size: OutputPair

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(self.output_size)


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """Mean over as many windows as asked for, (N, C, D, H, W) -> (N, C, *output_size).

    Shape:   window i of n covers elements i D // n up to ceil((i + 1) D / n); null keeps an axis.
    Source:  torch.nn.AdaptiveAvgPool3d; ONNX ReduceMean-13, -18, AveragePool-11, Gather-13, ReduceSum-13.
    Example: (N, 16, 8, 30, 30) -> AdaptiveAvgPool3d: {output_size: [null, 7, 7]} -> (N, 16, 8, 7, 7)
    """

    output_size: OutputTriple

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool3d(self.output_size)


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """Maximum over as many windows as asked for, (N, C, L) -> (N, C, output_size).

    Shape:   window i of n covers elements i L // n up to ceil((i + 1) L / n).
    Ports:   output; indices (int64, along the sequence) with return_indices.
    Source:  torch.nn.AdaptiveMaxPool1d; ONNX GlobalMaxPool-1, MaxPool-12, Gather-13, ReduceMax-13, ArgMax-13.
    Example: (N, 64, 100) -> AdaptiveMaxPool1d: {output_size: 7} -> (N, 64, 7)
    """

    output_size: Single

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool1d(self.output_size, self.return_indices)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """Maximum over as many windows as asked for, (N, C, H, W) -> (N, C, *output_size).

    Shape:   window i of n covers elements i H // n up to ceil((i + 1) H / n); null keeps an axis.
    Ports:   output; indices (int64, flat within each H x W plane) with return_indices.
    Source:  torch.nn.AdaptiveMaxPool2d; ONNX GlobalMaxPool-1, MaxPool-12, Gather-13, ReduceMax-13, ArgMax-13.
    Example: (N, 512, 13, 13) -> AdaptiveMaxPool2d: {output_size: 6} -> (N, 512, 6, 6)
    """

    output_size: OutputPair

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool2d(self.output_size, self.return_indices)


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """Maximum over as many windows as asked for, (N, C, D, H, W) -> (N, C, *output_size).

    Shape:   window i of n covers elements i D // n up to ceil((i + 1) D / n); null keeps an axis.
    Ports:   output; indices (int64, flat within each D x H x W volume) with return_indices.
    Source:  torch.nn.AdaptiveMaxPool3d; ONNX GlobalMaxPool-1, MaxPool-12, Gather-13, ReduceMax-13, ArgMax-13.
    Example: (N, 16, D, H, W) -> AdaptiveMaxPool3d: {output_size: 1} -> (N, 16, 1, 1, 1)
    """

    output_size: OutputTriple

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool3d(self.output_size, self.return_indices)


OPERATIONS = (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
)
