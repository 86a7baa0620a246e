"""Functions of each element that are no activations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.tensor import DType, TensorType
from netspec.ops.arguments import Expected, Number
from netspec.ops.base import Demand, Fault, Op
from netspec.ops.broadcasting import need_held, need_numbers, number_of
from netspec.ops.faults import need_floating

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class NoLimit(Diagnostic):
    """Clamp without a limit."""

    code = "NS374"
    message = "Clamp has neither min nor max"

    @property
    def help(self) -> str:
        return "write one of the two, as in Clamp: {{min: 0.0}}"


class LimitsSwapped(Diagnostic):
    """Clamp's lower limit lies above its upper one."""

    code = "NS375"
    message = "no number lies between min: {min} and max: {max}"

    min: str
    max: str

    @property
    def help(self) -> str:
        return "min is the lower limit, max the upper one"


class TooManyDecimals(Diagnostic):
    """A power of ten that the element type does not hold exactly, so that no rounding to it is exact."""

    code = "NS379"
    message = "decimals is {decimals}, but {dtype} elements are rounded to {most} decimals at most"

    decimals: int
    dtype: DType
    most: int


class Elementwise(Op):
    """What functions of each element share: the type stays."""

    onnx_operator: ClassVar[str]
    of_integers: ClassVar[bool] = False  # whether it takes integers, and gives them

    def demands(self, x: TensorType) -> Iterator[Demand]:
        if self.of_integers:
            need_numbers(type(self).__name__, x)
        else:
            need_floating(type(self).__name__, x)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        name = type(self).__name__
        return Function(name, name.lower())

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, x)


class Neg(Elementwise):
    """-x of each element, (*) -> (*).

    Source:  torch.neg; ONNX Neg-13.
    Example: (N, 64) -> Neg -> (N, 64)
    """

    onnx_operator = "Neg"
    of_integers = True


class Abs(Elementwise):
    """Absolute value of each element, (*) -> (*).

    Source:  torch.abs; ONNX Abs-13.
    Example: (N, 64) -> Abs -> (N, 64)
    """

    onnx_operator = "Abs"
    of_integers = True


class Sign(Elementwise):
    """-1, 0 or 1 by the sign of each element, (*) -> (*).

    Source:  torch.sign; ONNX Sign-13.
    Example: (N, 64) -> Sign -> (N, 64)
    """

    onnx_operator = "Sign"
    of_integers = True


class Square(Elementwise):
    """x * x of each element, (*) -> (*).

    Source:  torch.square; ONNX Mul-14.
    Example: (N, 64) -> Square -> (N, 64)
    """

    of_integers = True

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Mul", x, x)


class Sqrt(Elementwise):
    """Square root of each element, NaN of a negative one, (*) -> (*).

    Source:  torch.sqrt; ONNX Sqrt-13.
    Example: (N, 64) -> Sqrt -> (N, 64)
    """

    onnx_operator = "Sqrt"


class Rsqrt(Elementwise):
    """1 / sqrt(x) of each element, NaN of a negative one, (*) -> (*).

    Source:  torch.rsqrt; ONNX Sqrt-13 and Reciprocal-13.
    Example: (N, 64) -> Rsqrt -> (N, 64)
    """

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Reciprocal", graph.node("Sqrt", x))


class Reciprocal(Elementwise):
    """1 / x of each element, infinite of 0, (*) -> (*).

    Source:  torch.reciprocal; ONNX Reciprocal-13.
    Example: (N, 64) -> Reciprocal -> (N, 64)
    """

    onnx_operator = "Reciprocal"


class Exp(Elementwise):
    """e to the power of each element, (*) -> (*).

    Source:  torch.exp; ONNX Exp-13.
    Example: (N, 64) -> Exp -> (N, 64)
    """

    onnx_operator = "Exp"


class Log(Elementwise):
    """Natural logarithm of each element, NaN of a negative one, (*) -> (*).

    Source:  torch.log; ONNX Log-13.
    Example: (N, 64) -> Log -> (N, 64)
    """

    onnx_operator = "Log"


class Sin(Elementwise):
    """Sine of each element, in radians, (*) -> (*).

    Source:  torch.sin; ONNX Sin-7.
    Example: (N, 64) -> Sin -> (N, 64)
    """

    onnx_operator = "Sin"


