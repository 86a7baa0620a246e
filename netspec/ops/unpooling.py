"""Unpools: values put back where a maximum pool found them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Advised, Diagnostic, Severity
from netspec.ir.dim import Size, Unknown
from netspec.ir.tensor import DType, Shape, TensorType, product
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import (
    NonNegativePair,
    NonNegativeSingle,
    NonNegativeTriple,
    Pair,
    Single,
    Triple,
)
from netspec.ops.base import AtLeast, Demand, Fault, Op, Same
from netspec.ops.faults import AXES, need_batch, need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class NoIndices(Advised):
    """The second input of an unpool is not the indices of a pool."""

    code = "NS333"
    message = "{op} needs the indices of a {pool}, and its second input {problem}"

    op: str
    pool: str
    problem: str
    advice: str = (
        "give the pool a name and return_indices: true, and write from: [prev, NAME.indices] at this step"
    )


class IndicesDiffer(Diagnostic):
    """An unpool needs one index for each of its values."""

    code = "NS334"
    message = "{op} needs one index for each value: the values are {values}, the indices {indices}"

    op: str
    values: TensorType
    indices: TensorType

    @property
    def help(self) -> str:
        return "between the pool and this layer, the shape must come back to what the pool gave"


class CannotRestore(Diagnostic):
    """An unpool's window does not lead back to the size that the pool had before it."""

    code = "NS335"
    message = "{op} cannot restore the {axis} of {wanted}: from {pooled} its window leads to about {usual}"

    op: str
    axis: str
    pooled: Size
    usual: Size
    wanted: Size

    @property
    def help(self) -> str:
        return "give it the kernel_size, stride and padding of its pool, which must not be dilated"


class ValuesMeet(Diagnostic):
    """Where windows overlap, several values may have one place."""

    code = "NS336"
    message = "the windows of {op} overlap: of values that meet in one place it keeps any one"
    severity = Severity.WARNING

    op: str

    @property
    def help(self) -> str:
        return "a stride as large as the kernel, in the pool too, gives every value its own place"


class MaxUnpool(Op):
    """What MaxUnpool1d, MaxUnpool2d and MaxUnpool3d share: (N, C, *') and indices -> (N, C, *)."""

    arguments = ("input", "indices")

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] | None
    padding: tuple[int, ...]

    def demands(self, x: TensorType, indices: TensorType) -> Iterator[Demand]:
        op, spatial = type(self).__name__, len(self.kernel_size)
        need_batch(op, x, spatial)
        need_floating(op, x)
        if any(isinstance(size, Unknown) for size in indices.known):
            return  # an error of the pool
        self._need_indices(op, indices, spatial)
        for own, given in zip(x.known, indices.known, strict=True):
            yield Same(own, given, Fault(IndicesDiffer(op=op, values=x, indices=indices), input=1))
        sizes = zip(AXES[spatial], indices.known[2:], self._restored(indices), self._axes(), strict=True)
        for name, pooled, wanted, axis in sizes:
            usual = (pooled - 1) * axis.stride + axis.kernel - 2 * axis.padding
            fault = Fault(CannotRestore(op=op, axis=name, pooled=pooled, usual=usual, wanted=wanted), input=1)
            # As in torch: less than one stride away from what the window leads to.
            yield AtLeast(wanted - usual + axis.stride, 1, fault)
            yield AtLeast(usual + axis.stride - wanted, 1, fault)

    def _need_indices(self, op: str, indices: TensorType, spatial: int) -> None:
        pool = f"MaxPool{spatial}d"
        if indices.within is None:
            problem = f"is {indices} of {indices.dtype}, which no pool gave"
            raise Fault(NoIndices(op=op, pool=pool, problem=problem), input=1)
        if len(indices.within) != spatial:
            problem = f"comes from a pool over {len(indices.within)} axes"
            advice = f"undo it with MaxUnpool{len(indices.within)}d"
            raise Fault(NoIndices(op=op, pool=pool, problem=problem, advice=advice), input=1)

    def remarks(self, x: TensorType, indices: TensorType) -> Iterator[Fault]:
        if any(axis.kernel > axis.stride for axis in self._axes()):
            yield Fault(ValuesMeet(op=type(self).__name__))

    def _axes(self) -> Window:
        """The window of the pool that this layer undoes."""
        strides = self.stride or self.kernel_size
        sizes = zip(self.kernel_size, strides, self.padding, strict=True)
        return tuple(Axis(kernel, stride, padding) for kernel, stride, padding in sizes)

    def _restored(self, indices: TensorType) -> Shape:
        """The sizes of the pool's input."""
        return indices.known[2:] if indices.within is None else indices.within

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        return x.with_shape((*x.known[:2], *self._restored(indices)))

    def window(self, *inputs: TensorType) -> Window | None:
        return None

    def sizes(self, x: TensorType, indices: TensorType) -> Mapping[str, Shape]:
        return {"output_size": self._restored(indices)}

    def _arguments(self) -> dict[str, Any]:
        """The arguments of the torch module."""
        return {"kernel_size": self.kernel_size, "stride": self.stride, "padding": self.padding}

    def lower(self, graph: Emitter, x: str, indices: str, weights: Weights) -> str:
        # ONNX's MaxUnpool counts over the whole tensor, torch within each plane, which is a flat axis here.
        source = graph.type(x)
        restored = (*source.known[:2], *self._restored(graph.type(indices)))
        flat = graph.constant([0, 0, -1], DType.INT64)
        places, values = (graph.node("Reshape", tensor, flat) for tensor in (indices, x))
        planes = graph.shape((*restored[:2], product(restored[2:])))
        zeros = graph.node("Expand", graph.constant(0, source.dtype), planes)
        filled = graph.node("ScatterElements", zeros, places, values, axis=2)
        return graph.node("Reshape", filled, graph.shape(restored))


