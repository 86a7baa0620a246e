"""Operations that give the same elements, in their order, another shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import gcd
from typing import TYPE_CHECKING, Any, ClassVar

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.dim import Dim, Size, UndecidableError
from netspec.ir.tensor import TensorType, product
from netspec.ir.window import Window
from netspec.ops.arguments import Int, Shape, symbols_in
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import axis_of, need_sizes

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

Sizes = tuple[Size, ...]


class EmptyRange(Diagnostic):
    """Flatten's first dimension lies behind its last."""

    code = "NS312"
    message = "start_dim {start_dim} lies behind end_dim {end_dim}: {input}"

    start_dim: int
    end_dim: int
    input: TensorType


class CountsDiffer(Diagnostic):
    """A new shape that has not as many elements as there are."""

    code = "NS357"
    message = "{op} cannot turn {what} into {shape}: {counts}"

    op: str
    what: str
    shape: str
    count: Size
    asked: Size
    has_rest: bool

    @property
    def counts(self) -> str:
        if self.has_rest:
            return f"{self.count} elements are no multiple of {self.asked}"
        return f"{self.count} elements against {self.asked}"

    @property
    def help(self) -> str:
        return "" if self.has_rest else "write -1 for the size that follows from the others"


class RestUndecided(Diagnostic):
    """A size left open by -1 that would be a quotient of symbolic dimensions."""

    code = "NS359"
    message = (
        "{op} cannot tell what -1 is in {shape}: whether {asked} divides {count} depends on their values"
    )

    op: str
    shape: str
    count: Size
    asked: Size

    @property
    def help(self) -> str:
        return "write that size out, or give the symbolic dimensions numbers"


def need_count(op: str, argument: str, what: str, count: Size, sizes: Sizes) -> Iterator[Demand]:
    """NS357, NS358 or NS359 unless `count` elements fill a shape in which one size may be -1."""
    yield from need_sizes(argument, sizes, "-1 once, for what remains", most=1)
    asked = product(tuple(size for size in sizes if size != -1))
    try:
        whole = product(filled(count, sizes))
    except UndecidableError:
        undecided = RestUndecided(op=op, shape=spell(sizes), count=count, asked=asked)
        raise Fault(undecided, field=argument, input=0) from None
    differ = CountsDiffer(
        op=op, what=what, shape=spell(sizes), count=count, asked=asked, has_rest=-1 in sizes
    )
    yield Same(count, whole, Fault(differ, field=argument, input=0))


