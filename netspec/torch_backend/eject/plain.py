"""Classes that ejected files bring along, where torch has no such class, or netspec's own does more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Layers(nn.Module):
    """Layers under their names; whoever holds them calls them."""

    def __init__(self, /, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


class NumberedLayers(Layers):
    """Layers under their numbers, some of which are missing."""

    def __getitem__(self, number: int) -> nn.Module:
        return self.get_submodule(str(number))


class Parameter(nn.Module):
    """A trained tensor, `weight`."""

    def __init__(self, *shape: int, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape, dtype=dtype))

    def forward(self) -> Tensor:
        return self.weight.clone()  # so that nothing changes it in place


class Constant(nn.Module):
    """A fixed tensor, which moves with the module and is not in its state dict."""

    value: Tensor

    def __init__(self, value: Any, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        tensor = torch.tensor(value, dtype=dtype)
        self.register_buffer("value", tensor, persistent=False)

    def forward(self) -> Tensor:
        return self.value.clone()
