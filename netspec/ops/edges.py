"""What all paddings share: elements added at the ends of a tensor's dimensions, or taken away there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Axis, Window
from netspec.ops.base import AtLeast, Demand, Fault, Op
from netspec.ops.broadcasting import NotHeld, need_held, number_of
from netspec.ops.faults import AXES, WrongDType, WrongRank, need_rank, padding_is_there

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter, Weights

COPIED = {1: "(N, C, L) or (C, L)", 2: "(N, C, H, W) or (C, H, W)", 3: "(N, C, D, H, W) or (C, D, H, W)"}
"""What padding that copies from the input takes, by the number of padded dimensions."""


class NothingLeft(Diagnostic):
    """Negative padding takes a whole dimension away."""

    code = "NS325"
    message = "negative padding leaves nothing of the input: it needs {axis} {least} or more, not {size}"

    axis: str
    least: int
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "a negative number takes so many elements away from that end: take fewer"


class Padding(Op):
    """What all paddings share: a mode, amounts in torch's order, and the value that constant padding holds.

    `amounts` names the argument that holds the amounts.
    """

    amounts: ClassVar[str]

    def _padding(self) -> tuple[str, tuple[int, ...], int | float]:
        """The mode, the amounts (before and after the last dimension, then the one before it), the value."""
        raise NotImplementedError

    def _ends(self, rank: int) -> list[tuple[int, int]]:
        """Elements added (before, after) every dimension of a tensor, first to last."""
        _, amounts, _ = self._padding()
        ends = list(zip(amounts[::2], amounts[1::2], strict=True))[::-1]
        return [(0, 0)] * (rank - len(ends)) + ends

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        mode, amounts, value = self._padding()
        padded = len(amounts) // 2
        if mode != "constant":
            need_rank(op, x, (padded + 1, padded + 2), COPIED[padded])
        elif x.rank < padded:
            expected = f"a tensor of {padded} dimensions or more"
            raise Fault(WrongRank(op=op, expected=expected, got=x), input=0)
        if mode in ("reflect", "replicate") and x.dtype is DType.BOOL:
            raise Fault(WrongDType(op=op, expected="numbers", dtype=x.dtype), input=0)
        if x.dtype is not DType.BOOL:
            need_held("value", value, x.dtype)
        elif value not in (0, 1):
            raise Fault(NotHeld(argument="value", number=spell(value), dtype=x.dtype), field="value")
        for number, ((before, after), size) in enumerate(zip(self._ends(x.rank), x.known, strict=True)):
            axis = _axis_name(number, x.rank)
            yield from padding_is_there(mode, axis, size, before, after, x, self.amounts)
            least = 1 - min(before, 0) - min(after, 0)
            if least > 1:
                nothing = NothingLeft(axis=axis, least=least, size=size, input=x)
                yield AtLeast(size, least, Fault(nothing, field=self.amounts, input=0))

    def infer(self, x: TensorType) -> TensorType:
        ends = zip(x.known, self._ends(x.rank), strict=True)
        return x.with_shape(tuple(size + before + after for size, (before, after) in ends))

    def window(self, x: TensorType) -> Window | None:
        ends = self._ends(x.rank)
        if x.rank < 3 or any(map(any, ends[:2])):
            return None  # what the channels or the batch are padded with is no position of a window
        return tuple(Axis(1, 1, before, after) for before, after in ends[2:])

    @property
    def writes_constants(self) -> bool:
        return True

    def _value(self, dtype: DType) -> int | float:
        """The value as torch takes it, which fills through a double."""
        *_, value = self._padding()
        return number_of(dtype, value) if dtype.is_floating else int(float(value))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        from netspec.onnx_backend.padding import padded

        mode, _, value = self._padding()
        type = graph.type(x)
        held = graph.constant(self._value(type.dtype), type.dtype) if value else ""
        return padded(graph, x, self._ends(type.rank), mode, held)


def _axis_name(axis: int, rank: int) -> str:
    """How a message names a dimension; the sizes follow."""
    if axis >= 2 and rank - 2 in AXES:
        return AXES[rank - 2][axis - 2]
    return f"a dimension {axis} of"
