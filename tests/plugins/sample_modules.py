"""The torch modules of netspec_sample_ops; imported only to build."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Snake(nn.Module):
    """x + sin(frequency x)^2 / frequency."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(x * self.frequency) ** 2 / self.frequency


class Gated(nn.Module):
    """A linear layer times the sigmoid of another."""

    def __init__(self, features: int, out_features: int) -> None:
        super().__init__()
        self.value = nn.Linear(features, out_features)
        self.gate = nn.Linear(features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = self.value(x) * torch.sigmoid(self.gate(x))
        return gated
