"""Operations that give the elements, or the dimensions, another order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Axes, Expected, Int, spread
from netspec.ops.base import Demand, Fault, Op
from netspec.ops.faults import axes_of, axis_of

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

Shifts = Annotated[
    tuple[Int, ...],
    BeforeValidator(spread(1), json_schema_input_type=int | tuple[int, ...]),
    Expected("an integer, or a list of them", "an integer"),
]

LAST = 2**63 - 1  # behind the last element of any dimension, as ONNX's Slice has it
FIRST = -(2**63)  # before the first, for a slice that runs backwards


class NotAPermutation(Diagnostic):
    """An order of dimensions that leaves some out."""

    code = "NS360"
    message = "dims has {count} of the {rank} dimensions of the input: {dims} for {input}"

    dims: str
    count: int
    input: TensorType

    @property
    def rank(self) -> int:
        return self.input.rank

    @property
    def help(self) -> str:
        return "name every dimension once, in the order in which the output has them"


class ShiftsDiffer(Diagnostic):
    """Roll needs one shift for each of its dimensions."""

    code = "NS369"
    message = "Roll moves each of its dims by one of its shifts: {shifts} against {dims}"

    shifts: str
    dims: str

    @property
    def help(self) -> str:
        return "write one shift for each dimension; without dims, one alone"


class Order(Op):
    """What Permute and Transpose share: they move whole dimensions."""

    def _order(self, x: TensorType) -> tuple[int, ...]:
        """For each dimension of the output, which of the input's it is."""
        raise NotImplementedError

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape(tuple(x.known[axis] for axis in self._order(x)))

    def window(self, x: TensorType) -> Window | None:
        return None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        order = self._order(graph.type(x))
        return x if order == tuple(range(len(order))) else graph.node("Transpose", x, perm=order)


class Permute(Order):
    """The dimensions in another order, (N, C, H, W) -> (N, H, W, C) for `dims: [0, 2, 3, 1]`.

    Shape:   dimension i of the output is dimension dims[i] of the input.
    Errors:  NS307 a dimension that the input does not have; NS360 one left out; NS361 one named twice.
    Source:  torch.permute; ONNX Transpose-13.
    Example: (N, 3, H, W) -> Permute: {dims: [0, 2, 3, 1]} -> (N, H, W, 3)
    """

    dims: Axes

    def demands(self, x: TensorType) -> Iterator[Demand]:
        named = axes_of("dims", self.dims, x)
        if len(named) != x.rank:
            fault = NotAPermutation(dims=spell(self.dims), count=len(named), input=x)
            raise Fault(fault, field="dims", input=0)
        yield from ()

    def _order(self, x: TensorType) -> tuple[int, ...]:
        return tuple(axis % x.rank for axis in self.dims)

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Permute as Module

        return Module(dims=self.dims)


class Transpose(Order):
    """Two dimensions exchanged, (N, C, L) -> (N, L, C) for `dim0: 1, dim1: 2`.

    Shape:   the input's, with the sizes of dim0 and dim1 exchanged.
    Errors:  NS307 a dimension that the input does not have.
    Source:  torch.transpose; ONNX Transpose-13.
    Example: (N, 64, L) -> Transpose: {dim0: 1, dim1: 2} -> (N, L, 64)
    """

    dim0: Int
    dim1: Int

    def demands(self, x: TensorType) -> Iterator[Demand]:
        axis_of("dim0", self.dim0, x)
        axis_of("dim1", self.dim1, x)
        yield from ()

    def _order(self, x: TensorType) -> tuple[int, ...]:
        first, second = self.dim0 % x.rank, self.dim1 % x.rank
        exchanged = {first: second, second: first}
        return tuple(exchanged.get(axis, axis) for axis in range(x.rank))

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Transpose as Module

        return Module(dim0=self.dim0, dim1=self.dim1)


class Flip(Op):
    """The elements in reverse along some dimensions, (*) -> (*).

    Errors:  NS307 a dimension that the input does not have; NS361 one named twice.
    Source:  torch.flip; ONNX Slice-13 with steps of -1.
    Example: (N, 3, H, W) -> Flip: {dims: [3]} -> (N, 3, H, W)
    """

    dims: Axes

    def demands(self, x: TensorType) -> Iterator[Demand]:
        axes_of("dims", self.dims, x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Flip as Module

        return Module(dims=self.dims)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        if not self.dims:
            return x
        count = len(self.dims)
        bounds = ([-1] * count, [FIRST] * count, list(self.dims), [-1] * count)
        return graph.node("Slice", x, *(graph.constant(numbers, DType.INT64) for numbers in bounds))


class Roll(Op):
    """The elements moved by `shifts` along `dims`, (*) -> (*): what leaves at one end comes in at the other.

    Without `dims` the elements move as if they stood in one row.

    Errors:  NS307 a dimension that the input does not have; NS369 not one shift a dimension.
    Source:  torch.roll; ONNX Slice-13, Concat-13, and Mod-13 where a size is symbolic.
    Example: (N, 56, 56, 96) -> Roll: {shifts: [-3, -3], dims: [1, 2]} -> (N, 56, 56, 96)
    """

    shifts: Shifts
    dims: Axes | None = None

    def demands(self, x: TensorType) -> Iterator[Demand]:
        for axis in self.dims or ():
            axis_of("dims", axis, x)
        if len(self.shifts) != len(self.dims or (0,)):
            dims = spell(self.dims) if self.dims else "no dims"
            raise Fault(ShiftsDiffer(shifts=spell(self.shifts), dims=dims), field="shifts")
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Roll as Module

        return Module(shifts=self.shifts, dims=self.dims or ())

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        sizes = graph.type(x).known
        if not self.dims:
            fixed = all(isinstance(size, int) for size in sizes)
            shape = graph.shape(sizes) if fixed else graph.node("Shape", x)
            row = graph.node("Reshape", x, graph.constant([-1], DType.INT64))
            return graph.node("Reshape", _rolled(graph, row, 0, product(sizes), self.shifts[0]), shape)
        for shift, dim in zip(self.shifts, self.dims, strict=True):
            axis = dim % len(sizes)
            x = _rolled(graph, x, axis, sizes[axis], shift)
        return x


def _rolled(graph: Emitter, x: str, axis: int, size: Size, shift: int) -> str:
    """One axis of `size` elements, moved: the elements from `cut` on come first."""
    if isinstance(size, int):
        if shift % size == 0:
            return x
        cut = graph.constant([-shift % size], DType.INT64)
    else:
        length = graph.lengths(x, axis)
        cut = graph.node("Mod", graph.constant([-shift], DType.INT64), length)
    first, last, along = (graph.constant([number], DType.INT64) for number in (0, LAST, axis))
    ends = graph.node("Slice", x, cut, last, along), graph.node("Slice", x, first, cut, along)
    return graph.node("Concat", *ends, axis=axis)


OPERATIONS = (Permute, Transpose, Flip, Roll)
