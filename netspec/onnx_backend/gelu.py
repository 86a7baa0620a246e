"""The Gaussian error linear unit, which ONNX has from opset 20 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


def gelu(graph: Emitter, x: str, dtype: DType) -> str:
    """The unit of each element of `x`, which has an axis or more."""
    # Of float64, onnxruntime makes this operator from constants in float32.
    if graph.opset >= 20 and dtype is not DType.FLOAT64:
        return graph.node("Gelu", x)
    return gelu_by_erf(graph, x, dtype)


def gelu_by_erf(graph: Emitter, x: str, dtype: DType, *, scalar: bool = False) -> str:
    """x / 2 (1 + erf(x / sqrt(2))), in an order that runtimes know and fuse, and where no product overflows.

    The root is taken in the file, since no element type holds it. Where `x / 2` does not come first OpenCV
    takes the divisor for a constant of the file, and crashes; nor does it take the root of a scalar.
    """
    root = graph.node("Sqrt", graph.constant(2.0 if scalar else [2.0], dtype))
    half = graph.node("Mul", x, graph.constant(0.5, dtype))
    erf = graph.node("Erf", graph.node("Div", x, root))
    return graph.node("Mul", half, graph.node("Add", erf, graph.constant(1.0, dtype)))
