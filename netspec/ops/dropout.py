"""Dropouts: noise in training, nothing in evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Bool, Probability
from netspec.ops.base import Demand, Op
from netspec.ops.faults import need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Dropout(Op):
    """Zeroes elements with probability `p` in training and scales the rest by 1 / (1 - p), (*) -> (*).

    In evaluation it is the identity, so that nothing of it is exported. `inplace` is taken and changes
    nothing: other layers may read the input too, so that it is not overwritten.

    Source:  torch.nn.Dropout.
    """

    p: Probability = 0.5
    inplace: Bool = False

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_floating("Dropout", x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return x


OPERATIONS = (Dropout,)
