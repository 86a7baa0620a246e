"""Modules without inputs: they give a tensor of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Parameter(nn.Module):
    """A trained tensor, `weight`, of zeros."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape, dtype=dtype))

    def forward(self) -> Tensor:
        # A copy: who exchanges or overwrites the elements of the one does not do so to the other.
        return self.weight.clone()

    def extra_repr(self) -> str:
        return f"shape={tuple(self.weight.shape)}"


class Constant(nn.Module):
    """A fixed tensor, `value`: a buffer, which moves with the module, but is not in its state dict."""

    value: Tensor

    def __init__(self, value: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self._written = value
        self._dtype = dtype
        self.register_buffer("value", self._made().to(torch.empty(0).device), persistent=False)

    def _made(self) -> Tensor:
        if self._dtype is torch.float16:
            # torch rounds to float32 on the way, numpy at once.
            return torch.from_numpy(np.array(self._written, np.float16))
        return torch.tensor(self._written, dtype=self._dtype, device="cpu")

    def forward(self) -> Tensor:
        return self.value.clone()

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        # What was built on the meta device comes into being with its weights, of which there are none here.
        super()._load_from_state_dict(*arguments, **named)
        if self.value.is_meta:
            self.value = self._made()

    def extra_repr(self) -> str:
        return f"shape={tuple(self.value.shape)}, dtype={self._dtype}"
