"""The catalogue: every operation by its name; a family's module loads when one of it is first named."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from netspec.ops.base import Op

FAMILIES = {
    "Conv2d": "convolution",
    "MaxPool2d": "pooling",
    "AvgPool2d": "pooling",
    "AdaptiveAvgPool2d": "adaptive_pooling",
    "Linear": "linear",
    "Identity": "shape",
    "Flatten": "shape",
    "Concat": "shape",
    "BatchNorm1d": "normalisation",
    "BatchNorm2d": "normalisation",
    "Dropout": "dropout",
    "Sigmoid": "activation",
    "Tanh": "activation",
    "ReLU": "activation",
    "Softmax": "activation",
    "LogSoftmax": "activation",
    "Add": "arithmetic",
    "Mul": "arithmetic",
}
"""The family of every operation. A literal, so that checking a spec imports only what it uses."""


@cache
def find(name: str) -> type[Op] | None:
    """The operation of this name, or None."""
    family = FAMILIES.get(name)
    if family is None:
        return None
    operation: type[Op] = getattr(import_module(f"netspec.ops.{family}"), name)
    return operation


def catalogue() -> dict[str, type[Op]]:
    """Every operation by name, in the catalogue's order; loads all families."""
    operations = {name: find(name) for name in FAMILIES}
    return {name: operation for name, operation in operations.items() if operation is not None}
