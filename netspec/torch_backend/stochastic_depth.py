"""Stochastic depth: in training, residual branches that now and then are not there."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Zeroes a sample, or with mode `batch` all of them, with probability `p`; the identity in evaluation.

    What is kept is divided by 1 - p, so that the expected value stays.
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = 1 - self.p
        draws = x.shape[0] if self.mode == "row" else 1
        shape = (draws,) + (1,) * (x.ndim - 1)
        noise = torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(kept)
        if kept > 0:
            noise.div_(kept)
        return x * noise

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"
