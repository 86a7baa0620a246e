"""Arithmetic of several inputs, broadcast as in torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from netspec.diagnostics import Diagnostic
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Expected, Number
from netspec.ops.base import Demand, Fault, Op
from netspec.ops.broadcasting import (
    Binary,
    Broadcasting,
    NeedsOperands,
    agreement,
    need_held,
    need_numbers,
    need_one_type,
    number_of,
    stretched_channels,
)
from netspec.ops.faults import WrongDType

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class AlphaOfMany(Diagnostic):
    """`alpha` scales the second of two summands; with more it is not clear which."""

    code = "NS316"
    message = "alpha scales the second of two inputs; Add has {count}"

    count: int

    @property
    def help(self) -> str:
        return "add them one after the other, or scale one with Mul: {{other: …}} first"


class DivisionByZero(Diagnostic):
    """A number that nothing can be divided by."""

    code = "NS371"
    message = "other is 0: nothing can be divided by it"


class NegativePower(Diagnostic):
    """A negative power of integers is no integer."""

    code = "NS372"
    message = "exponent is {exponent}: a negative power of {dtype} elements is no whole number"

    exponent: int
    dtype: DType

    @property
    def help(self) -> str:
        return "convert the input before, with Cast: {{dtype: float32}}"


class Combination(Broadcasting):
    """What Add and Mul share, Maximum and Minimum too: tensors, as many as there are, or one and a number."""

    variadic: ClassVar[bool] = True
    number: ClassVar[str | None] = None  # the argument that may stand for the second tensor
    onnx_operator: ClassVar[str]

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        number = self._number
        if bool(others) == (number is not None):
            count = 1 + len(others)
            needs = NeedsOperands(op=op, count=count, argument=self.number, number=number, several=True)
            raise Fault(needs, field=self.number if others else None)
        need_numbers(op, first)
        if self.number is not None:
            need_held(self.number, number, first.dtype)
        need_one_type(op, first, *others)
        yield from agreement(op, first, *others)

    def remarks(self, first: TensorType, *others: TensorType) -> Iterator[Fault]:
        yield from stretched_channels(type(self).__name__, first, *others)

    @property
    def _number(self) -> int | float | None:
        return None if self.number is None else getattr(self, self.number)

    def _operands(self, graph: Emitter, first: str, others: tuple[str, ...]) -> tuple[str, ...]:
        number = self._number
        return others if number is None else (graph.constant(number, graph.type(first).dtype),)

    def lower(self, graph: Emitter, first: str, *others: str, weights: Weights) -> str:
        for other in self._operands(graph, first, others):
            first = graph.node(self.onnx_operator, first, other)
        return first


class Add(Combination):
    """Sum of the inputs, or of one and the number `other`, broadcast, n times (*) -> (*).

    With `alpha`, the second summand is multiplied by it: input + alpha * other.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS316 alpha with three inputs; NS321 a number that the element type cannot hold.
    Source:  torch.add; ONNX Add-14.
    Example: (N, 64, H, W), (N, 64, H, W) -> Add -> (N, 64, H, W)
    """

    number = "other"
    onnx_operator = "Add"

    other: Number | None = None
    alpha: Number = 1

    @property
    def writes_constants(self) -> bool:
        return True

    def demands(self, first: TensorType, *others: TensorType) -> Iterator[Demand]:
        yield from super().demands(first, *others)
        if len(others) > 1 and self.alpha != 1:
            raise Fault(AlphaOfMany(count=1 + len(others)), field="alpha")
        need_held("alpha", self.alpha, first.dtype)

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Add as Module

        alpha = number_of(first.dtype, self.alpha)
        return Module(None if self.other is None else number_of(first.dtype, self.other), alpha)

    def _operands(self, graph: Emitter, first: str, others: tuple[str, ...]) -> tuple[str, ...]:
        summands = super()._operands(graph, first, others)
        if self.alpha == 1:
            return summands
        alpha = graph.constant(self.alpha, graph.type(first).dtype)
        return (graph.node("Mul", summands[0], alpha),)


class Mul(Combination):
    """Product of the inputs, or of one and the number `other`, broadcast, n times (*) -> (*).

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.mul; ONNX Mul-14.
    Example: (N, 64, H, W), (N, 64, 1, 1) -> Mul -> (N, 64, H, W)
    """

    number = "other"
    onnx_operator = "Mul"

    other: Number | None = None

    @property
    def writes_constants(self) -> bool:
        return True

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Folded

        return Folded("Mul", "mul", None if self.other is None else number_of(first.dtype, self.other))


class Maximum(Combination):
    """The largest of the inputs in every place, broadcast, n times (*) -> (*).

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input.
    Source:  torch.maximum; ONNX Max-13.
    Example: (N, 64), (N, 64) -> Maximum -> (N, 64)
    """

    onnx_operator = "Max"

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Folded

        return Folded("Maximum", "maximum")


class Minimum(Combination):
    """The smallest of the inputs in every place, broadcast, n times (*) -> (*).

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input.
    Source:  torch.minimum; ONNX Min-13.
    Example: (N, 64), (N, 64) -> Minimum -> (N, 64)
    """

    onnx_operator = "Min"

    def build(self, first: TensorType, *others: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Folded

        return Folded("Minimum", "minimum")


class Arithmetic(Binary):
    """What Sub, Div and Pow share: two tensors of numbers, or one and a number."""

    def demands(self, first: TensorType, other: TensorType | None = None) -> Iterator[Demand]:
        need_numbers(type(self).__name__, first)
        yield from super().demands(first, other)

    def remarks(self, first: TensorType, other: TensorType | None = None) -> Iterator[Fault]:
        if other is not None:
            yield from stretched_channels(type(self).__name__, first, other)


class Sub(Arithmetic):
    """Difference of two inputs, or of one and the number `other`, broadcast, (*), (*) -> (*).

    With `alpha`, what is subtracted is multiplied by it: input - alpha * other.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.sub; ONNX Sub-14.
    Example: (N, 64), (N, 64) -> Sub: {alpha: 2} -> (N, 64)
    """

    other: Number | None = None
    alpha: Number = 1

    def demands(self, first: TensorType, other: TensorType | None = None) -> Iterator[Demand]:
        yield from super().demands(first, other)
        need_held("alpha", self.alpha, first.dtype)

    def build(self, first: TensorType, other: TensorType | None = None) -> nn.Module:
        from netspec.torch_backend.functions import Function

        alpha = {} if self.alpha == 1 else {"alpha": number_of(first.dtype, self.alpha)}
        return Function("Sub", "sub", **self.arguments_of_torch(first), **alpha)

    def lower(self, graph: Emitter, first: str, other: str = "", *, weights: Weights) -> str:
        subtracted = self.second(graph, first, other)
        if self.alpha != 1:
            alpha = graph.constant(self.alpha, graph.type(first).dtype)
            subtracted = graph.node("Mul", subtracted, alpha)
        return graph.node("Sub", first, subtracted)


class Div(Arithmetic):
    """Quotient of two inputs, or of one and the number `other`, broadcast, (*), (*) -> (*).

    With `rounding_mode` the quotient is rounded: `trunc` towards zero, `floor` down. Integers need one.
    `floor` is the largest whole number that `other` goes into `input`, as Python's //; where the quotient
    itself is rounded up to a whole number, it is one less than that.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types, integers without rounding_mode;
             NS314 a single input and no other; NS321 a number that the element type cannot hold; NS371
             other is 0.
    Source:  torch.div; ONNX Div-14, Mod-13 for `floor`.
    Example: (N, 64), (N, 1) -> Div -> (N, 64)
    """

    other: Number | None = None
    rounding_mode: Annotated[Literal["trunc", "floor"], Expected("trunc or floor")] | None = None

    def demands(self, first: TensorType, other: TensorType | None = None) -> Iterator[Demand]:
        yield from super().demands(first, other)
        if not first.dtype.is_floating and self.rounding_mode is None:
            fault = WrongDType(
                op="Div",
                expected="floating-point elements where it does not round",
                dtype=first.dtype,
                advice="write rounding_mode: floor, or convert before, with Cast: {dtype: float32}",
            )
            raise Fault(fault, input=0)
        if self.other == 0:
            raise Fault(DivisionByZero(), field="other")

    def build(self, first: TensorType, other: TensorType | None = None) -> nn.Module:
        from netspec.torch_backend.functions import Function

        rounding = {} if self.rounding_mode is None else {"rounding_mode": self.rounding_mode}
        return Function("Div", "div", **self.arguments_of_torch(first), **rounding)

    def lower(self, graph: Emitter, first: str, other: str = "", *, weights: Weights) -> str:
        divisor = self.second(graph, first, other)
        dtype = graph.type(first).dtype
        if self.rounding_mode == "floor":
            return _floored(graph, first, divisor, dtype)
        quotient = graph.node("Div", first, divisor)
        if self.rounding_mode is None or not dtype.is_floating:
            return quotient  # of integers ONNX's is rounded towards zero
        whole = graph.node("Floor", graph.node("Abs", quotient))
        return graph.node("Mul", graph.node("Sign", quotient), whole)


def _floored(graph: Emitter, x: str, divisor: str, dtype: DType) -> str:
    """The quotient rounded down, by its remainder: a quotient just below a whole number is rounded to it."""
    zero = graph.constant(0, dtype)
    if dtype.is_floating:
        remainder = graph.node("Mod", x, divisor, fmod=1)
        # But for rounding it is whole already.
        whole = graph.node("Round", graph.node("Div", graph.node("Sub", x, remainder), divisor))
    else:
        whole = graph.node("Div", x, divisor)
        remainder = graph.node("Sub", x, graph.node("Mul", whole, divisor))
    signs = graph.node("Xor", graph.node("Less", remainder, zero), graph.node("Less", divisor, zero))
    below = graph.node("And", graph.node("Not", graph.node("Equal", remainder, zero)), signs)
    floored = graph.node("Sub", whole, graph.node("Cast", below, to=dtype))
    if not dtype.is_floating:
        return floored
    # By zero there is no remainder: there the quotient stands, infinite or NaN.
    by_zero = graph.node("Equal", divisor, zero)
    return graph.node("Where", by_zero, graph.node("Div", x, divisor), floored)


class Pow(Arithmetic):
    """Power of two inputs, or of one and the number `exponent`, broadcast, (*), (*) -> (*).

    Integers take a number alone, which is not negative.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types, integers to the power of a
             tensor; NS314 a single input and no exponent; NS321 a number that the element type cannot hold;
             NS372 a negative power of integers.
    Source:  torch.pow; ONNX Pow-15, Mul-14 for integers.
    Example: (N, 64) -> Pow: {exponent: 2.0} -> (N, 64)
    """

    arguments = ("input", "exponent")
    number = "exponent"

    exponent: Number | None = None

    def demands(self, first: TensorType, exponent: TensorType | None = None) -> Iterator[Demand]:
        yield from super().demands(first, exponent)
        if first.dtype.is_floating:
            return
        if exponent is not None:
            # Runtimes compute it in real numbers, and are off from 2**53 on.
            fault = WrongDType(
                op="Pow",
                expected="floating-point elements where the exponent is a tensor",
                dtype=first.dtype,
                advice="convert both inputs before, with Cast: {dtype: float32}",
            )
            raise Fault(fault, input=0)
        if isinstance(self.exponent, int) and self.exponent < 0:
            raise Fault(NegativePower(exponent=self.exponent, dtype=first.dtype), field="exponent")

    def build(self, first: TensorType, exponent: TensorType | None = None) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function("Pow", "pow", **self.arguments_of_torch(first))

    def lower(self, graph: Emitter, first: str, exponent: str = "", *, weights: Weights) -> str:
        if graph.type(first).dtype.is_floating:
            return graph.node("Pow", first, self.second(graph, first, exponent))
        assert isinstance(self.exponent, int)
        return _multiplied(graph, first, self.exponent)


def _multiplied(graph: Emitter, x: str, exponent: int) -> str:
    """A whole power by squaring, exact in integers of any size."""
    dtype = graph.type(x).dtype
    if exponent == 0:
        nothing = graph.node("Mul", x, graph.constant(0, dtype))
        return graph.node("Add", nothing, graph.constant(1, dtype))
    power: str | None = None
    square = x
    while True:
        if exponent & 1:
            power = square if power is None else graph.node("Mul", power, square)
        exponent >>= 1
        if exponent == 0:
            return power or square
        square = graph.node("Mul", square, square)


OPERATIONS: tuple[type[Op], ...] = (Add, Sub, Mul, Div, Pow, Maximum, Minimum)
