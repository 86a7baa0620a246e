"""torch's function fold where its output's size is known only when it runs."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Fold(nn.Module):
    """Blocks added up into an image, whose size is given when it runs."""

    def __init__(
        self,
        kernel_size: tuple[int, int],
        dilation: tuple[int, int],
        padding: tuple[int, int],
        stride: tuple[int, int],
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, x: Tensor, output_size: tuple[int, int]) -> Tensor:
        return functional.fold(x, output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
