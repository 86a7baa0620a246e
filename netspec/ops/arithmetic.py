"""Arithmetic of several inputs, broadcast as in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from netspec.diagnostics import Diagnostic, Severity, spell
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.ops.arguments import Number
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import WrongDType

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class CannotCombine(Diagnostic):
    """Shapes that do not broadcast to one."""

    code = "NS303"
    message = "{op} cannot combine {first} and {other}: {what}"

    op: str
    axis: int
    first: TensorType
    other: TensorType
    left: Size
    right: Size

    @property
    def what(self) -> str:
        """The sizes at fault, counted from the right as broadcasting does."""
        sizes = f"{self.left} against {self.right}"
        if self.first.rank == self.other.rank == 4:
            axis = ("batch", "channels", "height", "width")[self.axis]
            return f"{sizes} channels" if axis == "channels" else f"{axis} {sizes}"
        if self.axis == -1 and self.first.rank == 2:
            return f"{sizes} features"
        return f"dimension {self.axis} is {sizes}"

    @property
    def help(self) -> str:
        if (
            self.axis == -3
            and self.first.rank == 4
            and isinstance(self.left, int)
            and isinstance(self.right, int)
        ):
            return "project one of them with Conv2d: {{out_channels: {left}, kernel_size: 1}}"
        return "make the two sizes equal; only a size of 1 stretches to another"


class NeedsOperands(Diagnostic):
    """A sum or product of one tensor alone."""

    code = "NS314"
    message = "{op} combines two or more inputs, or one with a number `other`; it has {count} and {other}"

    op: str
    count: int
    other: str

    @property
    def help(self) -> str:
        return "write from: [prev, NAME], or {op}: {{other: 2.0}}"


class ChannelsStretched(Diagnostic):
    """A channel dimension of 1 meets a larger one: allowed, and rarely meant."""

    code = "NS315"
    severity = Severity.WARNING
    message = "{op} stretches 1 channel to {channels}: {first} and {other}"

    op: str
    channels: Size
    first: TensorType
    other: TensorType


class NotHeld(Diagnostic):
    """A number that the inputs' element type cannot hold."""

    code = "NS321"
    message = "{argument} is {number}, which {dtype} cannot hold"

    argument: str
    number: str
    dtype: DType


_LARGEST = {
    DType.FLOAT64: 1.7976931348623157e308,
    DType.FLOAT32: 3.4028234663852886e38,
    DType.BFLOAT16: 3.3895313892515355e38,
    DType.FLOAT16: 65504,
    DType.INT64: 2**63 - 1,
    DType.INT32: 2**31 - 1,
}


def need_held(argument: str, number: int | float | None, dtype: DType) -> None:
    """Raise NS321 unless `number` is a value of the element type, or a real number rounds to one."""
    if number is None:
        return
    if isinstance(number, float) and not dtype.is_floating:
        raise Fault(NotHeld(argument=argument, number=spell(number), dtype=dtype), field=argument)
    largest = _LARGEST[dtype]
    smallest = -largest if dtype.is_floating else -largest - 1
    if not smallest <= number <= largest:
        raise Fault(NotHeld(argument=argument, number=spell(number), dtype=dtype), field=argument)


def number_of(dtype: DType, number: float) -> float:
    """The number as one of the inputs' kind: beside real numbers an integer is rounded as they are."""
    return float(number) if dtype.is_floating else number


