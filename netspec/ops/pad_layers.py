"""torch.nn's pad layers: their mode and the number of padded dimensions are in their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator

from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Expected, Int, Number, spread
from netspec.ops.edges import Padding

if TYPE_CHECKING:
    from torch import nn

LengthEnds = Annotated[
    tuple[Int, Int],
    BeforeValidator(spread(2), json_schema_input_type=Int | tuple[Int, Int]),
    Expected("an integer, or a list of two (left, right)"),
]
PlaneEnds = Annotated[
    tuple[Int, Int, Int, Int],
    BeforeValidator(spread(4), json_schema_input_type=Int | tuple[Int, Int, Int, Int]),
    Expected("an integer, or a list of four (left, right, top, bottom)"),
]
VolumeEnds = Annotated[
    tuple[Int, Int, Int, Int, Int, Int],
    BeforeValidator(spread(6), json_schema_input_type=Int | tuple[Int, Int, Int, Int, Int, Int]),
    Expected("an integer, or a list of six (left, right, top, bottom, front, back)"),
]


class PadLayer(Padding):
    """What the pad layers share: amounts for both ends of the last dimensions, the last one's first."""

    amounts = "padding"
    mode: ClassVar[str]

    padding: tuple[int, ...]

    def _padding(self) -> tuple[str, tuple[int, ...], int | float]:
        return self.mode, self.padding, 0

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        made: nn.Module = getattr(nn, type(self).__name__)(self.padding)
        return made


class ConstantPad(PadLayer):
    """What the pad layers share that hold a value of their own."""

    mode = "constant"

    value: Number

    def _padding(self) -> tuple[str, tuple[int, ...], int | float]:
        return self.mode, self.padding, self.value

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        made: nn.Module = getattr(nn, type(self).__name__)(self.padding, self._value(x.dtype))
        return made


class ConstantPad1d(ConstantPad):
    """`value` added around the last dimension, (N, C, L) -> (N, C, L').

    Shape:   L' = L + left + right.
    Errors:  NS325 negative padding that leaves nothing; NS321 a value that the element type cannot hold.
    Source:  torch.nn.ConstantPad1d; ONNX Pad-13.
    Example: (N, 8, 100) -> ConstantPad1d: {padding: [2, 0], value: 1.0} -> (N, 8, 102)
    """

    padding: LengthEnds


class ConstantPad2d(ConstantPad):
    """`value` added around the last two dimensions, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = H + top + bottom; W' = W + left + right.
    Errors:  NS325 negative padding that leaves nothing; NS321 a value that the element type cannot hold.
    Source:  torch.nn.ConstantPad2d; ONNX Pad-13.
    Example: (N, 3, 32, 32) -> ConstantPad2d: {padding: 2, value: -1.0} -> (N, 3, 36, 36)
    """

    padding: PlaneEnds


class ConstantPad3d(ConstantPad):
    """`value` added around the last three dimensions, (N, C, D, H, W) -> (N, C, D', H', W').

    Shape:   D' = D + front + back; H' = H + top + bottom; W' = W + left + right.
    Errors:  NS325 negative padding that leaves nothing; NS321 a value that the element type cannot hold.
    Source:  torch.nn.ConstantPad3d; ONNX Pad-13.
    Example: (N, 1, 8, 8, 8) -> ConstantPad3d: {padding: 1, value: 0.5} -> (N, 1, 10, 10, 10)
    """

    padding: VolumeEnds


class ZeroPad1d(PadLayer):
    """Zeros added around the last dimension, (N, C, L) -> (N, C, L').

    Shape:   L' = L + left + right.
    Errors:  NS325 negative padding that leaves nothing.
    Source:  torch.nn.ZeroPad1d; ONNX Pad-13.
    Example: (N, 8, 100) -> ZeroPad1d: {padding: [3, 0]} -> (N, 8, 103)
    """

    mode = "constant"

    padding: LengthEnds


class ZeroPad2d(PadLayer):
    """Zeros added around the last two dimensions, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = H + top + bottom; W' = W + left + right.
    Errors:  NS325 negative padding that leaves nothing.
    Source:  torch.nn.ZeroPad2d; ONNX Pad-13.
    Example: (N, 3, 32, 32) -> ZeroPad2d: {padding: [0, 1, 0, 1]} -> (N, 3, 33, 33)
    """

    mode = "constant"

    padding: PlaneEnds


class ZeroPad3d(PadLayer):
    """Zeros added around the last three dimensions, (N, C, D, H, W) -> (N, C, D', H', W').

    Shape:   D' = D + front + back; H' = H + top + bottom; W' = W + left + right.
    Errors:  NS325 negative padding that leaves nothing.
    Source:  torch.nn.ZeroPad3d; ONNX Pad-13.
    Example: (N, 1, 8, 8, 8) -> ZeroPad3d: {padding: 1} -> (N, 1, 10, 10, 10)
    """

    mode = "constant"

    padding: VolumeEnds


