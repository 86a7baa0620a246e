"""Pools that take a mean, and those that take a norm, which is a mean of powers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Axis
from netspec.ops.arguments import (
    Bool,
    NonNegativePair,
    NonNegativeSingle,
    NonNegativeTriple,
    Pair,
    PositiveFloat,
    PositiveInt,
    Single,
    Triple,
)
from netspec.ops.pooling import Pool

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Nested, Weights

Ends = list[tuple[int, int]]


class Averaging(Pool):
    """What the means and the norms share: every window's sum, over its own count of elements."""

    def _counts_padding(self) -> bool:
        """Whether elements of the padding count."""
        return True

    def _fixed_divisor(self) -> int | None:
        """What the sums are divided by, if not by how many elements each window counts."""
        return None

    def _room(self, axis: Axis) -> int:
        # torch wants the whole kernel inside the input here, whatever is padded.
        return 0 if len(self.kernel_size) == 3 else super()._room(axis)

    def _averaged(self, graph: Emitter, x: str, source: str) -> str:
        """The mean of every window over `x`, which has the type of the layer's input `source`."""
        ends = self._ends()
        if self._fixed_divisor() is None and not any(map(any, ends)):
            return self._mean(graph, x)
        dtype = graph.type(source).dtype
        # The sum of every window, then its own divisor. Runtimes disagree on AveragePool's padding and
        # ceil_mode; explicit padding and an exact count mean the same to all of them.
        total = graph.node("Mul", self._mean(graph, _padded(graph, x, ends)), self._elements(graph, dtype))
        return graph.node("Div", total, self._divisor(graph, source, ends, dtype))

    def _mean(self, graph: Emitter, x: str) -> str:
        return graph.node(
            "AveragePool",
            x,
            kernel_shape=self.kernel_size,
            strides=[axis.stride for axis in self.window()],
            pads=[0] * 2 * len(self.kernel_size),
            ceil_mode=0,
            count_include_pad=1,
        )

    def _elements(self, graph: Emitter, dtype: DType) -> str:
        elements = 1
        for length in self.kernel_size:
            elements *= length
        return graph.constant(elements, dtype)

    def _divisor(self, graph: Emitter, x: str, ends: Ends, dtype: DType) -> str:
        """How many elements each window counts: a constant where the input's size is known."""
        divisor = self._fixed_divisor()
        if divisor is not None:
            return graph.constant(divisor, dtype)
        if self._counts_padding() and not self.ceil_mode:
            return self._elements(graph, dtype)
        sizes = [size for size in graph.type(x).known[2:] if isinstance(size, int)]
        if len(sizes) == len(ends):
            pairs = zip(sizes, self.window(), strict=True)
            return graph.constant([[_outer([self._counts(*pair) for pair in pairs])]], dtype)
        return self._counted(graph, x, ends, dtype)

    def _counts(self, size: int, axis: Axis) -> list[int]:
        """Elements that each position of the window along one axis counts."""
        beyond = axis.padding if self._counts_padding() else 0
        positions = axis.length(size)
        assert isinstance(positions, int)
        starts = (i * axis.stride - axis.padding for i in range(positions))
        return [min(start + axis.kernel, size + beyond) - max(start, -beyond) for start in starts]

    def _counted(self, graph: Emitter, x: str, ends: Ends, dtype: DType) -> str:
        """The same counts at run time: the pool of a plane that is 1 where an element counts."""
        plane = graph.lengths(x, *range(2, 2 + len(ends)))
        if self._counts_padding():
            widened = graph.constant([2 * before for before, _ in ends], DType.INT64)
            plane = graph.node("Add", plane, widened)
            ends = [(0, after - before) for before, after in ends]
        one = graph.constant([1, 1], DType.INT64)
        shape = graph.node("Concat", one, plane, axis=0)
        counted = graph.node("Expand", graph.constant(1, dtype), shape)
        mean = self._mean(graph, _padded(graph, counted, ends))
        # A mean of zeros and ones times the window's size is a whole number but for its rounding.
        return graph.node("Round", graph.node("Mul", mean, self._elements(graph, dtype)))


def _padded(graph: Emitter, x: str, ends: Ends) -> str:
    from netspec.onnx_backend.padding import padded

    return padded(graph, x, [(0, 0), (0, 0), *ends])


def _outer(factors: list[list[int]], product: int = 1) -> Nested:
    """The products of one number of every list, nested as deep as there are lists."""
    if not factors:
        return product
    return [_outer(factors[1:], product * number) for number in factors[0]]


class AvgPool(Averaging):
    """What AvgPool1d, AvgPool2d and AvgPool3d share."""

    padding: tuple[int, ...]
    count_include_pad: Bool = True

    def _paddings(self) -> tuple[int, ...]:
        return self.padding

    def _counts_padding(self) -> bool:
        return self.count_include_pad

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return self._averaged(graph, x, x)


class AvgPool1d(AvgPool):
    """Mean over windows, (N, C, L) -> (N, C, L').

    Shape:   L' = (L + 2 p - k) // s + 1, rounded up with ceil_mode.
             The sum is divided by the elements of the window that lie within the input (count_include_pad:
             within the input and its padding).
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel.
    Source:  torch.nn.AvgPool1d; ONNX AveragePool-11 (-19, -22), Pad-13.
    Example: (N, 64, 1000) -> AvgPool1d: {kernel_size: 4} -> (N, 64, 250)
    """

    kernel_size: Single
    stride: Single | None = None
    padding: NonNegativeSingle = (0,)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AvgPool1d(**self._arguments())


