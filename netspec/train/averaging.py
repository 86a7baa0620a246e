"""The exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """A second set of weights that follows the first: average := decay * average + (1 - decay) * weight.

    Buffers such as running statistics are averages already, and are the network's own.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._weights = [p.detach() for p in module.parameters()]
        self._names = [name for name, _ in module.named_parameters()]
        self._average = [weight.clone() for weight in self._weights]
        self._decay = decay

    @torch.no_grad()
    def update(self) -> None:
        """Call after every step of the optimizer."""
        torch._foreach_lerp_(self._average, self._weights, 1 - self._decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """In here the network has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for weight, average in zip(self._weights, self._average, strict=True):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)

    def state(self) -> Mapping[str, Tensor]:
        return dict(zip(self._names, self._average, strict=True))

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(state[name])