class ReflectionPad1d(PadLayer):
    """The input mirrored at the ends of the last dimension, (N, C, L) -> (N, C, L').

    Shape:   L' = L + left + right.
    Errors:  NS310 padding as wide as the input; NS325 negative padding that leaves nothing.
    Source:  torch.nn.ReflectionPad1d; ONNX Pad-13.
    Example: (N, 8, 100) -> ReflectionPad1d: {padding: 2} -> (N, 8, 104)
    """

    mode = "reflect"

    padding: LengthEnds


class ReflectionPad2d(PadLayer):
    """The input mirrored at the ends of the last two dimensions, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = H + top + bottom; W' = W + left + right.
    Errors:  NS310 padding as wide as the input; NS325 negative padding that leaves nothing.
    Source:  torch.nn.ReflectionPad2d; ONNX Pad-13.
    Example: (N, 3, H, W) -> ReflectionPad2d: {padding: 3} -> (N, 3, H + 6, W + 6)
    """

    mode = "reflect"

    padding: PlaneEnds


class ReflectionPad3d(PadLayer):
    """The input mirrored at the ends of the last three dimensions, (N, C, D, H, W) -> (N, C, D', H', W').

    Shape:   D' = D + front + back; H' = H + top + bottom; W' = W + left + right.
    Errors:  NS310 padding as wide as the input; NS325 negative padding that leaves nothing.
    Source:  torch.nn.ReflectionPad3d; ONNX Pad-13.
    Example: (N, 1, 8, 8, 8) -> ReflectionPad3d: {padding: 1} -> (N, 1, 10, 10, 10)
    """

    mode = "reflect"

    padding: VolumeEnds


class ReplicationPad1d(PadLayer):
    """The ends of the last dimension repeated, (N, C, L) -> (N, C, L').

    Shape:   L' = L + left + right.
    Errors:  NS325 negative padding that leaves nothing.
    Source:  torch.nn.ReplicationPad1d; ONNX Pad-13.
    Example: (N, 8, 100) -> ReplicationPad1d: {padding: 2} -> (N, 8, 104)
    """

    mode = "replicate"

    padding: LengthEnds


class ReplicationPad2d(PadLayer):
    """The ends of the last two dimensions repeated, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = H + top + bottom; W' = W + left + right.
    Errors:  NS325 negative padding that leaves nothing.
    Source:  torch.nn.ReplicationPad2d; ONNX Pad-13.
    Example: (N, 3, 32, 32) -> ReplicationPad2d: {padding: [1, 1, 0, 0]} -> (N, 3, 32, 34)
    """

    mode = "replicate"

    padding: PlaneEnds


class ReplicationPad3d(PadLayer):
    """The ends of the last three dimensions repeated, (N, C, D, H, W) -> (N, C, D', H', W').

    Shape:   D' = D + front + back; H' = H + top + bottom; W' = W + left + right.
    Errors:  NS325 negative padding that leaves nothing.
    Source:  torch.nn.ReplicationPad3d; ONNX Pad-13.
    Example: (N, 1, 8, 8, 8) -> ReplicationPad3d: {padding: 1} -> (N, 1, 10, 10, 10)
    """

    mode = "replicate"

    padding: VolumeEnds


class CircularPad1d(PadLayer):
    """The last dimension continued from the other side, (N, C, L) -> (N, C, L').

    Shape:   L' = L + left + right.
    Errors:  NS310 padding wider than the input; NS325 negative padding that leaves nothing.
    Source:  torch.nn.CircularPad1d; ONNX Pad-19; before it Slice-13 and Concat-13.
    Example: (N, 8, 100) -> CircularPad1d: {padding: 2} -> (N, 8, 104)
    """

    mode = "circular"

    padding: LengthEnds


class CircularPad2d(PadLayer):
    """The last two dimensions continued from the other side, (N, C, H, W) -> (N, C, H', W').

    Shape:   H' = H + top + bottom; W' = W + left + right.
    Errors:  NS310 padding wider than the input; NS325 negative padding that leaves nothing.
    Source:  torch.nn.CircularPad2d; ONNX Pad-19; before it Slice-13 and Concat-13.
    Example: (N, 3, 32, 64) -> CircularPad2d: {padding: [1, 1, 0, 0]} -> (N, 3, 32, 66)
    """

    mode = "circular"

    padding: PlaneEnds


class CircularPad3d(PadLayer):
    """The last three dimensions continued from the other side, (N, C, D, H, W) -> (N, C, D', H', W').

    Shape:   D' = D + front + back; H' = H + top + bottom; W' = W + left + right.
    Errors:  NS310 padding wider than the input; NS325 negative padding that leaves nothing.
    Source:  torch.nn.CircularPad3d; ONNX Pad-19; before it Slice-13 and Concat-13.
    Example: (N, 1, 8, 8, 8) -> CircularPad3d: {padding: 1} -> (N, 1, 10, 10, 10)
    """

    mode = "circular"

    padding: VolumeEnds


OPERATIONS: tuple[type[PadLayer], ...] = (
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReflectionPad3d,
    ReplicationPad1d,
    ReplicationPad2d,
    ReplicationPad3d,
    CircularPad1d,
    CircularPad2d,
    CircularPad3d,
)
