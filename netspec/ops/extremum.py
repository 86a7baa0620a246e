"""The largest and the smallest elements, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Axes, Bool, Int
from netspec.ops.base import Decision, Demand, Indexed, Op
from netspec.ops.broadcasting import need_numbers
from netspec.ops.reducing import AlongOne, Reduction

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter, Weights


class Extreme(Reduction):
    """What the reductions to the largest or the smallest element share: truth values are ordered too."""

    def _extreme(self, graph: Emitter, x: str) -> str:
        source = graph.type(x)
        truth = source.dtype is DType.BOOL
        if truth:  # which ONNX takes from opset 20 on
            x = graph.node("Cast", x, to=DType.INT32)
        y = self._reduce(graph, self.onnx_operator, x, source, self._keeps())
        return graph.node("Cast", y, to=DType.BOOL) if truth else y

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        return self._extreme(graph, x)


class AMax(Extreme):
    """The largest element along `dim`, or of all, (*) -> (*) without those dimensions.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice.
    Source:  torch.amax; ONNX ReduceMax-13, -18.
    Example: (N, 64, H, W) -> AMax: {dim: [2, 3]} -> (N, 64)
    """

    torch_function = "amax"
    onnx_operator = "ReduceMax"

    dim: Axes = ()
    keepdim: Bool = False


class AMin(Extreme):
    """The smallest element along `dim`, or of all, (*) -> (*) without those dimensions.

    Errors:  NS307 dim is no dimension of the input; NS361 one is named twice.
    Source:  torch.amin; ONNX ReduceMin-13, -18.
    Example: (N, 64, H, W) -> AMin: {dim: [2, 3]} -> (N, 64)
    """

    torch_function = "amin"
    onnx_operator = "ReduceMin"

    dim: Axes = ()
    keepdim: Bool = False


class ExtremeAndPlace(Extreme, AlongOne):
    """What Max and Min share: along a dimension they say where the element stands, too."""

    place_operator: ClassVar[str]

    def ports(self, x: TensorType) -> tuple[str, ...]:
        return ("output",) if self.dim is None else ("output", "indices")

    def infer(self, x: TensorType) -> TensorType | tuple[TensorType, ...]:
        left = self._reduced(x)
        return left if self.dim is None else (left, TensorType(left.shape, DType.INT64))

    def decides(self, port: int, x: TensorType) -> Decision | None:
        return Indexed(0, self._axes(x)) if port == 1 else None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        y = self._extreme(graph, x)
        if self.dim is None:
            return y
        if not graph.is_read(1):
            return y, ""
        source = graph.type(x)
        if source.dtype is DType.BOOL:
            x = graph.node("Cast", x, to=DType.INT32)
        places = graph.node(self.place_operator, x, axis=self.dim % source.rank, keepdims=int(self.keepdim))
        return y, places


class Max(ExtremeAndPlace):
    """The largest element along `dim`, or of all, (*) -> (*) without that dimension.

    Ports:   output; indices (int64) with dim: where the element stands, of equal ones the first.
    Errors:  NS307 dim is no dimension of the input; NS376 keepdim without dim.
    Source:  torch.max; ONNX ReduceMax-13, -18 and ArgMax-13.
    Example: (N, 10) -> Max: {dim: 1} -> (N,), indices (N,) of int64
    """

    torch_function = "max"
    onnx_operator = "ReduceMax"
    place_operator = "ArgMax"


class Min(ExtremeAndPlace):
    """The smallest element along `dim`, or of all, (*) -> (*) without that dimension.

    Ports:   output; indices (int64) with dim: where the element stands, of equal ones the first.
    Errors:  NS307 dim is no dimension of the input; NS376 keepdim without dim.
    Source:  torch.min; ONNX ReduceMin-13, -18 and ArgMin-13.
    Example: (N, 10) -> Min: {dim: 1} -> (N,), indices (N,) of int64
    """

    torch_function = "min"
    onnx_operator = "ReduceMin"
    place_operator = "ArgMin"


class Place(Reduction):
    """What ArgMax and ArgMin share: indices along one dimension, or into all elements in reading order."""

    dim: Int | None = None
    keepdim: Bool = False

    def demands(self, x: TensorType) -> Iterator[Demand]:
        need_numbers(type(self).__name__, x)
        yield from super().demands(x)

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(self._reduced(x).shape, DType.INT64)

    def decides(self, port: int, x: TensorType) -> Decision:
        return Indexed(0, self._axes(x))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        rank = graph.type(x).rank
        if self.dim is not None:
            return graph.node(self.onnx_operator, x, axis=self.dim % rank, keepdims=int(self.keepdim))
        flat = graph.node("Reshape", x, graph.constant([-1], DType.INT64))
        place = graph.node(self.onnx_operator, flat, axis=0, keepdims=int(self.keepdim))
        if not self.keepdim:
            return place
        return graph.node("Reshape", place, graph.constant([1] * rank, DType.INT64))


class ArgMax(Place):
    """Where the largest element stands along `dim`, of equal ones the first, (*) -> (*) of int64.

    Without `dim` the elements are counted through, in reading order.

    Errors:  NS307 dim is no dimension of the input; NS308 truth values.
    Source:  torch.argmax; ONNX ArgMax-13.
    Example: (N, 10) -> ArgMax: {dim: 1} -> (N,) of int64
    """

    torch_function = "argmax"
    onnx_operator = "ArgMax"


class ArgMin(Place):
    """Where the smallest element stands along `dim`, of equal ones the first, (*) -> (*) of int64.

    Without `dim` the elements are counted through, in reading order.

    Errors:  NS307 dim is no dimension of the input; NS308 truth values.
    Source:  torch.argmin; ONNX ArgMin-13.
    Example: (N, 10) -> ArgMin: {dim: 1} -> (N,) of int64
    """

    torch_function = "argmin"
    onnx_operator = "ArgMin"


OPERATIONS: tuple[type[Op], ...] = (Max, Min, AMax, AMin, ArgMax, ArgMin)
