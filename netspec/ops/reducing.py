"""What reductions share: their dimensions, what they leave of a shape, how they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from netspec.diagnostics import Diagnostic
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Bool, Int
from netspec.ops.base import Demand, Fault, Op
from netspec.ops.faults import axes_of, need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class KeptWithoutDim(Diagnostic):
    """keepdim beside no dim, where the whole tensor becomes one number."""

    code = "NS376"
    message = "{op} keeps dimensions only where it reduces along a dim"

    op: str

    @property
    def help(self) -> str:
        return "write dim too, or leave keepdim out"


class Reduction(Op):
    """What reductions share: the dimensions along which they reduce, and whether those stay, of size 1."""

    torch_function: ClassVar[str]
    onnx_operator: ClassVar[str]
    counts: ClassVar[bool] = False  # whether it makes int64 of integers and truth values
    real: ClassVar[bool] = False  # whether it takes real numbers alone

    # A subclass has `dim`, and `keepdim` if its torch function has it.

    def _dims(self) -> tuple[int, ...]:
        """The dimensions as they are written; none where all are meant."""
        dim: int | tuple[int, ...] | None = getattr(self, "dim", None)
        if dim is None:
            return ()
        return (dim,) if isinstance(dim, int) else dim

    def _axes(self, x: TensorType) -> tuple[int, ...]:
        """The dimensions along which `x` is reduced, from the front."""
        dims = self._dims()
        return tuple(dim % x.rank for dim in dims) if dims else tuple(range(x.rank))

    def _keeps(self) -> bool:
        return bool(getattr(self, "keepdim", False))

    def demands(self, x: TensorType) -> Iterator[Demand]:
        if self.real:
            need_floating(type(self).__name__, x)
        axes_of("dim", self._dims(), x)
        yield from ()

    def _reduced(self, x: TensorType) -> TensorType:
        """The type of what is left, of the input's elements."""
        axes = self._axes(x)
        if self._keeps():
            return x.with_shape(tuple(1 if axis in axes else size for axis, size in enumerate(x.known)))
        return x.with_shape(tuple(size for axis, size in enumerate(x.known) if axis not in axes))

    def infer(self, x: TensorType) -> TensorType | tuple[TensorType, ...]:
        left = self._reduced(x)
        return TensorType(left.shape, DType.INT64) if self.counts and not x.dtype.is_floating else left

    def window(self, x: TensorType) -> Window | None:
        return None

    def _arguments(self) -> dict[str, Any]:
        """The arguments of the torch function: without dim, some functions have no keepdim either."""
        dims = getattr(self, "dim", None)
        return {"dim": dims, "keepdim": self._keeps()} if dims is not None or self._keeps() else {}

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function(type(self).__name__, self.torch_function, **self._arguments())

    def _reduce(self, graph: Emitter, operator: str, x: str, source: TensorType, keeps: bool) -> str:
        from netspec.onnx_backend.reductions import reduced

        axes = self._axes(source) if self._dims() else None
        return reduced(graph, operator, x, axes, keepdims=keeps)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        source = graph.type(x)
        if self.counts and source.dtype in (DType.INT32, DType.BOOL):
            x = graph.node("Cast", x, to=DType.INT64)
        return self._reduce(graph, self.onnx_operator, x, source, self._keeps())


class AlongOne(Reduction):
    """What reductions share that torch has along one dimension, or over all of them."""

    dim: Int | None = None
    keepdim: Bool = False

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        if self.keepdim and self.dim is None:
            raise Fault(KeptWithoutDim(op=type(self).__name__), field="keepdim")