def filled(count: Size, sizes: Sizes) -> Sizes:
    """`sizes` with -1 replaced by what remains of `count` elements, rounded down.

    Errors:  UndecidableError where a symbolic size does not divide them as one polynomial another.
    """
    if -1 not in sizes:
        return sizes
    left, divisor = count, 1
    for size in sizes:
        if isinstance(size, Dim):
            # 2 * H divides H * W wherever W is even: only H must divide it whatever the values are.
            common = gcd(size.constant, *size.terms.values())
            left, size = left // (size // common), common
        if isinstance(size, int) and size != -1:
            divisor *= size
    return tuple(left // divisor if size == -1 else size for size in sizes)


def reshape(graph: Emitter, x: str, sizes: Sizes) -> str:
    """Lower to a Reshape-14 whose sizes are measured at run time only where they must be."""
    own = graph.type(x).known
    if sizes == own:
        return x
    # 0 keeps the dimension in its place, and -1 is what remains.
    written = [
        0 if isinstance(size, Dim) and own[axis : axis + 1] == (size,) else size
        for axis, size in enumerate(sizes)
    ]
    symbolic = [axis for axis, size in enumerate(written) if isinstance(size, Dim)]
    if symbolic:
        # Best left open is a size that no dimension of the input has: it would take arithmetic.
        written[max(symbolic, key=lambda axis: sizes[axis] not in own)] = -1
    if len(symbolic) < 2:
        return graph.node("Reshape", x, graph.shape(written))
    parts = [
        graph.lengths(x, own.index(size)) if isinstance(size, Dim) and size in own else graph.size(size)
        for size in written
    ]
    return graph.node("Reshape", x, graph.node("Concat", *parts, axis=0))


class Identity(Op):
    """The input itself, (*) -> (*).

    Source:  torch.nn.Identity.
    Example: (N, 64) -> Identity -> (N, 64)
    """

    def infer(self, x: TensorType) -> TensorType:
        return x

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Identity()

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return x


class Reshaping(Op):
    """What the operations share that write another shape over the same elements."""

    infer: ClassVar[Callable[[Any, TensorType], TensorType]]

    def window(self, x: TensorType) -> Window | None:
        return None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return reshape(graph, x, self.infer(graph.type(x)).known)


class Flatten(Reshaping):
    """Joins the dimensions start_dim to end_dim into one, (N, C, H, W) -> (N, C * H * W).

    Errors:  NS307 a dimension that the input does not have; NS312 start_dim behind end_dim.
    Source:  torch.nn.Flatten; ONNX Flatten-13 for all but the first, else Reshape-14.
    Example: (N, 16, 5, 5) -> Flatten -> (N, 400)
    """

    start_dim: Int = 1
    end_dim: Int = -1

    def demands(self, x: TensorType) -> Iterator[Demand]:
        start, end = axis_of("start_dim", self.start_dim, x), axis_of("end_dim", self.end_dim, x)
        if start > end:
            fault = EmptyRange(start_dim=self.start_dim, end_dim=self.end_dim, input=x)
            raise Fault(fault, field="start_dim", input=0)
        yield from ()

    def _range(self, x: TensorType) -> tuple[int, int]:
        return self.start_dim % x.rank, self.end_dim % x.rank

    def infer(self, x: TensorType) -> TensorType:
        start, end = self._range(x)
        return x.with_shape((*x.known[:start], product(x.known[start : end + 1]), *x.known[end + 1 :]))

    def build(self, x: TensorType) -> nn.Module:
        from torch import nn

        return nn.Flatten(self.start_dim, self.end_dim)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        source = graph.type(x)
        if self._range(source) == (1, source.rank - 1) and source.rank > 2:
            return graph.node("Flatten", x, axis=1)
        return super().lower(graph, x, weights)


class Unflatten(Reshaping):
    """Splits the dimension `dim` into several, (N, C, *) -> (N, *unflattened_size, *).

    Shape:   one of the sizes may be -1, for what remains; a word is a symbolic dimension.
    Errors:  NS307 a dimension that the input does not have; NS357 sizes whose product is not that of the
             dimension; NS358 a size below 1; NS359 an open size that depends on symbolic dimensions.
    Source:  torch.nn.Unflatten; ONNX Reshape-14.
    Example: (N, 512) -> Unflatten: {dim: 1, unflattened_size: [32, 4, 4]} -> (N, 32, 4, 4)
    """

    dim: Int
    unflattened_size: Shape

    def sizes(self, x: TensorType) -> Mapping[str, Sizes]:
        return {"unflattened_size": self.unflattened_size} if symbols_in(*self.unflattened_size) else {}

    def demands(self, x: TensorType) -> Iterator[Demand]:
        axis = axis_of("dim", self.dim, x)
        what = f"dimension {axis} of {x}"
        yield from need_count("Unflatten", "unflattened_size", what, x.known[axis], self.unflattened_size)

    def infer(self, x: TensorType) -> TensorType:
        axis = self.dim % x.rank
        sizes = filled(x.known[axis], self.unflattened_size)
        return x.with_shape((*x.known[:axis], *sizes, *x.known[axis + 1 :]))

    def build(self, x: TensorType) -> nn.Module:
        if self.sizes(x):
            from netspec.torch_backend.movement import Unflatten as Module

            return Module(dim=self.dim, unflattened_size=self.unflattened_size)
        from torch import nn

        return nn.Unflatten(self.dim, self.unflattened_size)


class Reshape(Reshaping):
    """The elements in their order, in another shape, (*) -> shape.

    Shape:   one of the sizes may be -1, for what remains; a word is a symbolic dimension.
    Errors:  NS357 a shape of another number of elements; NS358 a size below 1; NS359 an open size that
             depends on symbolic dimensions.
    Source:  torch.reshape; ONNX Reshape-14.
    Example: (N, 64, 32) -> Reshape: {shape: [N, 8, -1, 32]} -> (N, 8, 8, 32)
    """

    shape: Shape

    def sizes(self, x: TensorType) -> Mapping[str, Sizes]:
        return {"shape": self.shape} if symbols_in(*self.shape) else {}

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from need_count("Reshape", "shape", f"{x}", product(x.known), self.shape)

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape(filled(product(x.known), self.shape))

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Reshape as Module

        return Module(shape=self.shape)


OPERATIONS = (Identity, Flatten, Unflatten, Reshape)
