"""A package of operations from outside netspec: one with a lowering of its own, one without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netspec
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Float, PositiveInt
from netspec.ops.base import Weight

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class Snake(netspec.Op):
    """x + sin(frequency x)^2 / frequency, elementwise, (*) -> (*).

    Source:  Ziyin, Hartwig, Ueda, 2020; ONNX Sin-7.
    Example: (N, 64) -> Snake: {frequency: 2.5} -> (N, 64)
    """

    frequency: Float = 1.0

    @property
    def writes_constants(self) -> bool:
        return True

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from sample_modules import Snake as Module

        module: nn.Module = Module(self.frequency)
        return module

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        frequency = graph.constant(self.frequency, DType(graph.type(x).dtype))
        wave = graph.node("Sin", graph.node("Mul", x, frequency))
        return graph.node("Add", x, graph.node("Div", graph.node("Mul", wave, wave), frequency))


class Gated(netspec.Op):
    """A linear layer times the sigmoid of another, (*, C) -> (*, out_features).

    It has no lowering: torch's exporter writes it.

    Example: (N, T, 64) -> Gated: {out_features: 32} -> (N, T, 32)
    """

    out_features: PositiveInt

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape((*x.known[:-1], self.out_features))

    def weights(self, x: TensorType) -> tuple[Weight, ...]:
        features = x.known[-1]
        assert isinstance(features, int)
        shapes = {"weight": (self.out_features, features), "bias": (self.out_features,)}
        return tuple(
            Weight(f"{part}.{name}", shape, x.dtype)
            for part in ("value", "gate")
            for name, shape in shapes.items()
        )

    def build(self, x: TensorType) -> nn.Module:
        from sample_modules import Gated as Module

        features = x.known[-1]
        assert isinstance(features, int)
        module: nn.Module = Module(features, self.out_features)
        return module


OPERATIONS = (Snake, Gated)
