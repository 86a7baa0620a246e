"""Normalisations of each vector or array of the last dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import SIZE_LIMIT, Bool, Expected, NonNegativeFloat, spread
from netspec.ops.base import Demand, Fault, Op, Weight
from netspec.ops.broadcasting import need_held
from netspec.ops.faults import need_floating, need_number, need_rank
from netspec.ops.normalising import mean

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Nested, Weights

_Positive = Annotated[int, Field(ge=1, le=SIZE_LIMIT)]

TrailingSizes = Annotated[
    tuple[_Positive, ...],
    Field(min_length=1),
    BeforeValidator(spread(1), json_schema_input_type=_Positive | tuple[_Positive, ...]),
    Expected("a positive integer, or a list of them", "a positive integer"),
]


class NormalizedOtherwise(Diagnostic):
    """The sizes that are written for the normalised dimensions are not the input's last ones."""

    code = "NS348"
    message = "normalized_shape is {declared}, but the input {has}: {input}"

    declared: str
    rank: int
    trailing: str  # the sizes that it has in these places, empty where it has fewer
    input: TensorType

    @property
    def has(self) -> str:
        return f"ends in {self.trailing}" if self.trailing else f"has {self.rank} dimensions"

    @property
    def help(self) -> str:
        if self.trailing.startswith("["):
            return "write normalized_shape: {trailing}, or leave it out for the last dimension alone"
        return "leave it out: then it is the last dimension"


def _written(sizes: Sequence[Size]) -> str:
    """Sizes as a spec writes them."""
    return spell(sizes[0] if len(sizes) == 1 else sizes)


