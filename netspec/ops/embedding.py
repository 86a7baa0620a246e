"""Tables whose rows integers look up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, Int, PositiveInt, RealDTypeName
from netspec.ops.base import Demand, Fault, Op, Weight
from netspec.ops.faults import WrongDType

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class NoSuchRow(Diagnostic):
    """A row for padding that the table does not have."""

    code = "NS367"
    message = "padding_idx is {padding_idx}, but the table has {num_embeddings} rows"

    padding_idx: int
    num_embeddings: int

    @property
    def help(self) -> str:
        return "it lies between -{num_embeddings} and {last}"

    @property
    def last(self) -> int:
        return self.num_embeddings - 1


class Embedding(Op):
    """The rows of a trained table that integers name, (*) -> (*, embedding_dim).

    The row `padding_idx` begins as zeros and is not trained; `scale_grad_by_freq` and `sparse` are about
    gradients alone. torch's max_norm is not taken: it rewrites the table while it is read.

    Shape:   the input's, and embedding_dim behind it. Every integer must be from 0 to num_embeddings - 1.
    Errors:  NS308 an input that holds no integers; NS367 a padding_idx outside the table.
    Source:  torch.nn.Embedding; ONNX Gather-13.
    Example: (N, T) of int64 -> Embedding: {num_embeddings: 10000, embedding_dim: 256} -> (N, T, 256)
    """

    num_embeddings: PositiveInt
    embedding_dim: PositiveInt
    padding_idx: Int | None = None
    scale_grad_by_freq: Bool = False
    sparse: Bool = False
    dtype: RealDTypeName = "float32"

    def demands(self, x: TensorType) -> Iterator[Demand]:
        if x.dtype not in (DType.INT64, DType.INT32):
            advice = "give the input dtype: int64, or put Cast: {dtype: int64} before it"
            raise Fault(
                WrongDType(op="Embedding", expected="integers", dtype=x.dtype, advice=advice), input=0
            )
        if (
            self.padding_idx is not None
            and not -self.num_embeddings <= self.padding_idx < self.num_embeddings
        ):
            outside = NoSuchRow(padding_idx=self.padding_idx, num_embeddings=self.num_embeddings)
            yield Fault(outside, field="padding_idx")

    def infer(self, x: TensorType) -> TensorType:
        return TensorType((*x.known, self.embedding_dim), DType(self.dtype))

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        return (Weight("weight", (self.num_embeddings, self.embedding_dim), DType(self.dtype)),)

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        return nn.Embedding(
            self.num_embeddings,
            self.embedding_dim,
            padding_idx=self.padding_idx,
            scale_grad_by_freq=self.scale_grad_by_freq,
            sparse=self.sparse,
            dtype=torch_dtype(DType(self.dtype)),
        )

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Gather", weights["weight"], x, axis=0)


OPERATIONS = (Embedding,)
