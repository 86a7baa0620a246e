"""What normalisations share: statistics of enough values, and a scale and shift per channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Advised
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Bool
from netspec.ops.base import AtLeast, Fault, Op

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter, Weights


class OneValueOnly(Advised):
    """Statistics of one value: its variance is no estimate of anything, and nothing of it is left."""

    code = "NS320"
    message = "{op}{lacking} needs more than one value per {unit}, not {count}: {input}"

    op: str
    lacking: str
    unit: str
    count: Size
    input: TensorType


def need_spread(fault: OneValueOnly, field: str | None) -> Iterator[AtLeast]:
    """The demand that there be more than one value to take the statistics of."""
    yield AtLeast(fault.count, 2, Fault(fault, field=field, input=0))


def mean(graph: Emitter, x: str, axes: Sequence[int]) -> str:
    """The mean of `x` over `axes`, which stay as dimensions of size 1."""
    from netspec.onnx_backend.reductions import reduced

    return reduced(graph, "ReduceMean", x, axes, keepdims=True)


def centred(graph: Emitter, x: str, axes: Sequence[int]) -> str:
    """`x` minus its mean over `axes`."""
    return graph.node("Sub", x, mean(graph, x, axes))


def reshaped_as(graph: Emitter, y: str, x: str) -> str:
    """`y` in the shape of the layer's input `x`, whose elements it has in the same order."""
    sizes = graph.type(x).known
    if sum(not isinstance(size, int) for size in sizes) > 1:
        return graph.node("Reshape", y, graph.node("Shape", x))
    fixed = [size if isinstance(size, int) else -1 for size in sizes]
    return graph.node("Reshape", y, graph.constant(fixed, DType.INT64))


class PerChannel(Op):
    """What those share that scale and shift every channel after it is normalised."""

    affine: Bool = True
    bias: Bool = True

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that there are; `bias` says nothing where there is no `affine`."""
        if not self.affine:
            return ()
        return ("weight", "bias") if self.bias else ("weight",)

    def affine_arguments(self, x: TensorType) -> dict[str, Any]:
        """The torch module's arguments for its parameters."""
        from netspec.torch_backend.dtypes import torch_dtype

        # torch has not always had `bias`, so that it is passed only where it says something.
        bias = {} if self.bias else {"bias": False}
        return {"affine": self.affine, "dtype": torch_dtype(x.dtype)} | bias

    def scaled(self, graph: Emitter, y: str, x: str, weights: Weights) -> str:
        """`y`, which has the shape of the layer's input `x`, with its channels scaled and shifted."""
        rank = graph.type(x).rank
        for name, operator in zip(self.parameters, ("Mul", "Add"), strict=False):
            parameter = weights[name]
            if rank > 2:
                per_channel = graph.constant([-1] + [1] * (rank - 2), DType.INT64)
                parameter = graph.node("Reshape", parameter, per_channel)
            y = graph.node(operator, y, parameter)
        return y