class Cos(Elementwise):
    """Cosine of each element, in radians, (*) -> (*).

    Source:  torch.cos; ONNX Cos-7.
    Example: (N, 64) -> Cos -> (N, 64)
    """

    onnx_operator = "Cos"


class Erf(Elementwise):
    """Gauss error function of each element, (*) -> (*).

    Source:  torch.erf; ONNX Erf-13.
    Example: (N, 64) -> Erf -> (N, 64)
    """

    onnx_operator = "Erf"


class Whole(Elementwise):
    """What Floor, Ceil and Round share: integers stay as they are."""

    of_integers = True

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node(self.onnx_operator, x) if graph.type(x).dtype.is_floating else x


class Floor(Whole):
    """The next whole number below each element, (*) -> (*).

    Source:  torch.floor; ONNX Floor-13.
    Example: (N, 64) -> Floor -> (N, 64)
    """

    onnx_operator = "Floor"


class Ceil(Whole):
    """The next whole number above each element, (*) -> (*).

    Source:  torch.ceil; ONNX Ceil-13.
    Example: (N, 64) -> Ceil -> (N, 64)
    """

    onnx_operator = "Ceil"


_DECIMALS = {DType.FLOAT64: 22, DType.FLOAT32: 10, DType.FLOAT16: 4, DType.BFLOAT16: 3}
"""The largest power of ten that each type holds, with all below it, exactly."""


class Round(Whole):
    """The nearest whole number to each element, of two the even one, (*) -> (*).

    With `decimals`, the nearest multiple of a tenth, a hundredth and so on; with negative ones, of ten.

    Errors:  NS308 truth values, integers with decimals; NS379 more decimals than the element type has.
    Source:  torch.round; ONNX Round-11.
    Example: (N, 64) -> Round: {decimals: 2} -> (N, 64)
    """

    onnx_operator = "Round"

    decimals: Annotated[int, Field(ge=-22, le=22), Expected("an integer from -22 to 22")] = 0

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        if self.decimals:
            need_floating("Round with decimals", x)
            most = _DECIMALS[x.dtype]
            if abs(self.decimals) > most:
                fault = TooManyDecimals(decimals=self.decimals, dtype=x.dtype, most=most)
                raise Fault(fault, field="decimals")

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        return Function("Round", "round", **({"decimals": self.decimals} if self.decimals else {}))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        if not self.decimals:
            return super().lower(graph, x, weights)
        unit = graph.constant(10.0 ** abs(self.decimals), graph.type(x).dtype)
        up, down = ("Mul", "Div") if self.decimals > 0 else ("Div", "Mul")
        return graph.node(down, graph.node("Round", graph.node(up, x, unit)), unit)


class Clamp(Elementwise):
    """Each element, or the limit beyond which it lies, (*) -> (*).

    Errors:  NS308 truth values; NS321 a number that the element type cannot hold; NS374 no limit; NS375 min
             above max.
    Source:  torch.clamp; ONNX Clip-13.
    Example: (N, 64) -> Clamp: {min: 0.0, max: 1.0} -> (N, 64)
    """

    onnx_operator = "Clip"
    of_integers = True

    min: Number | None = None
    max: Number | None = None

    @property
    def writes_constants(self) -> bool:
        return True

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from super().demands(x)
        if self.min is None and self.max is None:
            raise Fault(NoLimit())
        need_held("min", self.min, x.dtype)
        need_held("max", self.max, x.dtype)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Fault(LimitsSwapped(min=spell(self.min), max=spell(self.max)), field="min")

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.functions import Function

        limits = {"min": self.min, "max": self.max}
        given = {name: number_of(x.dtype, limit) for name, limit in limits.items() if limit is not None}
        return Function("Clamp", "clamp", **given)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dtype = graph.type(x).dtype
        limits = ["" if limit is None else graph.constant(limit, dtype) for limit in (self.min, self.max)]
        return graph.node("Clip", x, *(limits if limits[1] else limits[:1]))


OPERATIONS: tuple[type[Op], ...] = (
    Neg,
    Abs,
    Sign,
    Square,
    Sqrt,
    Rsqrt,
    Reciprocal,
    Exp,
    Log,
    Sin,
    Cos,
    Erf,
    Floor,
    Ceil,
    Round,
    Clamp,
)