def broadcast(shapes: tuple[Shape, ...]) -> Shape:
    """The shape to which all of `shapes` stretch, if they agree."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    return tuple(next((size for size in column if size != 1), 1) for column in columns)


class Combination(Op):
    """What Add and Mul share: two or more tensors, or one tensor and a number."""

    arguments: ClassVar[tuple[str, ...]] = ("input",)
    variadic: ClassVar[bool] = True
    onnx_operator: ClassVar[str]

    other: Number | None = None

    @property
    def writes_constants(self) -> bool:
        return True

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        if bool(others) == (self.other is not None):
            given = "none" if self.other is None else f"other: {self.other}"
            count = 1 + len(others)
            raise Fault(NeedsOperands(op=op, count=count, other=given), field="other" if others else None)
        if first.dtype is DType.BOOL:
            raise Fault(WrongDType(op=op, expected="numbers", dtype=first.dtype), input=0)
        need_held("other", self.other, first.dtype)
        for number, other in enumerate(others, start=1):
            if other.dtype != first.dtype:
                expected = f"elements of one type; the first input has {first.dtype}"
                raise Fault(WrongDType(op=op, expected=expected, dtype=other.dtype), input=number)
            yield from self._agrees((first, *others[: number - 1]), other, number)

    def _agrees(self, earlier: Sequence[TensorType], other: TensorType, number: int) -> Iterator[Demand]:
        """Demand that every size of an input, unless it is 1, be that of the earlier ones that are not 1."""
        op = type(self).__name__
        for axis in range(-other.rank, 0):
            right = other.known[axis]
            first = next((x for x in earlier if x.rank >= -axis and x.known[axis] != 1), None)
            if first is not None and right != 1:
                left = first.known[axis]
                mismatch = CannotCombine(op=op, axis=axis, first=first, other=other, left=left, right=right)
                yield Same(left, right, Fault(mismatch, input=number))

    def remarks(self, first: TensorType, *others: TensorType) -> Iterator[Fault]:
        for number, other in enumerate(others, start=1):
            if first.rank == other.rank and first.rank > 2:
                pair = first.known[1], other.known[1]
                if 1 in pair and pair != (1, 1):
                    channels = pair[0] if pair[1] == 1 else pair[1]
                    op = type(self).__name__
                    fault = ChannelsStretched(op=op, channels=channels, first=first, other=other)
                    yield Fault(fault, input=number)

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        return first.with_shape(broadcast((first.known, *(other.known for other in others))))

    def _factors(self, graph: Emitter, first: str, others: tuple[str, ...]) -> tuple[str, ...]:
        if self.other is None:
            return others
        return (graph.constant(self.other, graph.type(first).dtype),)

    def lower(self, graph: Emitter, first: str, *others: str, weights: Weights) -> str:
        for other in self._factors(graph, first, others):
            first = graph.node(self.onnx_operator, first, other)
        return first


class Add(Combination):
    """Sum of the inputs, or of one and the number `other`, broadcast, n times (*) -> (*).

    With `alpha`, the second summand is multiplied by it: input + alpha * other.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS316 alpha with three inputs; NS321 a number that the element type cannot hold.
    Source:  torch.add; ONNX Add-14.
    """

    onnx_operator = "Add"

    alpha: Number = 1

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        yield from super().demands(first, *others)
        if len(others) > 1 and self.alpha != 1:
            fault = AlphaOfMany(count=1 + len(others))
            raise Fault(fault, field="alpha")
        need_held("alpha", self.alpha, first.dtype)

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.modules import Add as Module

        alpha = number_of(first.dtype, self.alpha)
        return Module(None if self.other is None else number_of(first.dtype, self.other), alpha)

    def _factors(self, graph: Emitter, first: str, others: tuple[str, ...]) -> tuple[str, ...]:
        summands = super()._factors(graph, first, others)
        if self.alpha == 1:
            return summands
        alpha = graph.constant(self.alpha, graph.type(first).dtype)
        return (graph.node("Mul", summands[0], alpha),)


class Mul(Combination):
    """Product of the inputs, or of one and the number `other`, broadcast, n times (*) -> (*).

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.mul; ONNX Mul-14.
    """

    onnx_operator = "Mul"

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.modules import Mul as Module

        return Module(None if self.other is None else number_of(first.dtype, self.other))


class AlphaOfMany(Diagnostic):
    """`alpha` scales the second of two summands; with more it is not clear which."""

    code = "NS316"
    message = "alpha scales the second of two inputs; Add has {count}"

    count: int

    @property
    def help(self) -> str:
        return "add them one after the other, or scale one with Mul: {{other: …}} first"


OPERATIONS: tuple[type[Op], ...] = (Add, Mul)
