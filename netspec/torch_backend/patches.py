"""torch's function fold where its output's size is known only when it runs."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from netspec.ir.dim import Size
from netspec.torch_backend.movement import bound


class Fold(nn.Module):
    """Blocks added up into an image; `forward` gets the size of each symbolic dimension by its name."""

    def __init__(
        self,
        output_size: tuple[Size, Size],
        kernel_size: tuple[int, int],
        dilation: tuple[int, int],
        padding: tuple[int, int],
        stride: tuple[int, int],
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, x: Tensor, /, **symbols: int) -> Tensor:
        height, width = (bound(length, symbols) for length in self.output_size)
        return functional.fold(x, (height, width), self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        height, width = self.output_size
        return (
            f"output_size=({height}, {width}), kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
