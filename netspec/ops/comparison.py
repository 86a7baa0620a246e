"""Comparisons, logic, and the choice between tensors; what they compare is broadcast as in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from netspec.diagnostics import Diagnostic
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Number
from netspec.ops.base import Compared, Decision, Demand, Fault, Op
from netspec.ops.broadcasting import (
    Binary,
    Broadcasting,
    agreement,
    broadcast,
    need_held,
    need_numbers,
    need_one_type,
    number_of,
)
from netspec.ops.faults import WrongDType

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class ChoiceUnclear(Diagnostic):
    """What Where chooses from is given twice, or not at all."""

    code = "NS373"
    message = "Where takes {argument} as a tensor or as a number; it has {given}"

    argument: str
    number: int | float | None

    @property
    def given(self) -> str:
        return "neither" if self.number is None else "both"

    @property
    def help(self) -> str:
        if self.number is None:
            return "write {argument}: 0.0, or from: {{condition: NAME, input: NAME, other: NAME}}"
        return "name the tensors: from: {{condition: NAME, {unlike}: NAME}}"

    @property
    def unlike(self) -> str:
        """The other of the two."""
        return "other" if self.argument == "input" else "input"


class Comparison(Binary):
    """What the comparisons share: truth values of two tensors, or of one and a number."""

    torch_function: ClassVar[str]
    onnx_operator: ClassVar[str]
    negated: ClassVar[bool] = False  # whether the operator says the opposite
    ordered: ClassVar[bool] = True  # whether the operator takes no truth values

    other: Number | None = None

    def infer(self, first: TensorType, *others: TensorType | None) -> TensorType:
        return TensorType(super().infer(first, *others).shape, DType.BOOL)

    def decides(self, port: int, first: TensorType, other: TensorType | None = None) -> Decision:
        return Compared(0, 1) if self.other is None else Compared(0, number=float(self.other))

    def build(self, first: TensorType, other: TensorType | None = None) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function(type(self).__name__, self.torch_function, **self.arguments_of_torch(first))

    def lower(self, graph: Emitter, first: str, other: str = "", *, weights: Weights) -> str:
        pair = first, self.second(graph, first, other)
        if self.ordered and graph.type(first).dtype is DType.BOOL:
            pair = graph.node("Cast", pair[0], to=DType.INT32), graph.node("Cast", pair[1], to=DType.INT32)
        truth = graph.node(self.onnx_operator, *pair)
        return graph.node("Not", truth) if self.negated else truth


class Equal(Comparison):
    """Whether two inputs are equal, or one equals the number `other`, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.eq, not torch.equal, which compares whole tensors; ONNX Equal-13.
    Example: (N, T) of int64 -> Equal: {other: 0} -> (N, T) of bool
    """

    torch_function = "eq"
    onnx_operator = "Equal"
    ordered = False


class NotEqual(Comparison):
    """Whether two inputs differ, or one and the number `other`, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.not_equal, that is torch.ne; ONNX Equal-13 and Not-1.
    Example: (N, T) of int64 -> NotEqual: {other: 0} -> (N, T) of bool
    """

    torch_function = "ne"
    onnx_operator = "Equal"
    negated = True
    ordered = False


class Less(Comparison):
    """Whether the input is less than another or the number `other`, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.less, that is torch.lt; ONNX Less-13.
    Example: (N, 64), (N, 64) -> Less -> (N, 64) of bool
    """

    torch_function = "lt"
    onnx_operator = "Less"


class LessEqual(Comparison):
    """Whether the input is at most another or the number `other`, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.less_equal, that is torch.le; ONNX LessOrEqual-16.
    Example: (N, 64) -> LessEqual: {other: 0.5} -> (N, 64) of bool
    """

    torch_function = "le"
    onnx_operator = "LessOrEqual"


class Greater(Comparison):
    """Whether the input is greater than another or the number `other`, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.greater, that is torch.gt; ONNX Greater-13.
    Example: (N, 64), (N, 64) -> Greater -> (N, 64) of bool
    """

    torch_function = "gt"
    onnx_operator = "Greater"


class GreaterEqual(Comparison):
    """Whether the input is at least another or the number `other`, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types; NS314 a single input and no
             other; NS321 a number that the element type cannot hold.
    Source:  torch.greater_equal, that is torch.ge; ONNX GreaterOrEqual-16.
    Example: (N, 64) -> GreaterEqual: {other: 0.5} -> (N, 64) of bool
    """

    torch_function = "ge"
    onnx_operator = "GreaterOrEqual"


def _need_truth(op: str, x: TensorType) -> None:
    """Raise NS308 where the elements are real numbers, of which rounding may leave what should be 0."""
    if x.dtype.is_floating:
        advice = "compare first: NotEqual: {other: 0.0} says which elements are not 0"
        fault = WrongDType(op=op, expected="truth values or integers", dtype=x.dtype, advice=advice)
        raise Fault(fault, input=0)


class Logic(Broadcasting):
    """What And, Or and Xor of two inputs share; of integers, every one but 0 counts as true."""

    arguments: ClassVar[tuple[str, ...]] = ("input", "other")
    torch_function: ClassVar[str]
    onnx_operator: ClassVar[str]

    def demands(self, first: TensorType, other: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        _need_truth(op, first)
        need_one_type(op, first, other)
        yield from agreement(op, first, other)

    def infer(self, first: TensorType, *others: TensorType | None) -> TensorType:
        return TensorType(super().infer(first, *others).shape, DType.BOOL)

    def build(self, first: TensorType, other: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function(type(self).__name__, self.torch_function)

    def lower(self, graph: Emitter, first: str, other: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, _truth(graph, first), _truth(graph, other))


def _truth(graph: Emitter, x: str) -> str:
    """Whether the elements are other than 0."""
    return x if graph.type(x).dtype is DType.BOOL else graph.node("Cast", x, to=DType.BOOL)


class LogicalAnd(Logic):
    """Whether both inputs are true, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types.
    Source:  torch.logical_and; ONNX And-7.
    Example: (N, T) of bool, (N, T) of bool -> LogicalAnd -> (N, T) of bool
    """

    torch_function = "logical_and"
    onnx_operator = "And"


class LogicalOr(Logic):
    """Whether one of the inputs is true or both are, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types.
    Source:  torch.logical_or; ONNX Or-7.
    Example: (N, T) of bool, (N, T) of bool -> LogicalOr -> (N, T) of bool
    """

    torch_function = "logical_or"
    onnx_operator = "Or"


class LogicalXor(Logic):
    """Whether one of the inputs is true and the other is not, broadcast, (*), (*) -> (*) of bool.

    Errors:  NS303 shapes that do not broadcast; NS308 other element types.
    Source:  torch.logical_xor; ONNX Xor-7.
    Example: (N, T) of bool, (N, T) of bool -> LogicalXor -> (N, T) of bool
    """

    torch_function = "logical_xor"
    onnx_operator = "Xor"


class LogicalNot(Op):
    """Whether each element is false, or 0, (*) -> (*) of bool.

    Errors:  NS308 real numbers.
    Source:  torch.logical_not; ONNX Not-1.
    Example: (N, T) of bool -> LogicalNot -> (N, T) of bool
    """

    def demands(self, x: TensorType) -> Iterator[Demand]:
        _need_truth("LogicalNot", x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(x.shape, DType.BOOL)

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function("LogicalNot", "logical_not")

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Not", _truth(graph, x))


class Where(Op):
    """`input` where the condition is true, else `other`, broadcast, (*) of bool, (*), (*) -> (*).

    A number may stand for either tensor, or for both: then the elements are int64 if both are integers,
    else float32.

    Shape:   that to which all inputs stretch.
    Errors:  NS303 shapes that do not broadcast; NS308 a condition that is not of bool, input and other of
             two types; NS321 a number that the element type cannot hold; NS373 a tensor and a number for
             one of the two, or neither.
    Source:  torch.where; ONNX Where-16; And-7, Or-7 and Not-1 for truth values.
    Example: condition (N, T) of bool, input (N, T) -> Where: {other: 0.0} -> (N, T)
    """

    arguments = ("condition", "input", "other")
    optional = 2

    input: Number | None = None
    other: Number | None = None

    @property
    def writes_constants(self) -> bool:
        return True

    def _dtype(self, *tensors: TensorType | None) -> DType:
        """The elements' type: that of a tensor, where there is one to choose from."""
        for tensor in tensors:
            if tensor is not None:
                return tensor.dtype
        real = isinstance(self.input, float) or isinstance(self.other, float)
        return DType.FLOAT32 if real else DType.INT64

    def demands(
        self, condition: TensorType, input: TensorType | None = None, other: TensorType | None = None
    ) -> Iterator[Demand]:
        if condition.dtype is not DType.BOOL:
            fault = WrongDType(
                op="Where",
                expected="a condition of truth values",
                dtype=condition.dtype,
                advice="compare first: NotEqual: {other: 0} says which elements are not 0",
            )
            raise Fault(fault, input=0)
        for name, tensor, number in (("input", input, self.input), ("other", other, self.other)):
            if (tensor is None) == (number is None):
                unclear = ChoiceUnclear(argument=name, number=number)
                raise Fault(unclear, field=None if number is None else name)
        tensors = [tensor for tensor in (input, other) if tensor is not None]
        if len(tensors) == 2:
            need_one_type("Where", *tensors, named="input", before=1)
        dtype = self._dtype(input, other)
        for name, number in (("input", self.input), ("other", self.other)):
            if number is not None and dtype is DType.BOOL:
                need_numbers("Where", tensors[0], before=1)
            need_held(name, number, dtype)
        yield from agreement("Where", condition, *tensors)

    def infer(
        self, condition: TensorType, input: TensorType | None = None, other: TensorType | None = None
    ) -> TensorType:
        given = [tensor.known for tensor in (condition, input, other) if tensor is not None]
        return TensorType(broadcast(given), self._dtype(input, other))

    def build(
        self, condition: TensorType, input: TensorType | None = None, other: TensorType | None = None
    ) -> nn.Module:
        from netspec.torch_backend.dtypes import torch_dtype
        from netspec.torch_backend.functions import Where as Module

        dtype = self._dtype(input, other)
        chosen, otherwise = (None if n is None else number_of(dtype, n) for n in (self.input, self.other))
        return Module(chosen, otherwise, torch_dtype(dtype))

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any] | None:
        if self.input is None or self.other is None or not dtype.is_floating:
            return None
        import torch

        # Two numbers: nothing that the function is given says how wide its result is.
        chosen, otherwise = (torch.tensor(n, dtype=torch.float32).double() for n in (self.input, self.other))
        return lambda condition: torch.where(condition, chosen, otherwise)

    def lower(
        self, graph: Emitter, condition: str, input: str = "", other: str = "", *, weights: Weights
    ) -> str:
        dtype = self._dtype(*(graph.type(tensor) for tensor in (input, other) if tensor))
        chosen, otherwise = (
            tensor if number is None else graph.constant(number, dtype)
            for tensor, number in ((input, self.input), (other, self.other))
        )
        if dtype is not DType.BOOL:
            return graph.node("Where", condition, chosen, otherwise)
        # onnxruntime chooses between numbers only.
        first = graph.node("And", condition, chosen)
        second = graph.node("And", graph.node("Not", condition), otherwise)
        return graph.node("Or", first, second)


OPERATIONS: tuple[type[Op], ...] = (
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    LogicalAnd,
    LogicalOr,
    LogicalNot,
    LogicalXor,
    Where,
)
