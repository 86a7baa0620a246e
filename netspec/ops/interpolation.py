"""What the operations that resize share: their arguments, their rules, and what is left to each mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator

from netspec.diagnostics import Advised, Diagnostic
from netspec.ir.dim import Dim, Size
from netspec.ir.tensor import DType, Shape, TensorType, evaluate
from netspec.ir.window import Window
from netspec.ops.arguments import SIZE_LIMIT, Expected, Symbolic, listed, sized, symbols_in
from netspec.ops.base import AtLeast, Demand, Fault, Op
from netspec.ops.faults import AXES, need_floating, need_rank
from netspec.ops.scaling import (
    Span,
    is_whole,
    lengths_in_file,
    scaled,
    scales_every_size,
    single,
    takes_alike,
    torch_disagrees,
)

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


def _sizes(value: Any) -> Any:
    if value is None:
        return None
    return tuple(map(sized, value)) if isinstance(value, list | tuple) else sized(value)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(size) for size in value]
    return value if value is None or isinstance(value, int) else str(value)


OutputSize = Annotated[
    Any,
    PlainValidator(_sizes, json_schema_input_type=int | str | list[int | str] | None),
    PlainSerializer(_plain),
    Symbolic(),
    Expected("a size, or a list of one for each of the axes behind the channels"),
]
"""The size of the output: one for all spatial axes or one for each, an `int` or a `Dim`; or None."""

Factor = Annotated[float, Field(gt=0, le=SIZE_LIMIT)]
ScaleFactor = Annotated[
    Factor | tuple[Factor, ...] | None,
    BeforeValidator(listed, json_schema_input_type=Factor | tuple[Factor, ...] | None),
    Expected("a positive number, or a list of one for each of the axes behind the channels"),
]

Mode = Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"]
ModeName = Annotated[Mode, Expected("nearest, nearest-exact, linear, bilinear, bicubic, trilinear or area")]
INTERPOLATING = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
"""The modes that compute between elements, and over how many axes each of them does."""


class SizeOrFactor(Advised):
    """Both a size and a scale factor, or neither."""

    code = "NS339"
    message = "{op} takes either size or scale_factor, {problem}"

    op: str
    problem: str


class ModeOfOtherRank(Diagnostic):
    """A mode of interpolation that is for other inputs."""

    code = "NS340"
    message = "mode {mode} resizes {count} behind the channels, but the input has {axes}: {input}"

    mode: str
    axes: int
    input: TensorType

    @property
    def count(self) -> str:
        count = INTERPOLATING[self.mode]
        return "one axis" if count == 1 else f"{count} axes"

    @property
    def near(self) -> str:
        return {1: "linear", 2: "bilinear", 3: "trilinear"}[self.axes]

    @property
    def help(self) -> str:
        return "for this input it is mode: {near}"


class NotOfThisMode(Advised):
    """An argument that means something in other modes only."""

    code = "NS341"
    message = "{argument} means nothing with mode {mode}: it belongs to {modes}"

    argument: str
    mode: str
    modes: str
    advice: str = "leave it out, or choose one of these modes"


class WrongCount(Diagnostic):
    """A list with a number for more or fewer axes than there are."""

    code = "NS342"
    message = "{argument} has {given} numbers, but the input has {axes} axes behind the channels: {input}"

    argument: str
    given: int
    axes: int
    input: TensorType

    @property
    def help(self) -> str:
        return "batch and channels are never resized: write one number for each of the other axes"


class NotExact(Advised):
    """A size at which an exported file could not compute what torch does."""

    code = "NS343"
    message = "{op} cannot resize the {axis} {size} exactly: {why}"

    op: str
    axis: str
    size: Size
    why: str


class ResizedToNothing(Diagnostic):
    """A size of 0, or a factor that leaves no element."""

    code = "NS344"
    message = "{op} leaves nothing of the {axis}: {size} becomes {result}"

    op: str
    axis: str
    size: Size
    result: Size

    @property
    def help(self) -> str:
        return "make the size or the factor larger"


FIXED = "give that dimension of the input a number"
WHOLE = f"{FIXED}, resize by a power of 2, or choose another mode"


class Resizing(Op):
    """What all resizing operations share: (N, C, *) -> (N, C, *size)."""

    size: OutputSize = None
    scale_factor: ScaleFactor = None

    def _mode(self) -> Mode:
        return "nearest"

    def _aligns(self) -> bool | None:
        """What `align_corners` says, None where it says nothing."""
        return None

    def _recomputes(self) -> bool:
        return False

    def _smooths(self) -> bool:
        """Whether it filters against aliasing."""
        return False

    def _need_input(self, op: str, x: TensorType) -> None:
        need_rank(op, x, (3, 4, 5), "a batch of sequences, images or volumes (N, C, *)")

    def sizes(self, x: TensorType) -> Mapping[str, Shape]:
        symbolic = symbols_in(*self.size) if isinstance(self.size, tuple) else symbols_in(self.size)
        return {"size": tuple(span.result for span in self._spans(x.known[2:]))} if symbolic else {}

    def demands(self, x: TensorType) -> Iterator[Demand]:
        op = type(self).__name__
        self._need_input(op, x)
        need_floating(op, x)
        self._need_arguments(op, x)
        yield from self._mode_demands(x)
        argument = "scale_factor" if self.size is None else "size"
        for span in self._spans(x.known[2:]):
            axis = AXES[x.rank - 2][span.axis - 2]
            fault = ResizedToNothing(op=op, axis=axis, size=span.length, result=span.result)
            yield AtLeast(span.result, 1, Fault(fault, field=argument, input=0))
            for doubt in self._doubts(op, axis, span):
                yield Fault(doubt, field=argument, input=0)

    def _need_arguments(self, op: str, x: TensorType) -> None:
        if (self.size is None) == (self.scale_factor is None):
            problem = "and neither is given" if self.size is None else "not both"
            example = "write size: 28, or scale_factor: 2" if self.size is None else "leave one of them out"
            raise Fault(SizeOrFactor(op=op, problem=problem, advice=example))
        if self._recomputes() and self.size is not None:
            problem = "and recompute_scale_factor belongs to the latter"
            fault = SizeOrFactor(op=op, problem=problem, advice="leave recompute_scale_factor out")
            raise Fault(fault, field="recompute_scale_factor")
        for argument in ("size", "scale_factor"):
            value = getattr(self, argument)
            if isinstance(value, tuple) and len(value) != x.rank - 2:
                wrong = WrongCount(argument=argument, given=len(value), axes=x.rank - 2, input=x)
                raise Fault(wrong, field=argument, input=0)

    def _mode_demands(self, x: TensorType) -> Iterator[Fault]:
        mode = self._mode()
        if mode in INTERPOLATING and INTERPOLATING[mode] != x.rank - 2:
            raise Fault(ModeOfOtherRank(mode=mode, axes=x.rank - 2, input=x), field="mode", input=0)
        if mode not in INTERPOLATING and self._aligns() is not None:
            modes = ", ".join(INTERPOLATING)
            fault = NotOfThisMode(argument="align_corners", mode=mode, modes=modes)
            yield Fault(fault, field="align_corners")
        if self._smooths() and mode not in ("bilinear", "bicubic"):
            fault = NotOfThisMode(argument="antialias", mode=mode, modes="bilinear and bicubic")
            yield Fault(fault, field="antialias")

    def _factor(self, axis: int) -> float:
        """The scale factor of an axis, as it is written."""
        factors = self.scale_factor
        factor = factors[axis - 2] if isinstance(factors, tuple) else factors
        assert factor is not None
        return factor

    def _spans(self, lengths: Sequence[Size]) -> list[Span]:
        """How every axis is resized."""
        spans = []
        by_lengths = self._recomputes() or self._mode() == "area" or bool(self._aligns())
        for axis, length in enumerate(lengths, start=2):
            if self.size is None:
                factor = self._factor(axis)
                whole = by_lengths or is_whole(length, factor)
                spans.append(Span(axis, length, scaled(length, factor), None if whole else factor))
            else:
                result = self.size[axis - 2] if isinstance(self.size, tuple) else self.size
                spans.append(Span(axis, length, result, None))
        return spans

    def _doubts(self, op: str, axis: str, span: Span) -> Iterator[NotExact]:
        """Why no file could say what torch computes of an axis; at most one reason."""
        if isinstance(span.length, int):
            factor, nearest = span.factor, self._mode() == "nearest"
            if (
                nearest
                and factor is not None
                and torch_disagrees(span.length, int(span.length * factor), factor)
            ):
                why = "in PyTorch the elements that are nearest depend on the layout in memory, too"
                yield NotExact(op=op, axis=axis, size=span.length, why=why, advice=self._recompute())
            elif factor is not None and lengths_in_file(span.length, factor) != {span.result}:
                why = f"an ONNX file holds {factor:g} as {single(factor):.9g}, which gives another size"
                yield NotExact(op=op, axis=axis, size=span.length, why=why, advice=self._recompute())
        elif isinstance(span.length, Dim):
            doubt = self._doubt_of_symbol(span)
            if doubt is not None:
                why, advice = doubt
                yield NotExact(op=op, axis=axis, size=span.length, why=why, advice=advice)

    def _doubt_of_symbol(self, span: Span) -> tuple[str, str] | None:
        """Why an axis of symbolic length cannot be resized, and what to do."""
        factor, mode = span.factor, self._mode()
        if self.size is None and not scales_every_size(self._factor(span.axis)):
            product = f"{span.length} * {self._factor(span.axis):g}"
            return f"{product} is rounded before it is cut off, and no formula tells how", FIXED
        if self._smooths():
            return "the filter of antialias depends on it", FIXED
        if factor is not None and single(factor) != factor:
            why = f"an ONNX file holds {factor:g} as {single(factor):.9g}, which gives other sizes"
            return why, f"{self._recompute()}, or {FIXED}"
        if factor is not None and 1 < factor < 1.5:
            why = f"engines differ where it is so small that {factor:g} does not change it"
            return why, self._recompute()
        if mode.startswith("nearest"):
            scale = span.scale
            if scale is None or not takes_alike(scale, centred=mode != "nearest"):
                why = "at some sizes which elements are nearest depends on rounding, and engines differ in it"
                return why, WHOLE
        return None

    def _recompute(self) -> str:
        """The cure where the factor itself is the trouble, and not the size that it gives."""
        if "recompute_scale_factor" in type(self).model_fields:
            return "add recompute_scale_factor: true"
        return f"use Upsample with mode: {self._mode()} and recompute_scale_factor: true"

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape((*x.known[:2], *(span.result for span in self._spans(x.known[2:]))))

    def window(self, x: TensorType) -> Window | None:
        return None

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any] | None:
        factors = self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,)
        rounded = any(factor is not None and single(factor) != factor for factor in factors)
        if not rounded and not self._mode().startswith("nearest"):
            return None
        from netspec.torch_backend.resizing import interpolated

        def forward(x: Any, size: tuple[int, ...] | None = None) -> Any:
            spans = self._spans(x.shape[2:])
            known = [evaluate(span.result, {}) for span in spans] if size is None else size
            held = [None if span.factor is None else single(span.factor) for span in spans]
            return interpolated(x, known, held, self._mode(), bool(self._aligns()), self._smooths())

        return forward

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.resizing import Resize as Module

        return Module(
            type(self).__name__,
            None if self.sizes(x) else self.size,
            self.scale_factor,
            self._mode(),
            self._aligns(),
            self._recomputes() or None,
            self._smooths(),
        )

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source = graph.type(x)
        spans = self._spans(source.known[2:])
        if self._mode() == "area":
            from netspec.onnx_backend.adaptive import averaged

            return averaged(graph, x, [span.result for span in spans])
        from netspec.onnx_backend.resizing import Interpolation, resized, smoothed

        how = Interpolation(self._mode(), bool(self._aligns()))
        return smoothed(graph, x, spans, how) if self._smooths() else resized(graph, x, spans, how)
