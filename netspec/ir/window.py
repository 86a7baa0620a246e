"""The window that an output element sees, per axis; shapes and receptive fields are both computed from it."""

from __future__ import annotations

from typing import NamedTuple

from netspec.ir.dim import Size


class Axis(NamedTuple):
    """One axis of a sliding window, in elements of its input.

    `padding` counts the elements added before the first and may be negative for an axis that starts
    inside; `padding_after` those added behind the last.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    padding_after: int = 0
    dilation: int = 1
    ceil_mode: bool = False

    @property
    def extent(self) -> int:
        """Elements from the first to the last tap: d (k - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def length(self, size: Size) -> Size:
        """Number of positions of the window over `size` elements.

        Rounded down: (H + p + q - d (k - 1) - 1) // s + 1. With `ceil_mode` it is rounded up, but the last
        window starts inside the input or its leading padding:
        (H + min(p + q - d (k - 1) - 1 + s, p) + s - 1) // s.
        """
        slack = self.padding + self.padding_after - self.extent
        if self.ceil_mode:
            return (size + (min(slack + self.stride, self.padding) + self.stride - 1)) // self.stride
        return (size + slack) // self.stride + 1

    def over(self, earlier: Axis) -> Axis:
        """This window over the output of `earlier`, as one window over the input of `earlier`."""
        return Axis(
            kernel=earlier.extent + (self.extent - 1) * earlier.stride,
            stride=self.stride * earlier.stride,
            padding=earlier.padding + self.padding * earlier.stride,
            padding_after=earlier.padding_after + self.padding_after * earlier.stride,
        )


Window = tuple[Axis, ...]
"""The spatial axes of a window, in the order of the shape's trailing dimensions."""
