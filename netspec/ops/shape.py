"""Operations that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Int
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import WrongDType, WrongRank, axis_of

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class EmptyRange(Diagnostic):
    """Flatten's first dimension lies behind its last."""

    code = "NS312"
    message = "start_dim {start_dim} lies behind end_dim {end_dim}: {input}"

    start_dim: int
    end_dim: int
    input: TensorType


class ConcatMismatch(Diagnostic):
    """Concat's inputs may differ along its own dimension only."""

    code = "NS313"
    message = "Concat along dim {dim} needs equal sizes elsewhere: {first} against {other}"

    dim: int
    axis: int
    first: TensorType
    other: TensorType

    @property
    def label(self) -> str:
        return "dimension {axis} differs: {left} against {right}"

    @property
    def left(self) -> Size:
        return self.first.known[self.axis]

    @property
    def right(self) -> Size:
        return self.other.known[self.axis]


class Identity(Op):
    """The input itself, (*) -> (*).

    Source:  torch.nn.Identity.
    """

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Identity()

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return x


class Flatten(Op):
    """Joins the dimensions start_dim to end_dim into one, (N, C, H, W) -> (N, C * H * W).

    Errors:  NS307 a dimension that the input does not have; NS312 start_dim behind end_dim.
    Source:  torch.nn.Flatten; ONNX Flatten-13 for all but the first, else Reshape-14.
    """

    start_dim: Int = 1
    end_dim: Int = -1

    def demands(self, x: TensorType) -> Iterator[Demand]:
        start, end = axis_of("start_dim", self.start_dim, x), axis_of("end_dim", self.end_dim, x)
        if start > end:
            fault = EmptyRange(start_dim=self.start_dim, end_dim=self.end_dim, input=x)
            raise Fault(fault, field="start_dim", input=0)
        yield from ()

    def _range(self, x: TensorType) -> tuple[int, int]:
        return self.start_dim % x.rank, self.end_dim % x.rank

    def infer(self, x: TensorType) -> TensorType:
        start, end = self._range(x)
        return x.with_shape((*x.known[:start], product(x.known[start : end + 1]), *x.known[end + 1 :]))

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Flatten(self.start_dim, self.end_dim)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source = graph.type(x)
        start, end = self._range(source)
        if start == end:
            return x
        if start == 1 and end == source.rank - 1:
            return graph.node("Flatten", x, axis=1)
        behind = source.known[end + 1 :]
        fixed = [size for size in behind if isinstance(size, int)]
        if len(fixed) == len(behind):
            # 0 keeps the dimension in its place, -1 is what remains.
            return graph.node("Reshape", x, graph.constant([0] * start + [-1] + fixed, DType.INT64))
        front = graph.constant([0] * start + [-1], DType.INT64)
        tail = graph.node("Shape", x, start=end + 1)
        return graph.node("Reshape", x, graph.node("Concat", front, tail, axis=0))


class Concat(Op):
    """Joins tensors along `dim`, n times (N, C_i, *) -> (N, C_1 + ... + C_n, *).

    The default dim is 1, the channels (torch.concat's own default is 0, the batch).

    Errors:  NS313 sizes that differ in another dimension; NS301 ranks that differ.
    Source:  torch.concat; ONNX Concat-13.
    """

    arguments = ("tensors",)
    variadic = True

    dim: Int = 1

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        dim = axis_of("dim", self.dim, first)
        for number, other in enumerate(others, start=1):
            if other.rank != first.rank:
                expected = f"tensors of {first.rank} dimensions, as its first input has"
                raise Fault(WrongRank(op="Concat", expected=expected, got=other), input=number)
            if other.dtype != first.dtype:
                expected = f"elements of one type; the first has {first.dtype}"
                raise Fault(WrongDType(op="Concat", expected=expected, dtype=other.dtype), input=number)
            for axis, (left, right) in enumerate(zip(first.known, other.known, strict=True)):
                if axis != dim:
                    fault = ConcatMismatch(dim=self.dim, axis=axis, first=first, other=other)
                    yield Same(left, right, Fault(fault, input=number))

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        dim = self.dim % first.rank
        total: Size = first.known[dim]
        for other in others:
            total = total + other.known[dim]
        return first.with_shape((*first.known[:dim], total, *first.known[dim + 1 :]))

    def window(self, first: TensorType, *others: TensorType) -> Window | None:
        # Along a spatial axis an output element sees one input or the other, at another place.
        return () if self.dim % first.rank == 1 else None

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.modules import Concat as Module

        return Module(self.dim)

    def lower(self, graph: Emitter, first: str, *others: str, weights: Weights) -> str:
        return graph.node("Concat", first, *others, axis=self.dim % graph.type(first).rank)


OPERATIONS = (Identity, Flatten, Concat)
