"""Operations that take some elements of one dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Dim, Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import Expected, Int, PositiveInt, SizeArgument, Symbolic, sized, symbols_in
from netspec.ops.base import AtLeast, Demand, Fault, Op
from netspec.ops.faults import WrongDType, WrongRank, axis_of

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

LAST = 2**63 - 1  # behind the last element of any dimension, as ONNX's Slice has it


def _place(value: Any) -> Any:
    return None if value is None else sized(value)


def _plain(value: Any) -> int | str | None:
    return value if value is None or isinstance(value, int) else str(value)


Place = Annotated[
    Any,
    PlainValidator(_place, json_schema_input_type=int | str | None),
    PlainSerializer(_plain),
    Symbolic(),
    Expected("an integer, or a symbolic dimension"),
]
"""A place in a dimension: an `int`, negative where it is counted from the end, a `Dim` or None."""


class OutsideDimension(Diagnostic):
    """Elements that are not there, or none at all."""

    code = "NS363"
    message = "{op} takes {taken} of dimension {axis}, which has {size}: {input}"

    op: str
    taken: str
    axis: int
    size: Size
    input: TensorType
    symbols: tuple[str, ...]

    @property
    def help(self) -> str:
        if self.symbols:
            return "limit {symbols} in dims so that the elements are there for every value"
        return "its elements are 0 to {last}, and at least one must be taken"

    @property
    def last(self) -> Size:
        return self.size - 1


class Selection(Op):
    """What the operations share that take some elements of the dimension `dim`."""

    dim: Int

    def _taken(self) -> str:
        """What is taken, in words."""
        raise NotImplementedError

    def _symbols(self) -> tuple[str, ...]:
        """The symbolic dimensions that the arguments name."""
        return ()

    def _outside(self, x: TensorType, field: str) -> Fault:
        axis = self.dim % x.rank
        size = x.known[axis]
        outside = OutsideDimension(
            op=type(self).__name__,
            taken=self._taken(),
            axis=axis,
            size=size,
            input=x,
            symbols=tuple(dict.fromkeys((*symbols_in(size), *self._symbols()))),
        )
        return Fault(outside, field=field, input=0)

    def _window(self, x: TensorType, start: Size, step: int) -> Window | None:
        """The window of every `step`-th element from `start` on."""
        axis = self.dim % x.rank
        if axis == 1:
            return ()
        if axis == 0 or x.rank < 3 or not isinstance(start, int):
            return None
        return tuple(Axis(1, step, -start) if place == axis else Axis(1) for place in range(2, x.rank))


class Slice(Selection):
    """Elements `start` up to, not including, `end` of one dimension, (N, L, *) -> (N, L', *).

    Negative places are counted from the end, and none is the end itself, as in Python. Of a symbolic
    dimension the places must be there: its lower bound is inferred.

    Shape:   L' = (end - start + step - 1) // step.
    Errors:  NS307 a dimension that the input does not have; NS363 places that are not there, or no elements.
    Source:  torch.slice_copy, which is Python's slice; ONNX Slice-13.
    Example: (N, T, 64) -> Slice: {dim: 1, start: 1} -> (N, T - 1, 64)
    """

    start: Place = None
    end: Place = None
    step: PositiveInt = 1

    def _symbols(self) -> tuple[str, ...]:
        return symbols_in(self.start, self.end)

    def sizes(self, x: TensorType) -> Mapping[str, tuple[Size, ...]]:
        return {"ends": self._range(x.known[self.dim])} if self._symbols() else {}

    def _taken(self) -> str:
        upto = "and on" if self.end is None else f"up to {self.end}"
        return f"elements {self.start or 0} {upto}"

    def _range(self, size: Size) -> tuple[Size, Size]:
        """The first element and the one behind the last, counted from the front."""
        if isinstance(size, int) and not self._symbols():
            start, end, _ = slice(self.start, self.end).indices(size)
            return start, end
        return _from_front(self.start, size, 0), _from_front(self.end, size, size)

    def demands(self, x: TensorType) -> Iterator[Demand]:
        size = x.known[axis_of("dim", self.dim, x)]
        start, end = self._range(size)
        yield AtLeast(start, 0, self._outside(x, "start"))
        yield AtLeast(size - end, 0, self._outside(x, "end"))
        yield AtLeast(end - start, 1, self._outside(x, "start" if self.end is None else "end"))

    def infer(self, x: TensorType) -> TensorType:
        axis = self.dim % x.rank
        start, end = self._range(x.known[axis])
        count = (end - start + self.step - 1) // self.step
        return x.with_shape((*x.known[:axis], count, *x.known[axis + 1 :]))

    def window(self, x: TensorType) -> Window | None:
        return self._window(x, self._range(x.known[self.dim % x.rank])[0], self.step)

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Slice as Module

        return Module(dim=self.dim, start=self.start, end=self.end, step=self.step)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        axis = self.dim % graph.type(x).rank
        start, end = self._range(graph.type(x).known[axis])
        return _cut(graph, x, axis, start, end, self.step)


class Narrow(Selection):
    """`length` elements of one dimension from `start` on, (N, L, *) -> (N, length, *).

    A negative start is counted from the end. Both may be symbolic: `length: tokens` takes as many rows of a
    table of positions as there are tokens.

    Shape:   the input's, with `length` in the place of the dimension's size.
    Errors:  NS307 a dimension that the input does not have; NS363 elements that are not there, or none.
    Source:  torch.narrow; ONNX Slice-13.
    Example: (N, 64, 100) -> Narrow: {dim: 2, start: 10, length: 50} -> (N, 64, 50)
    """

    start: SizeArgument
    length: SizeArgument

    def _symbols(self) -> tuple[str, ...]:
        return symbols_in(self.start, self.length)

    def sizes(self, x: TensorType) -> Mapping[str, tuple[Size, ...]]:
        return {"elements": (self.start, self.length)} if self._symbols() else {}

    def _taken(self) -> str:
        return f"{self.length} elements from {self.start} on"

    def demands(self, x: TensorType) -> Iterator[Demand]:
        size = x.known[axis_of("dim", self.dim, x)]
        start = _from_front(self.start, size, 0)
        yield AtLeast(start, 0, self._outside(x, "start"))
        yield AtLeast(self.length, 1, self._outside(x, "length"))
        yield AtLeast(size - start - self.length, 0, self._outside(x, "length"))

    def infer(self, x: TensorType) -> TensorType:
        axis = self.dim % x.rank
        return x.with_shape((*x.known[:axis], self.length, *x.known[axis + 1 :]))

    def window(self, x: TensorType) -> Window | None:
        return self._window(x, _from_front(self.start, x.known[self.dim % x.rank], 0), 1)

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Narrow as Module

        return Module(dim=self.dim, start=self.start, length=self.length)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        axis = self.dim % graph.type(x).rank
        start = _from_front(self.start, graph.type(x).known[axis], 0)
        return _cut(graph, x, axis, start, start + self.length, 1)


class Select(Selection):
    """One element of a dimension, which is left out, (N, L, D) -> (N, D).

    A negative index is counted from the end.

    Shape:   the input's without the dimension.
    Errors:  NS307 a dimension that the input does not have; NS363 an element that is not there.
    Source:  torch.select; ONNX Gather-13.
    Example: (N, T, 768) -> Select: {dim: 1, index: 0} -> (N, 768)
    """

    index: Int

    def _taken(self) -> str:
        return f"element {self.index}"

    def demands(self, x: TensorType) -> Iterator[Demand]:
        size = x.known[axis_of("dim", self.dim, x)]
        needed = self.index + 1 if self.index >= 0 else -self.index
        yield AtLeast(size, needed, self._outside(x, "index"))

    def infer(self, x: TensorType) -> TensorType:
        axis = self.dim % x.rank
        return x.with_shape((*x.known[:axis], *x.known[axis + 1 :]))

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Select as Module

        return Module(dim=self.dim, index=self.index)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        axis = self.dim % graph.type(x).rank
        return graph.node("Gather", x, graph.constant(self.index, DType.INT64), axis=axis)


class IndexSelect(Selection):
    """The elements of one dimension that `index` names, (N, L, *) and (K) -> (N, K, *).

    Shape:   the input's, with the number of indices in the place of the dimension's size.
    Errors:  NS307 a dimension that the input does not have; NS301 an index of more than one dimension; NS308
             one that holds no integers.
    Source:  torch.index_select; ONNX Gather-13.
    Example: input (N, T, 64), index (K) of int64 -> IndexSelect: {dim: 1} -> (N, K, 64)
    """

    arguments = ("input", "index")

    def demands(self, x: TensorType, index: TensorType) -> Iterator[Demand]:
        axis_of("dim", self.dim, x)
        if index.rank != 1:
            fault = WrongRank(op="IndexSelect", expected="one row of indices (K,)", got=index)
            raise Fault(fault, input=1)
        if index.dtype not in (DType.INT64, DType.INT32):
            wrong = WrongDType(op="IndexSelect", expected="integers as its index", dtype=index.dtype)
            raise Fault(wrong, input=1)
        yield from ()

    def infer(self, x: TensorType, index: TensorType) -> TensorType:
        axis = self.dim % x.rank
        return x.with_shape((*x.known[:axis], index.known[0], *x.known[axis + 1 :]))

    def window(self, x: TensorType, index: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType, index: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import IndexSelect as Module

        return Module(dim=self.dim)

    def lower(self, graph: Emitter, x: str, index: str, weights: Weights) -> str:
        return graph.node("Gather", x, index, axis=self.dim % graph.type(x).rank)


def _from_front(place: Size | None, size: Size, default: Size) -> Size:
    """A place in a dimension of `size` elements, counted from its front."""
    if place is None:
        return default
    return size + place if isinstance(place, int) and place < 0 else place


def _cut(graph: Emitter, x: str, axis: int, start: Size, end: Size, step: int) -> str:
    """Elements `start` up to `end` of an axis, both counted from the front."""
    size = graph.type(x).known[axis]
    if (start, end, step) == (0, size, 1):
        return x
    places = _place_in(graph, start, size), _place_in(graph, end, size)
    rest = [graph.constant([number], DType.INT64) for number in ((axis,) if step == 1 else (axis, step))]
    return graph.node("Slice", x, *places, *rest)


def _place_in(graph: Emitter, place: Size, size: Size) -> str:
    """A place as ONNX's Slice takes it: near the end of a symbolic dimension, counted from there."""
    if place == size:
        return graph.constant([LAST], DType.INT64)
    if isinstance(place, Dim) and isinstance(place - size, int):
        return graph.size(place - size)
    return graph.size(place)


OPERATIONS = (Slice, Narrow, Select, IndexSelect)
