"""Layers of what torch has as functions only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

Argument = bool | int | float | str | tuple[int, ...] | None


class Function(nn.Module):
    """A function of torch as a layer: its tensors come from the graph, its other arguments are attributes.

    `operation` is the name under which it is printed, `function` its name in torch.
    """

    def __init__(self, operation: str, function: str, **arguments: Argument) -> None:
        super().__init__()
        self.operation = operation
        self.function = function
        self.keywords = tuple(arguments)
        for name, value in arguments.items():
            setattr(self, name, value)

    def forward(self, *tensors: Tensor) -> Any:
        arguments = {name: getattr(self, name) for name in self.keywords}
        return getattr(torch, self.function)(*tensors, **arguments)

    def _get_name(self) -> str:
        return self.operation

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.keywords)


class Folded(nn.Module):
    """A function of two tensors over all inputs, one after the other; or of one input and the number `other`.

    `operation` is the name under which it is printed, `function` its name in torch.
    """

    def __init__(self, operation: str, function: str, other: float | None = None) -> None:
        super().__init__()
        self.operation = operation
        self.function = function
        self.other = other

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        function = getattr(torch, self.function)
        for other in others if self.other is None else (self.other,):
            first = function(first, other)
        return first

    def _get_name(self) -> str:
        return self.operation

    def extra_repr(self) -> str:
        return "" if self.other is None else f"other={self.other}"


class Add(nn.Module):
    """Sum of the inputs, or of one and a number; with two summands the second is scaled by `alpha`."""

    def __init__(self, other: float | None, alpha: float) -> None:
        super().__init__()
        self.other = other
        self.alpha = alpha

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        if self.other is not None:
            return torch.add(first, self.other, alpha=self.alpha)
        if len(others) == 1:
            return torch.add(first, others[0], alpha=self.alpha)
        for other in others:
            first = first + other
        return first

    def extra_repr(self) -> str:
        parts = [] if self.other is None else [f"other={self.other}"]
        return ", ".join(parts + ([f"alpha={self.alpha}"] if self.alpha != 1 else []))


class Where(nn.Module):
    """One of two tensors, element by element, as a condition says; a number may stand for either.

    Two real numbers give elements of `dtype`.
    """

    def __init__(self, input: float | None, other: float | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.input = input
        self.other = other
        self.dtype = dtype

    def forward(self, condition: Tensor, input: Tensor | None = None, other: Tensor | None = None) -> Tensor:
        chosen: Any = self.input if input is None else input
        otherwise: Any = self.other if other is None else other
        y: Tensor = torch.where(condition, chosen, otherwise)
        return y.to(self.dtype) if input is None and other is None else y

    def extra_repr(self) -> str:
        pairs = (("input", self.input), ("other", self.other))
        return ", ".join(f"{name}={value}" for name, value in pairs if value is not None)
