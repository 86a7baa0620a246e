"""Activations made of straight pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Diagnostic
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Bool, Float, NonNegativeFloat
from netspec.ops.base import Demand, Fault
from netspec.ops.unary import Activation

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter, Weights


class LimitsTooClose(Diagnostic):
    """Hardtanh has an interval to which it limits its input."""

    code = "NS345"
    message = "max_val must be greater than min_val: {greatest} is not greater than {least}"

    least: float
    greatest: float

    @property
    def help(self) -> str:
        return "Hardtanh limits its input to the interval from min_val to max_val"


class ConstantsWritten(Activation):
    """What those share whose arguments stand in the file as constants of the element type."""

    @property
    def writes_constants(self) -> bool:
        return True


class ReLU6(Activation):
    """min(max(x, 0), 6) of each element, (*) -> (*).

    Source:  torch.nn.ReLU6; ONNX Clip-13.
    Example: (N, 32, H, W) -> ReLU6 -> (N, 32, H, W)
    """

    inplace: Bool = False

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        return graph.node("Clip", x, graph.constant(0.0, dtype), graph.constant(6.0, dtype))


class Hardtanh(ConstantsWritten):
    """min(max(x, min_val), max_val) of each element, (*) -> (*).

    Errors:  NS345 max_val is not greater than min_val.
    Source:  torch.nn.Hardtanh; ONNX Clip-13.
    Example: (N, 64) -> Hardtanh: {min_val: -2.0, max_val: 2.0} -> (N, 64)
    """

    min_val: Float = -1.0
    max_val: Float = 1.0
    inplace: Bool = False

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        if not self.max_val > self.min_val:
            fault = LimitsTooClose(least=self.min_val, greatest=self.max_val)
            yield Fault(fault, field="max_val" if "max_val" in self.model_fields_set else "min_val")

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        least, greatest = (graph.constant(limit, dtype) for limit in (self.min_val, self.max_val))
        return graph.node("Clip", x, least, greatest)


class Hardsigmoid(Activation):
    """min(max(x / 6 + 1 / 2, 0), 1) of each element, (*) -> (*).

    Source:  torch.nn.Hardsigmoid; ONNX HardSigmoid-6.
    Example: (N, 64, 1, 1) -> Hardsigmoid -> (N, 64, 1, 1)
    """

    inplace: Bool = False

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any]:
        from netspec.torch_backend.rounded import hardsigmoid

        return hardsigmoid

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)


class Hardswish(Activation):
    """x min(max(x / 6 + 1 / 2, 0), 1) of each element, (*) -> (*).

    Source:  torch.nn.Hardswish; ONNX HardSwish-14.
    Example: (N, 16, H, W) -> Hardswish -> (N, 16, H, W)
    """

    onnx_operator = "HardSwish"

    inplace: Bool = False


class Hardshrink(ConstantsWritten):
    """x of each element beyond +-lambd, 0 of the others, (*) -> (*).

    Source:  torch.nn.Hardshrink; ONNX LessOrEqual-16, Where-16.
    Example: (N, 64) -> Hardshrink: {lambd: 0.1} -> (N, 64)
    """

    lambd: Float = 0.5

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # Not Shrink, which takes four times as long in onnxruntime.
        dtype = graph.type(x).dtype
        within = graph.node("LessOrEqual", graph.node("Abs", x), graph.constant(self.lambd, dtype))
        return graph.node("Where", within, graph.constant(0.0, dtype), x)


class Softshrink(ConstantsWritten):
    """x - lambd of each element above lambd, x + lambd below -lambd, 0 between, (*) -> (*).

    Source:  torch.nn.Softshrink; ONNX Clip-13, Sub-14.
    Example: (N, 64) -> Softshrink: {lambd: 0.1} -> (N, 64)
    """

    lambd: NonNegativeFloat = 0.5

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        # What lies between the limits is taken off: as Shrink, but ten times as fast in onnxruntime.
        dtype = graph.type(x).dtype
        limits = (graph.constant(limit, dtype) for limit in (-self.lambd, self.lambd))
        return graph.node("Sub", x, graph.node("Clip", x, *limits))


class Threshold(ConstantsWritten):
    """x of each element above `threshold`, `value` of the others, (*) -> (*).

    Source:  torch.nn.Threshold; ONNX LessOrEqual-16, Where-16.
    Example: (N, 64) -> Threshold: {threshold: 0.1, value: 0.0} -> (N, 64)
    """

    threshold: Float
    value: Float
    inplace: Bool = False

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        below = graph.node("LessOrEqual", x, graph.constant(self.threshold, dtype))
        return graph.node("Where", below, graph.constant(self.value, dtype), x)


OPERATIONS = (ReLU6, Hardtanh, Hardsigmoid, Hardswish, Hardshrink, Softshrink, Threshold)
