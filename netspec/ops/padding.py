"""The function pad: elements added around a tensor, or taken away from its ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Expected, Int, Number, listed
from netspec.ops.base import Demand, Fault
from netspec.ops.edges import Padding

if TYPE_CHECKING:
    from torch import nn

Mode = Annotated[
    Literal["constant", "reflect", "replicate", "circular"],
    Expected("constant, reflect, replicate or circular"),
]
Amounts = Annotated[
    tuple[Int, ...],
    BeforeValidator(listed),
    Expected("a list of two integers for each padded dimension, the last dimension first", "an integer"),
]


class WrongPadCount(Diagnostic):
    """`pad` holds two numbers for each of the last dimensions."""

    code = "NS324"
    message = "pad has {numbers}, but {mode} padding takes {expected}"

    mode: str
    count: int
    expected: str

    @property
    def numbers(self) -> str:
        return "1 number" if self.count == 1 else f"{self.count} numbers"

    @property
    def help(self) -> str:
        return "pad: [before, after] of the last dimension, then of the one before it, and so on"


class ValueUnused(Diagnostic):
    """A value for padding that copies from the input."""

    code = "NS326"
    message = "{mode} padding copies from the input: value {value} has no place in it"

    mode: str
    value: str

    @property
    def help(self) -> str:
        return "leave value out, or write mode: constant"


class Pad(Padding):
    """The input with elements added around its last dimensions, (*) -> (*).

    `pad` holds two numbers a dimension, [before, after], the last dimension's first; a negative number takes
    elements away. What is added is `value`, or the input mirrored (reflect), its end repeated (replicate), or
    its other end (circular).

    Shape:   every padded dimension grows by its two numbers.
    Errors:  NS301 a rank that the mode does not take; NS310 reflect or circular padding wider than the input;
             NS321 a value that the element type cannot hold; NS324 other than two numbers a dimension;
             NS325 negative padding that leaves nothing; NS326 a value where the padding is copied.
    Source:  torch.nn.functional.pad; ONNX Pad-13 (-18, -19 for wrap).
    Example: (N, 3, 32, 32) -> Pad: {pad: [1, 1, 2, 2], mode: reflect} -> (N, 3, 36, 34)
    """

    amounts = "pad"

    pad: Amounts
    mode: Mode = "constant"
    value: Number | None = None

    def _padding(self) -> tuple[str, tuple[int, ...], int | float]:
        return self.mode, self.pad, self.value or 0

    def demands(self, x: TensorType) -> Iterator[Demand]:
        count = len(self.pad)
        if self.mode != "constant" and count not in (2, 4, 6):
            wrong = WrongPadCount(mode=self.mode, count=count, expected="2, 4 or 6")
            raise Fault(wrong, field="pad")
        if count % 2 or count > 2 * x.rank:
            expected = f"two for each dimension that it pads, here at most {2 * x.rank}"
            raise Fault(WrongPadCount(mode=self.mode, count=count, expected=expected), field="pad")
        if self.mode != "constant" and self.value:
            raise Fault(ValueUnused(mode=self.mode, value=spell(self.value)), field="value")
        yield from super().demands(x)

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.padding import Pad as Module

        return Module(self.pad, self.mode, self._value(x.dtype) if self.value else None)


OPERATIONS = (Pad,)
