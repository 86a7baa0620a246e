"""Tensors that come from the spec itself: trained ones, and fixed ones."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PlainValidator

from netspec.diagnostics import spell
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import DTypeName, Expected, PositiveInt, RealDTypeName, listed
from netspec.ops.base import Demand, Fault, Op, Weight
from netspec.ops.broadcasting import NotHeld, need_held

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


def _nested(value: Any) -> Any:
    """A finite number or a truth value, or nested tuples of either that are a full rectangle."""
    if isinstance(value, list | tuple):
        rows = tuple(map(_nested, value))
        if not rows or any(_shape(row) != _shape(rows[0]) for row in rows):
            raise ValueError("not a rectangle")
        if len({isinstance(leaf, bool) for leaf in _leaves(rows)}) > 1:
            raise ValueError("truth values among numbers")
        return rows
    if isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    raise ValueError("not a number")


def _shape(value: Any) -> tuple[int, ...]:
    return (len(value), *_shape(value[0])) if isinstance(value, tuple) else ()


def _leaves(value: Any) -> Iterator[bool | int | float]:
    if isinstance(value, tuple):
        for row in value:
            yield from _leaves(row)
    else:
        yield value


FixedShape = Annotated[
    tuple[PositiveInt, ...],
    BeforeValidator(listed),
    Expected("a list of positive integers", "a positive integer"),
]
Literal = Annotated[
    Any,
    PlainValidator(_nested, json_schema_input_type=bool | float | list[Any]),
    Expected("a number, true or false, or lists of one of these whose rows are equally long"),
]


class Parameter(Op):
    """A trained tensor, () -> shape.

    It is the layer's `weight`, and zeros until `init` says otherwise: a class token, a table of positions,
    the scale of a layer.

    Shape:   as written; Expand and Add stretch it to a batch.
    Source:  torch.nn.Parameter.
    Example: (N, 196, 768) -> Parameter: {shape: [1, 196, 768]} -> Add -> (N, 196, 768)
    """

    arguments = ()

    shape: FixedShape
    dtype: RealDTypeName = "float32"

    def infer(self) -> TensorType:
        return TensorType(self.shape, DType(self.dtype))

    def weights(self) -> tuple[Weight, ...]:
        return (Weight("weight", self.shape, DType(self.dtype)),)

    def build(self) -> nn.Module:
        from netspec.torch_backend.dtypes import torch_dtype
        from netspec.torch_backend.sources import Parameter as Module

        return Module(self.shape, torch_dtype(DType(self.dtype)))

    def lower(self, graph: Emitter, weights: Weights) -> str:
        return weights["weight"]


class Constant(Op):
    """A tensor of fixed numbers or truth values, () -> the shape of `value`.

    It is not trained, not saved with the weights and the same on every device. Without `dtype` it holds bool,
    int64 or float32, as its numbers are written.

    Shape:   the lengths of the nested lists; a single number has no dimensions.
    Errors:  NS321 a number that the element type cannot hold.
    Source:  torch.tensor.
    Example: (N, 3, H, W) -> Constant: {value: [[[0.485]], [[0.456]], [[0.406]]]} -> Sub -> (N, 3, H, W)
    """

    arguments = ()

    value: Literal
    dtype: DTypeName | None = None

    @property
    def writes_constants(self) -> bool:
        return True

    def _dtype(self) -> DType:
        if self.dtype is not None:
            return DType(self.dtype)
        kinds = {type(leaf) for leaf in _leaves(self.value)}
        return DType.FLOAT32 if float in kinds else DType.INT64 if int in kinds else DType.BOOL

    def demands(self) -> Iterator[Demand]:
        dtype = self._dtype()
        for leaf in _leaves(self.value):
            if isinstance(leaf, bool) != (dtype is DType.BOOL):
                raise Fault(NotHeld(argument="value", number=spell(leaf), dtype=dtype), field="value")
            if not isinstance(leaf, bool):
                need_held("value", leaf, dtype)
        yield from ()

    def infer(self) -> TensorType:
        return TensorType(_shape(self.value), self._dtype())

    def build(self) -> nn.Module:
        from netspec.torch_backend.dtypes import torch_dtype
        from netspec.torch_backend.sources import Constant as Module

        return Module(self.value, torch_dtype(self._dtype()))

    def lower(self, graph: Emitter, weights: Weights) -> str:
        return graph.constant(self.value, self._dtype())


OPERATIONS = (Parameter, Constant)
