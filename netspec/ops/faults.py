"""The rules that several families of operations share, as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Advised, Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ops.base import AtLeast, Fault

IMAGES = "a batch of images (N, C, H, W)"


class WrongRank(Advised):
    """An operation got a tensor of a rank that it does not take."""

    code = "NS301"
    message = "{op} takes {expected}, not a tensor of {rank_words}: {got}"

    op: str
    expected: str
    got: TensorType

    @property
    def rank_words(self) -> str:
        rank = self.got.rank
        return "1 dimension" if rank == 1 else f"{rank} dimensions"


class WindowTooLarge(Diagnostic):
    """A window does not fit into its padded input."""

    code = "NS302"
    message = "the window of {op} exceeds its padded input: it spans {extent}, the {axis} is {padded}"

    op: str
    axis: str
    extent: int
    size: Size
    padding: int
    input: TensorType

    @property
    def padded(self) -> str:
        return f"{self.size}" if self.padding == 0 else f"{self.size} + {self.padding} of padding"

    @property
    def help(self) -> str:
        return "make the kernel smaller, pad more, or shrink the input less before this layer"


class Undivided(Diagnostic):
    """`groups` must divide a channel count."""

    code = "NS304"
    message = "groups must divide {what}: {groups} does not divide {channels}"

    what: str
    groups: int
    channels: Size

    @property
    def help(self) -> str:
        return "groups: {near} divides {channels}" if isinstance(self.channels, int) else ""

    @property
    def near(self) -> int | None:
        """The largest number up to `groups` that divides the channels."""
        if not isinstance(self.channels, int):
            return None
        most = min(self.groups, self.channels)
        return next(number for number in range(most, 0, -1) if self.channels % number == 0)


class DeclaredOtherwise(Diagnostic):
    """An argument that the input determines was written with another value."""

    code = "NS305"
    message = "{argument} is {declared}, but the input has {actual}: {input}"

    argument: str
    declared: int
    actual: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "leave {argument} out: it is inferred"


class SymbolicSize(Advised):
    """A size that decides the shape of weights must be a number."""

    code = "NS306"
    message = "{op} needs a fixed number of {what}, not {size}: {input}"

    op: str
    what: str
    size: Size
    input: TensorType
    advice: str = "give that dimension of the input a number"


class AxisOutOfRange(Diagnostic):
    """A dimension's number is not one of the tensor's."""

    code = "NS307"
    message = "{argument} is {axis}, but the input has {rank} dimensions: {input}"

    argument: str
    axis: int
    input: TensorType

    @property
    def rank(self) -> int:
        return self.input.rank

    @property
    def help(self) -> str:
        return "it lies between -{rank} and {last}"

    @property
    def last(self) -> int:
        return self.rank - 1


class WrongDType(Advised):
    """An operation got elements of a type that it does not take."""

    code = "NS308"
    message = "{op} takes {expected}, not {dtype}"

    op: str
    expected: str
    dtype: DType


def need_rank(op: str, x: TensorType, ranks: tuple[int, ...], expected: str, advice: str = "") -> None:
    """Raise NS301 unless the rank of `x` is one of `ranks`."""
    if x.rank not in ranks:
        if ranks == (4,) and not advice:
            advice = _MISSING_IMAGE.get(x.rank, "")
        raise Fault(WrongRank(op=op, expected=expected, got=x, advice=advice), input=0)


_MISSING_IMAGE = {
    2: "put it before Flatten; of a vector there is no height and no width",
    3: "an image has channels too: [batch, 1, height, width] if it is grey",
}
"""The cure for an operation on images, by the rank of what it got."""


def need_floating(op: str, x: TensorType) -> None:
    """Raise NS308 unless the elements of `x` are real numbers."""
    if not x.dtype.is_floating:
        advice = "give the input dtype: float32 if it holds real numbers"
        fault = WrongDType(op=op, expected="floating-point elements", dtype=x.dtype, advice=advice)
        raise Fault(fault, input=0)


def as_declared(argument: str, declared: int | None, actual: Size, x: TensorType) -> Iterator[Fault]:
    """NS305 if an argument that is inferred was written and differs."""
    if declared is not None and isinstance(actual, int) and declared != actual:
        fault = DeclaredOtherwise(argument=argument, declared=declared, actual=actual, input=x)
        yield Fault(fault, field=argument, input=0)


def need_number(op: str, what: str, size: Size, x: TensorType, advice: str | None = None) -> None:
    """Raise NS306 if a size that shapes the weights is symbolic."""
    from netspec.ir.dim import Dim

    if isinstance(size, Dim):
        fault = SymbolicSize(op=op, what=what, size=size, input=x)
        raise Fault(
            SymbolicSize(op=op, what=what, size=size, input=x, advice=advice or fault.advice), input=0
        )


def axis_of(argument: str, axis: int, x: TensorType) -> int:
    """`axis` counted from the front; NS307 if the tensor has no such dimension."""
    if not -x.rank <= axis < x.rank:
        raise Fault(AxisOutOfRange(argument=argument, axis=axis, input=x), field=argument, input=0)
    return axis % x.rank


def window_fits(
    op: str, axis: str, size: Size, padding: int, extent: int, x: TensorType, field: str = "kernel_size"
) -> Iterator[AtLeast]:
    """The demand that a window of `extent` elements fits into `size` and its padding; none where it does."""
    if not isinstance(size, int) or size + padding < extent:
        fault = WindowTooLarge(op=op, axis=axis, extent=extent, size=size, padding=padding, input=x)
        yield AtLeast(size, extent - padding, Fault(fault, field=field, input=0))