class MaxUnpool1d(MaxUnpool):
    """Values put back where MaxPool1d found them, else zeros, (N, C, L') and indices -> (N, C, L).

    Shape:   L is the length of the pool's input, odd or even.
    Errors:  NS333 no indices of a pool; NS334 not one index for each value; NS335 a window that does not lead
             to the pool's input; NS336 overlapping windows (a warning).
    Source:  torch.nn.MaxUnpool1d; ONNX ScatterElements-16, -18.
    Example: (N, 8, 100) -> MaxPool1d: {kernel_size: 2, return_indices: true} -> MaxUnpool1d: {kernel_size: 2}
             -> (N, 8, 100)
    """

    kernel_size: Single
    stride: Single | None = None
    padding: NonNegativeSingle = (0,)

    def build(self, x: TensorType, indices: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxUnpool1d(**self._arguments())


class MaxUnpool2d(MaxUnpool):
    """Values put back where MaxPool2d found them, else zeros, (N, C, H', W') and indices -> (N, C, H, W).

    Shape:   H and W are the sizes of the pool's input, odd or even.
    Errors:  NS333 no indices of a pool; NS334 not one index for each value; NS335 a window that does not lead
             to the pool's input; NS336 overlapping windows (a warning).
    Source:  torch.nn.MaxUnpool2d; ONNX ScatterElements-16, -18.
    Example: (N, 8, 28, 28) -> MaxPool2d: {kernel_size: 2, return_indices: true}
             -> MaxUnpool2d: {kernel_size: 2} -> (N, 8, 28, 28)
    """

    kernel_size: Pair
    stride: Pair | None = None
    padding: NonNegativePair = (0, 0)

    def build(self, x: TensorType, indices: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxUnpool2d(**self._arguments())


class MaxUnpool3d(MaxUnpool):
    """Values put back where MaxPool3d found them, else zeros, (N, C, *') and indices -> (N, C, D, H, W).

    Shape:   D, H and W are the sizes of the pool's input, odd or even.
    Errors:  NS333 no indices of a pool; NS334 not one index for each value; NS335 a window that does not lead
             to the pool's input; NS336 overlapping windows (a warning).
    Source:  torch.nn.MaxUnpool3d; ONNX ScatterElements-16, -18.
    Example: (N, 8, 7, 9, 9) -> MaxPool3d: {kernel_size: 2, return_indices: true}
             -> MaxUnpool3d: {kernel_size: 2} -> (N, 8, 7, 9, 9)
    """

    kernel_size: Triple
    stride: Triple | None = None
    padding: NonNegativeTriple = (0, 0, 0)

    def build(self, x: TensorType, indices: TensorType) -> nn.Module:
        from torch import nn

        return nn.MaxUnpool3d(**self._arguments())


OPERATIONS = (MaxUnpool1d, MaxUnpool2d, MaxUnpool3d)