class TrailingNorm(Op):
    """What LayerNorm and RMSNorm share: each vector or array of the last dimensions for itself."""

    normalized_shape: TrailingSizes | None = None
    elementwise_affine: Bool = True

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op, declared = type(self).__name__, self.normalized_shape
        need_rank(op, x, tuple(range(1, max(x.rank, 1) + 1)), "one dimension or more")
        need_floating(op, x)
        for name, value in self:
            if isinstance(value, float):
                need_held(name, value, x.dtype)
        missing = declared is not None and len(declared) > x.rank
        trailing = x.known[-len(declared or (0,)) :]
        for size in () if missing else trailing:
            need_number(op, "features", size, x)
        if declared is not None and trailing != declared:
            actual = "" if missing else _written(trailing)
            fault = NormalizedOtherwise(declared=_written(declared), rank=x.rank, trailing=actual, input=x)
            raise Fault(fault, field="normalized_shape", input=0)
        yield from ()

    def normalised(self, x: TensorType) -> tuple[int, ...]:
        """The sizes of the dimensions that are normalised over."""
        if self.normalized_shape is not None:
            return self.normalized_shape
        last = x.known[-1]
        assert isinstance(last, int)
        return (last,)

    def infer(self, x: TensorType) -> TensorType:
        return x

    def window(self, x: TensorType) -> Window | None:
        return None

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        return tuple(Weight(name, self.normalised(x), x.dtype) for name in self.parameters)

    def held(self, x: TensorType) -> tuple[int, ...]:
        return self.normalised(x)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that there are."""
        return ("weight",) if self.elementwise_affine else ()

    def scale(self, graph: Emitter, x: str, weights: Weights) -> str:
        """The factor of every normalised element: ONNX asks for one."""
        if self.elementwise_affine:
            return weights["weight"]
        ones: Nested = 1.0
        for size in reversed(self.normalised(graph.type(x))):
            ones = [ones] * size
        return graph.constant(ones, graph.type(x).dtype)


class LayerNorm(TrailingNorm):
    """Normalisation over the last dimensions, (*, *normalized_shape) -> the same shape.

    (x - mean) / sqrt(variance + eps) * weight + bias, each vector or array by its own mean and variance.
    Without normalized_shape it is over the last dimension.

    Errors:  NS306 a normalised dimension is symbolic; NS348 the input ends in other sizes.
    Source:  torch.nn.LayerNorm; ONNX LayerNormalization-17.
    Example: (N, T, 768) -> LayerNorm -> (N, T, 768)
    """

    eps: NonNegativeFloat = 1e-5
    bias: Bool = True

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*super().parameters, "bias") if self.elementwise_affine and self.bias else super().parameters

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        # torch has not always had `bias`, so that it is passed only where it says something.
        bias: dict[str, Any] = {} if self.bias else {"bias": False}
        affine, dtype = self.elementwise_affine, torch_dtype(x.dtype)
        return nn.LayerNorm(self.normalised(x), self.eps, elementwise_affine=affine, dtype=dtype, **bias)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        type, shape = graph.type(x), self.normalised(graph.type(x))
        factors = [self.scale(graph, x, weights)] + [weights[name] for name in self.parameters[1:]]
        if type.rank == 3 and len(shape) == 1:
            # Nothing changes, but onnxruntime no longer fuses this with an addition before it, into a kernel
            # that takes four times as long on a CPU and rounds ten times as much.
            x = graph.node("Reshape", x, graph.constant([0, 0, *shape], DType.INT64))
        return graph.node("LayerNormalization", x, *factors, axis=-len(shape), epsilon=self.eps)


class RMSNorm(TrailingNorm):
    """Division by the root of the mean square of the last dimensions, (*, *normalized_shape) -> the same.

    x / sqrt(mean(x^2) + eps) * weight. Without eps it is 2^-23, or 2^-52 for float64.

    Errors:  NS306 a normalised dimension is symbolic; NS348 the input ends in other sizes.
    Source:  torch.nn.RMSNorm; ONNX RMSNormalization-23, below it ReduceMean.
    Example: (N, T, 768) -> RMSNorm -> (N, T, 768)
    """

    eps: NonNegativeFloat | None = None

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        from netspec.torch_backend.dtypes import torch_dtype

        affine, dtype = self.elementwise_affine, torch_dtype(x.dtype)
        return nn.RMSNorm(self.normalised(x), self.eps, elementwise_affine=affine, dtype=dtype)

    def _epsilon(self, dtype: DType) -> float:
        """torch's own, where none is written: half precision is computed in float32."""
        if self.eps is not None:
            return self.eps
        return 2.0**-52 if dtype is DType.FLOAT64 else 2.0**-23

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any] | None:
        if self.eps is not None:
            return None
        from netspec.torch_backend.rounded import rms_norm

        return rms_norm(module, self._epsilon(dtype))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        type, shape = graph.type(x), self.normalised(graph.type(x))
        epsilon = self._epsilon(type.dtype)
        if graph.opset >= 23:
            scale = self.scale(graph, x, weights)
            return graph.node("RMSNormalization", x, scale, axis=-len(shape), epsilon=epsilon)
        # As the standard defines it: half precision is computed in float32, and eps is a float32.
        half = type.dtype in (DType.FLOAT16, DType.BFLOAT16)
        y = graph.node("Cast", x, to=DType.FLOAT32) if half else x
        offset = graph.constant(epsilon, DType.FLOAT32)
        if type.dtype is DType.FLOAT64:
            offset = graph.node("Cast", offset, to=DType.FLOAT64)
            square = graph.node("Mul", y, y)
        else:
            # By this pattern onnxruntime knows what to fuse; of float64 it would then lose the eps.
            square = graph.node("Pow", y, graph.constant(2.0, DType.FLOAT32))
        square = mean(graph, square, range(type.rank - len(shape), type.rank))
        y = graph.node("Div", y, graph.node("Sqrt", graph.node("Add", square, offset)))
        if half:
            y = graph.node("Cast", y, to=type.dtype)
        return graph.node("Mul", y, weights["weight"]) if self.elementwise_affine else y


OPERATIONS = (LayerNorm, RMSNorm)
