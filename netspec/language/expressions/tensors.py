"""The attributes of `$prev`, `$in`, and of named inputs and layers."""

from __future__ import annotations

from typing import ClassVar

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import UNKNOWN
from netspec.ir.tensor import TensorType
from netspec.language.expressions.fault import ExpressionFault, Part
from netspec.language.expressions.values import Value

_AXES = {
    # name: (axis, dimensions that the tensor must have, what they are then)
    "channels": (1, 2, "(batch, channels, …)"),
    "height": (-2, 4, "(batch, channels, height, width)"),
    "width": (-1, 3, "(batch, channels, width)"),
    "features": (-1, 1, "(…, features)"),
}

ATTRIBUTES = (*_AXES, "shape")
"""`.channels` is dimension 1, `.height` the last but one of a tensor with at least 4 dimensions, `.width`
the last of one with at least 3, `.features` the last of any, `.shape` the list of all."""


class NoSuchDimension(Diagnostic):
    """An attribute of a tensor that has too few dimensions for it."""

    code: ClassVar[str] = "NS157"
    message: ClassVar[str] = "there is no `.{name}` in a tensor of shape {type}"
    name: str
    type: TensorType

    @property
    def layout(self) -> str:
        return _AXES[self.name][2]

    @property
    def help(self) -> str:
        return "`.{name}` belongs to shapes {layout}; `.shape[0]` reads any dimension"


def attribute(type: TensorType, name: str, part: Part) -> Value:
    """One of ATTRIBUTES of a tensor; UNKNOWN where its shape is."""
    if type.shape is None:
        return UNKNOWN
    if name == "shape":
        return list(type.shape)
    axis, rank, _ = _AXES[name]
    if len(type.shape) < rank:
        raise ExpressionFault.of(NoSuchDimension(name=name, type=type), part)
    return type.shape[axis]
