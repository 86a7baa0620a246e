"""What operations on several tensors share: shapes that stretch to one, elements of one type, numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from netspec.diagnostics import Diagnostic, Severity, spell
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import WrongDType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


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
    matrices: bool = False

    @property
    def what(self) -> str:
        """The sizes at fault, counted from the right as broadcasting does."""
        sizes = f"{self.left} against {self.right}"
        if self.first.rank == self.other.rank == 4 and not self.matrices:
            axis = ("batch", "channels", "height", "width")[self.axis]
            return f"{sizes} channels" if axis == "channels" else f"{axis} {sizes}"
        if self.axis == -1 and self.first.rank == 2:
            return f"{sizes} features"
        return f"dimension {self.axis} is {sizes}"

    @property
    def projection(self) -> str:
        """The arguments of the convolution that makes one image as the other; empty if none does."""
        images = []
        for image in (self.first, self.other):
            sizes = [size for size in image.known[1:] if isinstance(size, int)]
            if len(sizes) < 3:
                return ""
            images.append(sizes)
        (channels, *small), (_, *large) = sorted(images, key=lambda sizes: sizes[1:])
        stride = -(-large[0] // small[0])
        if [(size - 1) // stride + 1 for size in large] != small:
            return ""
        return f"out_channels: {channels}, kernel_size: 1" + (f", stride: {stride}" if stride > 1 else "")

    @property
    def help(self) -> str:
        if (
            self.axis == -3
            and self.first.rank == 4
            and not self.matrices
            and isinstance(self.left, int)
            and isinstance(self.right, int)
        ):
            return "project one of them with Conv2d: {{{projection}}}" if self.projection else ""
        return "make the two sizes equal; only a size of 1 stretches to another"


class NeedsOperands(Diagnostic):
    """An operation on two tensors, or a tensor and a number, that has one tensor alone, or too much."""

    code = "NS314"
    message = "{op} combines {wanted}; it has {given}"

    op: str
    count: int
    argument: str | None
    number: int | float | None
    several: bool

    @property
    def wanted(self) -> str:
        tensors = "two or more inputs" if self.several else "two inputs"
        return f"{tensors}, or one with a number `{self.argument}`" if self.argument else tensors

    @property
    def given(self) -> str:
        if self.argument is None:
            return str(self.count)
        number = "none" if self.number is None else f"{self.argument}: {self.number}"
        return f"{self.count} and {number}"

    @property
    def help(self) -> str:
        if self.argument is None:
            return "write from: [prev, NAME]"
        return "write from: [prev, NAME], or {op}: {{{argument}: 2.0}}"


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


def number_of(dtype: DType, number: int | float) -> int | float:
    """The number as one of the inputs' kind: beside real numbers an integer is rounded as they are."""
    return float(number) if dtype.is_floating else number


def need_numbers(op: str, x: TensorType, before: int = 0) -> None:
    """Raise NS308 where the elements of `x` are truth values; `before` counts the inputs before it."""
    if x.dtype is DType.BOOL:
        advice = "convert them before, with Cast: {dtype: int64}"
        fault = WrongDType(op=op, expected="numbers", dtype=x.dtype, advice=advice)
        raise Fault(fault, input=before)


def need_one_type(
    op: str, first: TensorType, *others: TensorType, named: str = "the first input", before: int = 0
) -> None:
    """Raise NS308 unless the elements of all inputs are of the first's type.

    `named` is how a message calls the first; `before` counts the inputs before it.
    """
    for number, other in enumerate(others, start=before + 1):
        if other.dtype != first.dtype:
            # An integer becomes a real number rather than the other way round.
            wanted = other.dtype if other.dtype.is_floating and not first.dtype.is_floating else first.dtype
            fault = WrongDType(
                op=op,
                expected=f"elements of one type; {named} has {first.dtype}",
                dtype=other.dtype,
                advice=f"convert one of them before, with Cast: {{dtype: {wanted}}}",
            )
            raise Fault(fault, input=number)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape to which all of `shapes` stretch, if they agree."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    return tuple(next((size for size in column if size != 1), 1) for column in columns)


def agreement(op: str, *inputs: TensorType, matrices: bool = False) -> Iterator[Demand]:
    """Demand that every size of an input, unless it is 1, be that of the earlier ones that are not 1.

    Where the inputs are matrices, of what comes before their last two dimensions.
    """
    for number, other in enumerate(inputs):
        for axis in range(-other.rank, -2 if matrices else 0):
            right = other.known[axis]
            earlier = (x for x in inputs[:number] if x.rank >= -axis and x.known[axis] != 1)
            first = next(earlier, None)
            if first is not None and right != 1:
                left = first.known[axis]
                mismatch = CannotCombine(
                    op=op, axis=axis, first=first, other=other, left=left, right=right, matrices=matrices
                )
                yield Same(left, right, Fault(mismatch, input=number))


def stretched_channels(op: str, first: TensorType, *others: TensorType) -> Iterator[Fault]:
    """NS315 for every input with which one channel meets several."""
    for number, other in enumerate(others, start=1):
        if first.rank == other.rank and first.rank > 2:
            pair = first.known[1], other.known[1]
            if 1 in pair and pair != (1, 1):
                channels = pair[0] if pair[1] == 1 else pair[1]
                fault = ChannelsStretched(op=op, channels=channels, first=first, other=other)
                yield Fault(fault, input=number)


class Broadcasting(Op):
    """What operations share whose inputs stretch to one shape, which is the output's."""

    def infer(self, first: TensorType, *others: TensorType | None) -> TensorType:
        given = [other.known for other in others if other is not None]
        return first.with_shape(broadcast((first.known, *given)))


class Binary(Broadcasting):
    """What operations on two tensors share; a number may stand for the second, as the argument `number`."""

    arguments: ClassVar[tuple[str, ...]] = ("input", "other")
    optional: ClassVar[int] = 1
    number: ClassVar[str] = "other"

    @property
    def _number(self) -> int | float | None:
        number: int | float | None = getattr(self, self.number)
        return number

    @property
    def writes_constants(self) -> bool:
        return True

    def need_operands(self, first: TensorType, other: TensorType | None) -> None:
        """Raise NS314 unless there is one second operand, NS308 or NS321 unless it is of the first's type."""
        op = type(self).__name__
        if (other is not None) == (self._number is not None):
            count = 1 if other is None else 2
            needs = NeedsOperands(
                op=op, count=count, argument=self.number, number=self._number, several=False
            )
            raise Fault(needs, field=self.number if other is not None else None)
        if other is not None:
            need_one_type(op, first, other)
        elif first.dtype is DType.BOOL:
            need_numbers(op, first)
        need_held(self.number, self._number, first.dtype)

    def demands(self, first: TensorType, other: TensorType | None = None) -> Iterator[Demand]:
        self.need_operands(first, other)
        yield from agreement(type(self).__name__, *((first,) if other is None else (first, other)))

    def arguments_of_torch(self, first: TensorType) -> dict[str, int | float | str]:
        """The number, where it stands for the second tensor, as torch's function takes it."""
        number = self._number
        return {} if number is None else {self.number: number_of(first.dtype, number)}

    def second(self, graph: Emitter, first: str, other: str) -> str:
        """The second operand: a tensor, or the number as a constant."""
        number = self._number
        return other if number is None else graph.constant(number, graph.type(first).dtype)
