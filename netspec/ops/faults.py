"""The rules that several families of operations share, as diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from netspec.diagnostics import Advised, Diagnostic, spell
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ops.base import AtLeast, Fault

IMAGES = "a batch of images (N, C, H, W)"
BATCHES = {1: "a batch of sequences (N, C, L)", 2: IMAGES, 3: "a batch of volumes (N, C, D, H, W)"}
"""What an operation takes, by the number of its spatial axes."""

AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The names of the spatial axes, by their number."""


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


class PaddingTooWide(Diagnostic):
    """Reflected and circular padding copy from the input, so it must have enough to copy."""

    code = "NS310"
    message = "{mode} padding of {padding} needs {axis} {least} or more, but it is {size}"

    mode: str
    padding: int
    axis: str
    least: int
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "pad less, or with zeros"


class AxisOutOfRange(Diagnostic):
    """A dimension's number is not one of the tensor's, nor of those that the operation adds."""

    code = "NS307"
    message = "{argument} is {axis}, but the {tensor} has {rank} dimensions: {dimensions}"

    argument: str
    axis: int
    input: TensorType
    added: int = 0

    @property
    def tensor(self) -> str:
        return "output" if self.added else "input"

    @property
    def dimensions(self) -> str:
        return f"{self.input} and a new one" if self.added else f"{self.input}"

    @property
    def rank(self) -> int:
        return self.input.rank + self.added

    @property
    def help(self) -> str:
        return "it lies between -{rank} and {last}" if self.rank else ""

    @property
    def last(self) -> int:
        return self.rank - 1


class WrongSizes(Diagnostic):
    """A shape in an argument with a size that is none."""

    code = "NS358"
    message = "{argument} takes sizes of 1 or more, and {otherwise}: {shape}"

    argument: str
    shape: str
    otherwise: str


class NamedTwice(Diagnostic):
    """A list of dimensions that names one twice."""

    code = "NS361"
    message = "{argument} names dimension {axis} twice: {axes}"

    argument: str
    axis: int
    axes: str


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


def need_batch(op: str, x: TensorType, spatial: int) -> None:
    """Raise NS301 unless `x` is a batch of samples with channels and this many spatial axes."""
    advice = _MISSING_CHANNELS.get(spatial, "") if x.rank == spatial + 1 else ""
    need_rank(op, x, (spatial + 2,), BATCHES[spatial], advice)


_MISSING_CHANNELS = {
    1: "a sequence has channels too: [batch, 1, length] if it holds one number a step",
    3: "a volume has channels too: [batch, 1, depth, height, width] if it holds one number a voxel",
}
"""The cure for an operation on sequences or volumes that got a dimension less."""


def groups_divide(groups: int, channels: Size, out_channels: int) -> Iterator[Fault]:
    """NS304 unless a convolution's groups divide its input's channels and its output's."""
    for what, count in (("the input's channels", channels), ("out_channels", out_channels)):
        if isinstance(count, int) and count % groups:
            yield Fault(Undivided(what=what, groups=groups, channels=count), field="groups")
            return


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


def axis_of(argument: str, axis: int, x: TensorType, added: int = 0) -> int:
    """`axis` counted from the front; NS307 if the tensor, with `added` dimensions, has no such one."""
    rank = x.rank + added
    if not -rank <= axis < rank:
        fault = AxisOutOfRange(argument=argument, axis=axis, input=x, added=added)
        raise Fault(fault, field=argument, input=0)
    return axis % rank


def axes_of(argument: str, axes: Sequence[int], x: TensorType) -> tuple[int, ...]:
    """`axes` counted from the front; NS307 if the tensor lacks one, NS361 if one is named twice."""
    found = tuple(axis_of(argument, axis, x) for axis in axes)
    twice = next((axis for axis in found if found.count(axis) > 1), None)
    if twice is not None:
        fault = NamedTwice(argument=argument, axis=twice, axes=spell(axes))
        raise Fault(fault, field=argument, input=0)
    return found


def need_sizes(
    argument: str, sizes: Sequence[Size], otherwise: str, most: int | None = None
) -> Iterator[AtLeast]:
    """Demand sizes of 1 or more, but for -1, `most` times at most; `otherwise` says what that means.

    Errors:  NS358.
    """
    wrong = Fault(WrongSizes(argument=argument, shape=spell(sizes), otherwise=otherwise), field=argument)
    numbers = [size for size in sizes if isinstance(size, int)]
    if any(size < 1 and size != -1 for size in numbers) or (most is not None and numbers.count(-1) > most):
        raise wrong
    yield from (AtLeast(size, 1, wrong) for size in sizes if not isinstance(size, int))


def window_fits(
    op: str, axis: str, size: Size, padding: int, extent: int, x: TensorType, field: str = "kernel_size"
) -> Iterator[AtLeast]:
    """The demand that a window of `extent` elements fits into `size` and its padding; none where it does."""
    if not isinstance(size, int) or size + padding < extent:
        fault = WindowTooLarge(op=op, axis=axis, extent=extent, size=size, padding=padding, input=x)
        yield AtLeast(size, extent - padding, Fault(fault, field=field, input=0))


def padding_is_there(
    mode: str, axis: str, size: Size, before: int, after: int, x: TensorType, field: str = "padding"
) -> Iterator[AtLeast]:
    """The demand that an axis has what reflected or circular padding copies; none where it has.

    Circular padding copies from what a negative end leaves, reflected padding from the whole axis.
    """
    widest = max(before, after)
    if mode == "reflect":
        least = widest + 1
    elif mode == "circular":
        least = widest - min(before, 0) - min(after, 0)
    else:
        return
    if widest > 0 and (not isinstance(size, int) or size < least):
        fault = PaddingTooWide(mode=mode, padding=widest, axis=axis, least=least, size=size, input=x)
        yield AtLeast(size, least, Fault(fault, field=field, input=0))


@contextmanager
def about(number: int) -> Iterator[None]:
    """Faults that are raised in here speak of the input with this number."""
    try:
        yield
    except Fault as fault:
        raise Fault(fault.diagnostic, field=fault.field, input=number) from None


def told_of(number: int, faults: Iterable[Fault]) -> Iterator[Fault]:
    """The same faults, speaking of the input with this number."""
    for fault in faults:
        yield Fault(fault.diagnostic, field=fault.field, input=number)
