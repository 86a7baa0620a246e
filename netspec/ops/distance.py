"""Similarities and distances of two tensors along one dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.ir.tensor import TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, Int, NonNegativeFloat, PositiveFloat
from netspec.ops.base import Demand, Op
from netspec.ops.broadcasting import Broadcasting, agreement, broadcast, need_one_type
from netspec.ops.faults import axis_of, need_floating, need_rank

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Distance(Broadcasting):
    """What similarities and distances share: two tensors of real numbers, whose shapes stretch to one."""

    arguments: ClassVar[tuple[str, ...]] = ("x1", "x2")

    @property
    def writes_constants(self) -> bool:
        return True

    def demands(self, x1: TensorType, x2: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        need_floating(op, x1)
        need_one_type(op, x1, x2)
        yield from agreement(op, x1, x2)

    def window(self, x1: TensorType, x2: TensorType) -> Window | None:
        return None


class CosineSimilarity(Distance):
    """Cosine of the angle between vectors along `dim`, (*, D, *), (*, D, *) -> (*, *).

    x1 x2 / (max(|x1|, eps) max(|x2|, eps)), of inputs that are stretched to one shape first.

    Shape:   that to which both inputs stretch, without the dimension `dim` of it.
    Errors:  NS303 shapes that do not broadcast; NS307 dim is no dimension of them; NS308 other element
             types.
    Source:  torch.nn.CosineSimilarity; ONNX ReduceL2-13, -18, Max-13 and ReduceSum-13.
    Example: (N, 128), (N, 128) -> CosineSimilarity -> (N,)
    """

    dim: Int = 1
    eps: NonNegativeFloat = 1e-8

    def demands(self, x1: TensorType, x2: TensorType) -> Iterator[Demand]:
        yield from super().demands(x1, x2)
        axis_of("dim", self.dim, super().infer(x1, x2))

    def infer(self, x1: TensorType, *others: TensorType | None) -> TensorType:
        whole = super().infer(x1, *others)
        axis = self.dim % whole.rank
        return whole.with_shape((*whole.known[:axis], *whole.known[axis + 1 :]))

    def build(self, x1: TensorType, x2: TensorType) -> nn.Module:
        from torch import nn

        return nn.CosineSimilarity(self.dim, self.eps)

    def lower(self, graph: Emitter, x1: str, x2: str, weights: Weights) -> str:
        from netspec.onnx_backend.reductions import reduced

        source = graph.type(x1)
        shape = broadcast((source.known, graph.type(x2).known))
        axis = self.dim % len(shape) - len(shape)  # from the back, where both inputs have it in one place
        eps = graph.constant(self.eps, source.dtype)
        directions = []
        for x in (x1, x2):
            own = graph.type(x).known
            if len(own) < -axis or (own[axis] == 1 and shape[axis] != 1):
                # A norm sees every copy of what is stretched along its dimension.
                x = graph.node("Expand", x, graph.shape((shape[axis], *[1] * (-axis - 1))))
            norm = reduced(graph, "ReduceL2", x, [axis], keepdims=True)
            directions.append(graph.node("Div", x, graph.node("Max", norm, eps)))
        return reduced(graph, "ReduceSum", graph.node("Mul", *directions), [axis], keepdims=False)


class PairwiseDistance(Distance):
    """p-norm of the differences along the last dimension, (*, D), (*, D) -> (*).

    (sum |x1 - x2 + eps|^p)^(1/p), of inputs that are stretched to one shape first.

    Shape:   that to which both inputs stretch, without its last dimension, or with keepdim with 1 there.
    Errors:  NS301 single numbers; NS303 shapes that do not broadcast; NS308 other element types.
    Source:  torch.nn.PairwiseDistance; ONNX ReduceL1-13, -18, ReduceL2-13, -18, or ReduceSum-13 and Pow-15.
    Example: (N, 128), (N, 128) -> PairwiseDistance -> (N,)
    """

    p: PositiveFloat = 2.0
    eps: NonNegativeFloat = 1e-6
    keepdim: Bool = False

    def demands(self, x1: TensorType, x2: TensorType) -> Iterator[Demand]:
        yield from super().demands(x1, x2)
        need_rank("PairwiseDistance", super().infer(x1, x2), tuple(range(1, 99)), "vectors (*, D)")

    def infer(self, x1: TensorType, *others: TensorType | None) -> TensorType:
        whole = super().infer(x1, *others).known
        return x1.with_shape((*whole[:-1], 1) if self.keepdim else whole[:-1])

    def build(self, x1: TensorType, x2: TensorType) -> nn.Module:
        from torch import nn

        return nn.PairwiseDistance(self.p, self.eps, self.keepdim)

    def lower(self, graph: Emitter, x1: str, x2: str, weights: Weights) -> str:
        from netspec.onnx_backend.reductions import vector_norm

        dtype = graph.type(x1).dtype
        difference = graph.node("Sub", x1, x2)
        difference = graph.node("Add", difference, graph.constant(self.eps, dtype))
        return vector_norm(graph, difference, self.p, dtype, [-1], keepdims=self.keepdim)


OPERATIONS: tuple[type[Op], ...] = (CosineSimilarity, PairwiseDistance)
