"""Products of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import TensorType, product
from netspec.ir.window import Window
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.broadcasting import agreement, broadcast, need_numbers, need_one_type
from netspec.ops.faults import WrongRank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class CannotMultiply(Diagnostic):
    """Matrices whose inner sizes differ."""

    code = "NS370"
    message = "MatMul cannot multiply {first} and {other}: {left} columns against {right} rows"

    first: TensorType
    other: TensorType
    left: Size
    right: Size

    @property
    def help(self) -> str:
        return "the last size of the first must be the last but one of the other: Transpose turns two around"


class MatMul(Op):
    """Product of matrices, (*, n, k), (*, k, m) -> (*, n, m).

    A vector (k,) counts as one row in the first place, as one column in the second, and that dimension is
    left out of the result. The dimensions before the matrices stretch to one shape.

    Shape:   (*, n, m), where * is the shape to which both inputs' leading dimensions stretch.
    Cost:    k multiply-adds per output element.
    Errors:  NS301 a single number; NS303 leading dimensions that do not broadcast; NS308 other element
             types; NS370 the inner sizes differ.
    Source:  torch.matmul; ONNX MatMul-13.
    Example: (N, 8, T, 64), (N, 8, 64, T) -> MatMul -> (N, 8, T, T)
    """

    arguments = ("input", "other")

    def demands(self, first: TensorType, other: TensorType) -> Iterator[Demand]:
        for number, x in enumerate((first, other)):
            if x.rank == 0:
                raise Fault(WrongRank(op="MatMul", expected="vectors and matrices", got=x), input=number)
        need_numbers("MatMul", first)
        need_one_type("MatMul", first, other)
        left, right = first.known[-1], other.known[-2 if other.rank > 1 else -1]
        fault = CannotMultiply(first=first, other=other, left=left, right=right)
        yield Same(left, right, Fault(fault, input=1))
        yield from agreement("MatMul", first, other, matrices=True)

    def infer(self, first: TensorType, other: TensorType) -> TensorType:
        leading = broadcast((first.known[:-2], other.known[:-2]))
        rows = first.known[-2:-1]
        columns = other.known[-1:] if other.rank > 1 else ()
        return first.with_shape((*leading, *rows, *columns))

    def window(self, first: TensorType, other: TensorType) -> Window | None:
        return None

    def cost(self, first: TensorType, other: TensorType, y: TensorType) -> Cost:
        return Cost(macs=product(y.known) * first.known[-1])

    def build(self, first: TensorType, other: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function("MatMul", "matmul")

    def lower(self, graph: Emitter, first: str, other: str, weights: Weights) -> str:
        return graph.node("MatMul", first, other)


OPERATIONS: tuple[type[Op], ...] = (MatMul,)
