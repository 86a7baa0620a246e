"""Modules for operations that torch has as functions only."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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


class Mul(nn.Module):
    """Product of the inputs, or of one and a number."""

    def __init__(self, other: float | None) -> None:
        super().__init__()
        self.other = other

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        if self.other is not None:
            return first * self.other
        for other in others:
            first = first * other
        return first

    def extra_repr(self) -> str:
        return "" if self.other is None else f"other={self.other}"


class Concat(nn.Module):
    """The inputs joined along `dim`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors, dim=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
