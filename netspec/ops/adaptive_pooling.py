"""Adaptive pools: as many windows as asked for, whatever the input's size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import SIZE_LIMIT, Expected, spread
from netspec.ops.base import Demand, Op
from netspec.ops.faults import IMAGES, need_floating, need_rank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


_OutputSize = Annotated[int, Field(ge=1, le=SIZE_LIMIT)] | None
OutputPair = Annotated[
    tuple[_OutputSize, _OutputSize],
    BeforeValidator(spread(2), json_schema_input_type=_OutputSize | tuple[_OutputSize, _OutputSize]),
    Expected("a positive integer, or a list of two (height, width) in which null keeps the input's size"),
]


class AdaptiveAvgPool2d(Op):
    """Mean over as many windows as asked for, (N, C, H, W) -> (N, C, *output_size).

    Shape:   window i of n covers elements i H // n up to ceil((i + 1) H / n); null keeps an axis.
    Source:  torch.nn.AdaptiveAvgPool2d; ONNX GlobalAveragePool-1, AveragePool-11, MatMul-13.
    """

    output_size: OutputPair

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_rank("AdaptiveAvgPool2d", x, (4,), IMAGES)
        need_floating("AdaptiveAvgPool2d", x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        batch, channels, *sizes = x.known
        asked = (size if ask is None else ask for ask, size in zip(self.output_size, sizes, strict=True))
        return x.with_shape((batch, channels, *asked))

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

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(self.output_size)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        if self.output_size == (1, 1):
            return graph.node("GlobalAveragePool", x)
        window = self.window(graph.type(x))
        if window is not None:
            kernel = [axis.kernel for axis in window]
            attributes = {"kernel_shape": kernel, "strides": kernel, "pads": [0, 0, 0, 0]}
            return graph.node("AveragePool", x, count_include_pad=1, **attributes)
        sizes = graph.type(x).known[2:]
        lengths = graph.node("Shape", x)
        for axis, (parts, size) in enumerate(zip(self.output_size, sizes, strict=True), start=2):
            if parts is not None:
                x = _means(graph, x, axis, parts, size, lengths, dtype)
        return x


def _means(graph: Emitter, x: str, axis: int, parts: int, size: Size, lengths: str, dtype: DType) -> str:
    """Means over `parts` windows of one axis, whose lengths differ by one where `parts` does not divide.

    Gathers the elements of every window, the shorter ones filled up with a zero that is appended to the
    axis, and divides each sum by its window's own count.
    """
    if isinstance(size, int):
        starts = [i * size // parts for i in range(parts)]
        ends = [-(-(i + 1) * size // parts) for i in range(parts)]
        longest = max(end - start for start, end in zip(starts, ends, strict=True))
        members = [
            [start + j if start + j < end else size for j in range(longest)]
            for start, end in zip(starts, ends, strict=True)
        ]
        indices = graph.constant(members, DType.INT64)
        counts = graph.constant([end - start for start, end in zip(starts, ends, strict=True)], dtype)
    else:
        indices, counts = _windows_at_run_time(graph, axis, parts, lengths, dtype)
    pads = [0] * 8
    pads[4 + axis] = 1
    padded = graph.node("Pad", x, graph.constant(pads, DType.INT64))
    members_of = graph.node("Gather", padded, indices, axis=axis)
    total = graph.node("ReduceSum", members_of, graph.constant([axis + 1], DType.INT64), keepdims=0)
    if axis == 2:
        counts = graph.node("Unsqueeze", counts, graph.constant([1], DType.INT64))
    return graph.node("Div", total, counts)


def _windows_at_run_time(
    graph: Emitter, axis: int, parts: int, lengths: str, dtype: DType
) -> tuple[str, str]:
    """The members (parts, longest) and counts (parts,) of the windows over an axis of symbolic length."""

    def integer(value: int | list[int] | list[list[int]]) -> str:
        return graph.constant(value, DType.INT64)

    size = graph.node("Gather", lengths, integer(axis), axis=0)
    from_here = graph.node("Mul", integer([[i] for i in range(parts)]), size)
    to_here = graph.node("Mul", integer([[i + 1] for i in range(parts)]), size)
    starts = graph.node("Div", from_here, integer(parts))
    ends = graph.node("Div", graph.node("Add", to_here, integer(parts - 1)), integer(parts))
    counted = graph.node("Sub", ends, starts)
    longest = graph.node("ReduceMax", counted, keepdims=0)
    steps = graph.node("Range", integer(0), longest, integer(1))
    members = graph.node("Add", starts, steps)
    inside = graph.node("Less", members, ends)
    counts = graph.node("Cast", graph.node("Squeeze", counted, integer([1])), to=dtype)
    return graph.node("Where", inside, members, size), counts


OPERATIONS = (AdaptiveAvgPool2d,)
