"""Operations that join several tensors to one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Int
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import WrongDType, WrongRank, axis_of

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class JoinMismatch(Diagnostic):
    """Concat's inputs may differ along its own dimension only, and Stack's not at all."""

    code = "NS313"
    message = "{op} along dim {dim} needs equal sizes{elsewhere}: {first} against {other}"

    op: str
    dim: int
    axis: int
    first: TensorType
    other: TensorType

    @property
    def elsewhere(self) -> str:
        return " elsewhere" if self.op == "Concat" else ""

    @property
    def label(self) -> str:
        return "dimension {axis} differs: {left} against {right}"

    @property
    def left(self) -> Size:
        return self.first.known[self.axis]

    @property
    def right(self) -> Size:
        return self.other.known[self.axis]


class Join(Op):
    """What Concat and Stack share: inputs of one rank, one element type, and for the most part one shape."""

    arguments = ("tensors",)
    variadic = True

    dim: Int = 1

    def _agree(self, along: int | None, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        """Demand that the inputs be alike but for their sizes `along` one axis."""
        op = type(self).__name__
        for number, other in enumerate(others, start=1):
            if other.rank != first.rank:
                expected = f"tensors of {first.rank} dimensions, as its first input has"
                raise Fault(WrongRank(op=op, expected=expected, got=other), input=number)
            if other.dtype != first.dtype:
                expected = f"elements of one type; the first has {first.dtype}"
                raise Fault(WrongDType(op=op, expected=expected, dtype=other.dtype), input=number)
            for axis, (left, right) in enumerate(zip(first.known, other.known, strict=True)):
                if axis != along:
                    fault = JoinMismatch(op=op, dim=self.dim, axis=axis, first=first, other=other)
                    yield Same(left, right, Fault(fault, input=number))


class Concat(Join):
    """Joins tensors along `dim`, n times (N, C_i, *) -> (N, C_1 + ... + C_n, *).

    The default dim is 1, the channels (torch.concat's own default is 0, the batch).

    Errors:  NS313 sizes that differ in another dimension; NS301 ranks and NS308 element types that differ;
             NS307 a dimension that the inputs do not have.
    Source:  torch.concat; ONNX Concat-13.
    Example: (N, 64, H, W), (N, 32, H, W) -> Concat -> (N, 96, H, W)
    """

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        yield from self._agree(axis_of("dim", self.dim, first), first, *others)

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
        from netspec.torch_backend.movement import Concat as Module

        return Module(dim=self.dim)

    def lower(self, graph: Emitter, first: str, *others: str, weights: Weights) -> str:
        return graph.node("Concat", first, *others, axis=self.dim % graph.type(first).rank)


class Stack(Join):
    """Joins tensors of one shape along a new dimension, n times (N, *) -> (N, n, *).

    `dim` is the new dimension's place in the output; its default is 1 (torch.stack's own is 0, before the
    batch).

    Errors:  NS313 sizes that differ; NS301 ranks and NS308 element types that differ; NS307 a dimension that
             the output does not have.
    Source:  torch.stack; ONNX Unsqueeze-13 of each, Concat-13.
    Example: (N, 64), (N, 64) -> Stack -> (N, 2, 64)
    """

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        axis_of("dim", self.dim, first, added=1)
        yield from self._agree(None, first, *others)

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        dim = self.dim % (first.rank + 1)
        return first.with_shape((*first.known[:dim], 1 + len(others), *first.known[dim:]))

    def window(self, first: TensorType, *others: TensorType) -> Window | None:
        return None

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Stack as Module

        return Module(dim=self.dim)

    def lower(self, graph: Emitter, first: str, *others: str, weights: Weights) -> str:
        dim = self.dim % (graph.type(first).rank + 1)
        place = graph.constant([dim], DType.INT64)
        rows = [graph.node("Unsqueeze", x, place) for x in (first, *others)]
        return graph.node("Concat", *rows, axis=dim) if others else rows[0]


OPERATIONS = (Concat, Stack)
