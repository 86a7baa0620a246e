"""What the pools share: a window that slides over every channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import TensorType
from netspec.ir.window import Axis, Window
from netspec.ops.arguments import Bool
from netspec.ops.base import AtLeast, Demand, Fault, Op, Types
from netspec.ops.faults import AXES, need_batch, need_floating, window_fits


class PoolPaddingTooWide(Diagnostic):
    """A pool may pad at most half of its kernel, whatever its dilation."""

    code = "NS311"
    message = "padding {padding} is more than half of the kernel of {kernel} ({axis})"

    padding: int
    kernel: int
    axis: str

    @property
    def help(self) -> str:
        return "padding: {most} is the most that this kernel allows"

    @property
    def most(self) -> int:
        return self.kernel // 2


class OnlyPadding(Diagnostic):
    """A dilated window steps over the whole input, from the padding before it to the padding behind."""

    code = "NS319"
    message = "a window of {op} lies in padding alone: it needs {axis} {least} or more, not {size}"

    op: str
    axis: str
    least: int
    size: Size
    input: TensorType

    @property
    def label(self) -> str:
        return "the input is {input}"

    @property
    def help(self) -> str:
        return "make the dilation smaller, or leave the padding out"


class Pool(Op):
    """A pool over as many trailing axes as its kernel has: (N, C, *) -> (N, C, *')."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] | None
    ceil_mode: Bool = False

    def _paddings(self) -> tuple[int, ...]:
        return (0,) * len(self.kernel_size)

    def _dilations(self) -> tuple[int, ...]:
        return (1,) * len(self.kernel_size)

    def window(self, x: TensorType | None = None) -> Window:
        strides = self.stride or self.kernel_size
        return tuple(
            Axis(kernel, stride, padding, padding, dilation, self.ceil_mode)
            for kernel, stride, padding, dilation in zip(
                self.kernel_size, strides, self._paddings(), self._dilations(), strict=True
            )
        )

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op, spatial = type(self).__name__, len(self.kernel_size)
        need_batch(op, x, spatial)
        need_floating(op, x)
        for name, size, axis in zip(AXES[spatial], x.known[2:], self.window(), strict=True):
            if axis.padding > axis.kernel // 2:
                fault = PoolPaddingTooWide(padding=axis.padding, kernel=axis.kernel, axis=name)
                raise Fault(fault, field="padding")
            room = self._room(axis)
            yield from window_fits(op, name, size, room, axis.extent, x)
            fitting = axis.extent - room
            least = -axis.padding % axis.dilation + 1  # up to the window's first element behind the padding
            if least > max(fitting, 1) and (not isinstance(size, int) or fitting <= size < least):
                only = OnlyPadding(op=op, axis=name, least=least, size=size, input=x)
                yield AtLeast(size, least, Fault(only, field="dilation", input=0))

    def _room(self, axis: Axis) -> int:
        """How far a window may reach beyond its input in all; rounded up, it may hang over its end, too."""
        return 2 * axis.padding + (axis.stride - 1 if axis.ceil_mode else 0)

    def _pooled(self, x: TensorType) -> TensorType:
        """What the windows give: one element a position."""
        sizes = (axis.length(size) for axis, size in zip(self.window(), x.known[2:], strict=True))
        return x.with_shape((*x.known[:2], *sizes))

    def infer(self, x: TensorType) -> Types:
        return self._pooled(x)

    def _ends(self) -> list[tuple[int, int]]:
        """Elements to add (before, after) each axis so that rounding down gives what `ceil_mode` asks for.

        With p before and min(p + s - 1, extent - 1) behind, the rounded-down length is Axis.length; it holds
        for every size, so that a symbolic axis needs no arithmetic at run time.
        """
        return [
            (axis.padding, min(axis.padding + axis.stride - 1, axis.extent - 1))
            if axis.ceil_mode
            else (axis.padding, axis.padding_after)
            for axis in self.window()
        ]

    def _arguments(self) -> dict[str, Any]:
        """The arguments of the torch module, which are the operation's own."""
        return {name: getattr(self, name) for name in type(self).model_fields}
