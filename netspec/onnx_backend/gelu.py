"""The Gaussian error linear unit, which ONNX has from opset 20 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.ir.tensor import DType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


def gelu(graph: Emitter, x: str, dtype: DType) -> str:
    """x (1 + erf(x / sqrt(2))) / 2, in the order that runtimes know and fuse.

    The root is taken in the file, since no element type holds it.
    """
    # Of float64, onnxruntime makes this operator from constants in float32.
    if graph.opset >= 20 and dtype is not DType.FLOAT64:
        return graph.node("Gelu", x)
    root = graph.node("Sqrt", graph.constant(2.0, dtype))
    erf = graph.node("Erf", graph.node("Div", x, root))
    product = graph.node("Mul", x, graph.node("Add", erf, graph.constant(1.0, dtype)))
    return graph.node("Mul", product, graph.constant(0.5, dtype))
