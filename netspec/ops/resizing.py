"""Operations that change the size of sequences, images and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Bool, Expected, listed
from netspec.ops.faults import need_batch
from netspec.ops.interpolation import Factor, Mode, ModeName, Resizing

if TYPE_CHECKING:
    from torch import nn

FactorPair = Annotated[
    Factor | tuple[Factor, Factor] | None,
    BeforeValidator(listed, json_schema_input_type=Factor | tuple[Factor, Factor] | None),
    Expected("a positive number, or a list of two (height, width)"),
]


class Upsample(Resizing):
    """Sequences, images or volumes in another size, (N, C, *) -> (N, C, *').

    Shape:   *' is size (a word in it is a symbolic dimension), or each length times scale_factor, rounded
             down.
             Modes: nearest, nearest-exact and area for all; linear for sequences, bilinear and bicubic for
             images, trilinear for volumes.
    Errors:  NS339 size and scale_factor both, or neither; NS340 a mode for other inputs; NS341 align_corners
             where nothing is interpolated; NS342 too few or too many numbers; NS343 a symbolic size that
             PyTorch rounds as no file can say; NS344 nothing is left.
    Source:  torch.nn.Upsample; ONNX Resize-13, -18, -19; area: as AdaptiveAvgPool.
    Example: (N, 64, H, W) -> Upsample: {scale_factor: 2.0, mode: bilinear} -> (N, 64, 2*H, 2*W)
    """

    mode: ModeName = "nearest"
    align_corners: Bool | None = None
    recompute_scale_factor: Bool | None = None

    def _mode(self) -> Mode:
        return self.mode

    def _aligns(self) -> bool | None:
        return self.align_corners

    def _recomputes(self) -> bool:
        return bool(self.recompute_scale_factor)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        if self.sizes(x):
            return super().build(x)
        return nn.Upsample(
            self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )


class Resize(Upsample):
    """As Upsample, with `antialias` for images made smaller, (N, C, *) -> (N, C, *').

    Shape:   *' is size (a word in it is a symbolic dimension), or each length times scale_factor, rounded
             down.
    Errors:  NS339 to NS344 as Upsample has them; NS341 antialias with another mode than bilinear or bicubic.
    Source:  torch.nn.functional.interpolate; ONNX Resize-13, -18, -19; area: as AdaptiveAvgPool; antialias:
             MatMul-13, since engines disagree on Resize's.
    Example: (N, 3, 64, 64) -> Resize: {size: [32, 32], mode: bilinear, antialias: true} -> (N, 3, 32, 32)
    """

    antialias: Bool = False

    def _smooths(self) -> bool:
        return self.antialias

    def build(self, x: TensorType) -> nn.Module:
        return Resizing.build(self, x)


class UpsamplingNearest2d(Resizing):
    """Images resized by nearest pixels, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' and W' are size, or H and W times scale_factor, rounded down.
    Errors:  NS339 size and scale_factor both, or neither; NS342 too few or too many numbers; NS343 a symbolic
             size that PyTorch rounds as no file can say; NS344 nothing is left.
    Source:  torch.nn.UpsamplingNearest2d; ONNX Resize-13, -18, -19.
    Example: (N, 64, 14, 14) -> UpsamplingNearest2d: {scale_factor: 2.0} -> (N, 64, 28, 28)
    """

    scale_factor: FactorPair = None

    def _need_input(self, op: str, x: TensorType) -> None:
        need_batch(op, x, 2)

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return super().build(x) if self.sizes(x) else nn.UpsamplingNearest2d(self.size, self.scale_factor)


class UpsamplingBilinear2d(Resizing):
    """Images resized between pixels, corners staying corners, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' and W' are size, or H and W times scale_factor, rounded down.
    Errors:  NS339 size and scale_factor both, or neither; NS342 too few or too many numbers; NS343 a symbolic
             size that PyTorch rounds as no file can say; NS344 nothing is left.
    Source:  torch.nn.UpsamplingBilinear2d; ONNX Resize-13, -18, -19.
    Example: (N, 64, 14, 14) -> UpsamplingBilinear2d: {size: [28, 28]} -> (N, 64, 28, 28)
    """

    scale_factor: FactorPair = None

    def _need_input(self, op: str, x: TensorType) -> None:
        need_batch(op, x, 2)

    def _mode(self) -> Mode:
        return "bilinear"

    def _aligns(self) -> bool | None:
        return True

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return super().build(x) if self.sizes(x) else nn.UpsamplingBilinear2d(self.size, self.scale_factor)


OPERATIONS = (Upsample, Resize, UpsamplingNearest2d, UpsamplingBilinear2d)
