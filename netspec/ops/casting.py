"""Operations that give the elements another type."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import DTypeName
from netspec.ops.base import Compared, Decision, Op

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Cast(Op):
    """The elements as another type, (*) -> (*).

    A real number becomes an integer by dropping its fraction, and true unless it is zero; true becomes 1.
    What an integer type cannot hold (NaN, infinity, too large a number) has no value that engines agree on.

    Shape:   the input's, with elements of `dtype`.
    Source:  torch.Tensor.to; ONNX Cast-13 to Cast-25.
    Example: (N, T) of int64 -> Cast: {dtype: float32} -> (N, T)
    """

    dtype: DTypeName

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(x.shape, DType(self.dtype))

    def decides(self, port: int, x: TensorType) -> Decision | None:
        return Compared(0) if x.dtype.is_floating and self.dtype == "bool" else None

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.dtypes import torch_dtype
        from netspec.torch_backend.movement import Cast as Module

        return Module(dtype=torch_dtype(DType(self.dtype)))

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any] | None:
        # The oracle's real numbers are float64 throughout: it must not round them to float32 here.
        return (lambda x: x.double()) if DType(self.dtype).is_floating else None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = DType(self.dtype)
        return x if graph.type(x).dtype is dtype else graph.node("Cast", x, to=dtype)


OPERATIONS = (Cast,)