class AvgPool2d(AvgPool):
    """Mean over windows, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = (H + 2 p - k) // s + 1, rounded up with ceil_mode; W' likewise.
             The sum is divided by divisor_override, else by the elements of the window that lie within the
             input (count_include_pad: within the input and its padding).
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel.
    Source:  torch.nn.AvgPool2d; ONNX AveragePool-11 (-19, -22), Pad-13.
    Example: (N, 64, H, W) -> AvgPool2d: {kernel_size: 2} -> (N, 64, H // 2, W // 2)
    """

    kernel_size: Pair
    stride: Pair | None = None
    padding: NonNegativePair = (0, 0)
    divisor_override: PositiveInt | None = None

    def _fixed_divisor(self) -> int | None:
        return self.divisor_override

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AvgPool2d(**self._arguments())


class AvgPool3d(AvgPool):
    """Mean over windows, (N, C, D, H, W) -> (N, C, D', H', W').

    Shape:   D' = (D + 2 p - k) // s + 1, rounded up with ceil_mode; H', W' likewise.
             The sum is divided by divisor_override, else by the elements of the window that lie within the
             input (count_include_pad: within the input and its padding).
    Errors:  NS302 the window exceeds the padded input; NS311 padding over half of the kernel.
    Source:  torch.nn.AvgPool3d; ONNX AveragePool-11 (-19, -22), Pad-13.
    Example: (N, 16, 8, 32, 32) -> AvgPool3d: {kernel_size: 2} -> (N, 16, 4, 16, 16)
    """

    kernel_size: Triple
    stride: Triple | None = None
    padding: NonNegativeTriple = (0, 0, 0)
    divisor_override: PositiveInt | None = None

    def _fixed_divisor(self) -> int | None:
        return self.divisor_override

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.AvgPool3d(**self._arguments())


class LPPool(Averaging):
    """What LPPool1d, LPPool2d and LPPool3d share: (k mean(x^p))^(1/p) over windows of k elements."""

    norm_type: PositiveFloat

    @property
    def writes_constants(self) -> bool:
        return True

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # ONNX's LpPool takes |x|, and whole numbers p alone.
        dtype = graph.type(x).dtype
        power = graph.constant(self.norm_type, dtype)
        mean = self._averaged(graph, graph.node("Pow", x, power), x)
        total = graph.node("Mul", mean, self._elements(graph, dtype))
        # 1 / p is divided here: a quotient is not representable as a constant.
        return graph.node("Pow", total, graph.node("Div", graph.constant(1, dtype), power))


class LPPool1d(LPPool):
    """The p-norm of windows, (N, C, L) -> (N, C, L'): the p-th root of the sum of x^p, signs kept.

    Shape:   L' = (L - k) // s + 1, rounded up with ceil_mode; a window that then hangs over the end counts
             its elements as if they were k.
    Errors:  NS302 the window exceeds the input.
    Source:  torch.nn.LPPool1d; ONNX AveragePool-11 (-19, -22), Pow-15.
    Example: (N, 64, 1000) -> LPPool1d: {norm_type: 2, kernel_size: 4} -> (N, 64, 250)
    """

    kernel_size: Single
    stride: Single | None = None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        (kernel_size,) = self.kernel_size  # torch.nn.LPPool1d multiplies by it
        return nn.LPPool1d(**{**self._arguments(), "kernel_size": kernel_size})


class LPPool2d(LPPool):
    """The p-norm of windows, (N, C, H, W) -> (N, C, H', W'): the p-th root of the sum of x^p, signs kept.

    Shape:   H' = (H - k) // s + 1, rounded up with ceil_mode; W' likewise. A window that then hangs over the
             end counts its elements as if they were as many as the kernel's.
    Errors:  NS302 the window exceeds the input.
    Source:  torch.nn.LPPool2d; ONNX AveragePool-11 (-19, -22), Pow-15.
    Example: (N, 64, 28, 28) -> LPPool2d: {norm_type: 2, kernel_size: 2} -> (N, 64, 14, 14)
    """

    kernel_size: Pair
    stride: Pair | None = None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.LPPool2d(**self._arguments())


class LPPool3d(LPPool):
    """The p-norm of windows, (N, C, D, H, W) -> (N, C, D', H', W'): the p-th root of the sum of x^p.

    Shape:   D' = (D - k) // s + 1, rounded up with ceil_mode; H', W' likewise. A window that then hangs over
             the end counts its elements as if they were as many as the kernel's.
    Errors:  NS302 the window exceeds the input.
    Source:  torch.nn.LPPool3d; ONNX AveragePool-11 (-19, -22), Pow-15.
    Example: (N, 16, 8, 32, 32) -> LPPool3d: {norm_type: 2, kernel_size: 2} -> (N, 16, 4, 16, 16)
    """

    kernel_size: Triple
    stride: Triple | None = None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.LPPool3d(**self._arguments())


OPERATIONS = (AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d, LPPool3d)
