"""Sums and means, products, variances and norms along dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Axes, Bool, Expected, Int
from netspec.ops.base import AtLeast, Demand, Fault, Op
from netspec.ops.faults import axis_of
from netspec.ops.reducing import AlongOne, Reduction

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class TooFewValues(Diagnostic):
    """A variance of so few values that its divisor vanishes."""

    code = "NS377"
    message = "{op} with correction: {correction} needs {least} values or more, not {count}: {input}"

    op: str
    correction: int
    least: int
    count: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "write correction: 0, or reduce along a longer dimension"


class Mean(Reduction):
    """Mean along `dim`, or of all elements, (*) -> (*) without those dimensions.

    With `keepdim` they stay, of size 1; so in all reductions.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice.
    Source:  torch.mean; ONNX ReduceMean-13, -18.
    Example: (N, 512, H, W) -> Mean: {dim: [2, 3]} -> (N, 512)
    """

    torch_function = "mean"
    onnx_operator = "ReduceMean"
    real = True

    dim: Axes | None = None
    keepdim: Bool = False


class Sum(Reduction):
    """Sum along `dim`, or of all elements, (*) -> (*) without those dimensions.

    Sums of integers are int64, and so are those of truth values, which count the true ones. onnxruntime
    adds them as real numbers, which is exact up to 2**53.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice.
    Source:  torch.sum; ONNX ReduceSum-13.
    Example: (N, T, 64) -> Sum: {dim: 1} -> (N, 64)
    """

    torch_function = "sum"
    onnx_operator = "ReduceSum"
    counts = True

    dim: Axes | None = None
    keepdim: Bool = False


class Prod(AlongOne):
    """Product along `dim`, or of all elements, (*) -> (*) without that dimension.

    Products of integers and truth values are int64; onnxruntime's are exact up to 2**53.

    Errors:  NS307 dim is no dimension of the input; NS376 keepdim without dim.
    Source:  torch.prod; ONNX ReduceProd-13, -18.
    Example: (N, 3) -> Prod: {dim: 1, keepdim: true} -> (N, 1)
    """

    torch_function = "prod"
    onnx_operator = "ReduceProd"
    counts = True


class Var(Reduction):
    """Variance along `dim`, or of all elements, (*) -> (*) without those dimensions.

    The squared distances from the mean are summed, and divided by their number less `correction`.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice; NS377 no more values than
             the correction.
    Source:  torch.var; ONNX ReduceMean-13, -18 and ReduceSum-13.
    Example: (N, 64, 100) -> Var: {dim: -1} -> (N, 64)
    """

    torch_function = "var"
    real = True

    dim: Axes | None = None
    correction: Int = 1
    keepdim: Bool = False

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        count, least = self._count(x), self.correction + 1
        fault = TooFewValues(
            op=type(self).__name__, correction=self.correction, least=least, count=count, input=x
        )
        yield AtLeast(count, least, Fault(fault, field="correction", input=0))

    def _count(self, x: TensorType) -> Size:
        return product(tuple(x.known[axis] for axis in self._axes(x)))

    def _arguments(self) -> dict[str, Any]:
        return {"dim": self.dim, "correction": self.correction, "keepdim": self.keepdim}

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source = graph.type(x)
        centred = graph.node("Sub", x, self._reduce(graph, "ReduceMean", x, source, True))
        # A runtime that adds element after element misses a mean of many, by what is then squared.
        centred = graph.node("Sub", centred, self._reduce(graph, "ReduceMean", centred, source, True))
        squares = graph.node("Mul", centred, centred)
        total = self._reduce(graph, "ReduceSum", squares, source, self.keepdim)
        return graph.node("Div", total, self._divisor(graph, source))

    def _divisor(self, graph: Emitter, source: TensorType) -> str:
        """The number of values less the correction, counted in integers, which are exact."""
        count = self._count(source)
        if isinstance(count, int):
            divisor = graph.constant(count - self.correction, DType.INT64)
        else:
            one = graph.constant([0], DType.INT64)
            divisor = graph.node("Squeeze", graph.size(count), one)
            divisor = graph.node("Sub", divisor, graph.constant(self.correction, DType.INT64))
        return graph.node("Cast", divisor, to=source.dtype)


class Std(Var):
    """Standard deviation along `dim`, or of all elements, (*) -> (*) without those dimensions.

    It is the square root of the variance.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice; NS377 no more values than
             the correction.
    Source:  torch.std; ONNX ReduceMean-13, -18, ReduceSum-13 and Sqrt-13.
    Example: (N, 64, 100) -> Std: {dim: -1} -> (N, 64)
    """

    torch_function = "std"

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Sqrt", super().lower(graph, x, weights))


class Norm(Reduction):
    """p-norm along `dim`, or of all elements, (*) -> (*) without those dimensions.

    (sum |x|^p)^(1/p); `fro` is 2, the Euclidean norm.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice.
    Source:  torch.norm; ONNX ReduceL1-13, -18, ReduceL2-13, -18, or ReduceSum-13 and Pow-15.
    Example: (N, T, 64) -> Norm: {p: 2, dim: -1, keepdim: true} -> (N, T, 1)
    """

    torch_function = "norm"
    real = True

    p: Annotated[Annotated[float, Field(gt=0)] | Literal["fro"], Expected("fro, or a positive number")] = (
        "fro"
    )
    dim: Axes | None = None
    keepdim: Bool = False

    @property
    def writes_constants(self) -> bool:
        return True

    def _power(self) -> float:
        return self.p if isinstance(self.p, float) else 2.0

    def _arguments(self) -> dict[str, Any]:
        return {"p": self._power(), "dim": self.dim, "keepdim": self.keepdim}

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        from netspec.onnx_backend.reductions import vector_norm

        source = graph.type(x)
        axes = self._axes(source) if self._dims() else None
        return vector_norm(graph, x, self._power(), source.dtype, axes, keepdims=self.keepdim)


class CumSum(Op):
    """Sums of the elements up to each one along `dim`, (*) -> (*).

    Sums of integers are int64, and so are those of truth values.

    Errors:  NS307 dim is no dimension of the input.
    Source:  torch.cumsum; ONNX CumSum-14.
    Example: (N, 10) -> CumSum: {dim: 1} -> (N, 10)
    """

    dim: Int

    def demands(self, x: TensorType) -> Iterator[Demand]:
        axis_of("dim", self.dim, x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x if x.dtype.is_floating else TensorType(x.shape, DType.INT64)

    def window(self, x: TensorType) -> Window | None:
        return None

    def terms(self, x: TensorType) -> Size:
        return x.known[self.dim % x.rank]

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function("CumSum", "cumsum", dim=self.dim)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source = graph.type(x)
        if source.dtype in (DType.INT32, DType.BOOL):
            x = graph.node("Cast", x, to=DType.INT64)
        return graph.node("CumSum", x, graph.constant(self.dim % source.rank, DType.INT64))


OPERATIONS: tuple[type[Op], ...] = (Mean, Sum, Prod, Var, Std, Norm, CumSum)
