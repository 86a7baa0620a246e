"""torch's function pad, as a module."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Pad(nn.Module):
    """Elements added before and behind the last dimensions; a negative amount takes elements away."""

    def __init__(self, pad: tuple[int, ...], mode: str, value: float | None) -> None:
        super().__init__()
        self.pad = pad
        self.mode = mode
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self.pad, self.mode, self.value)

    def extra_repr(self) -> str:
        value = "" if self.value is None else f", value={self.value}"
        return f"pad={self.pad}, mode={self.mode}{value}"
