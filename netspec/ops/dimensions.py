"""Operations that add, drop and stretch dimensions of size 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netspec.diagnostics import Diagnostic, spell
from netspec.ir.dim import Dim, Size, Unknown
from netspec.ir.tensor import DType, TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Axes, Int, Shape, symbols_in
from netspec.ops.base import Demand, Fault, Op, Same
from netspec.ops.faults import axes_of, axis_of, need_sizes

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class SqueezesSymbol(Diagnostic):
    """A dimension to be dropped of which it is open whether it is 1."""

    code = "NS362"
    message = "Squeeze drops dimension {axis} only where it is 1, and it is {size}: {input}"

    axis: int
    size: Size
    input: TensorType

    @property
    def help(self) -> str:
        return "leave it out of dim, or give that dimension of the input a number"


class CannotExpand(Diagnostic):
    """A shape to which a tensor does not stretch."""

    code = "NS366"
    message = "Expand cannot stretch {input} to {shape}: {why}"

    input: TensorType
    shape: str
    why: str

    @property
    def help(self) -> str:
        return "only a size of 1 stretches; -1 keeps a size, and new dimensions come in front"


class Squeeze(Op):
    """Drops dimensions of size 1: those named, or all, (N, C, 1, 1) -> (N, C).

    A dimension that is named and is not 1 stays. Without `dim`, a symbolic dimension stays even where its
    value is 1 (torch.squeeze would drop a batch of one sample).

    Errors:  NS307 a dimension that the input does not have; NS361 one named twice; NS362 a symbolic one.
    Source:  torch.squeeze; ONNX Squeeze-13.
    Example: (N, 512, 1, 1) -> Squeeze: {dim: [2, 3]} -> (N, 512)
    """

    dim: Axes | None = None

    def demands(self, x: TensorType) -> Iterator[Demand]:
        for axis in () if self.dim is None else axes_of("dim", self.dim, x):
            if isinstance(x.known[axis], Dim):
                fault = SqueezesSymbol(axis=axis, size=x.known[axis], input=x)
                yield Fault(fault, field="dim", input=0)

    def _dropped(self, x: TensorType) -> tuple[int, ...]:
        asked = range(x.rank) if self.dim is None else [axis % x.rank for axis in self.dim]
        return tuple(axis for axis in asked if x.known[axis] == 1)

    def infer(self, x: TensorType) -> TensorType:
        asked = range(x.rank) if self.dim is None else [axis % x.rank for axis in self.dim]
        if any(isinstance(x.known[axis], Unknown) for axis in asked):
            return TensorType(None, x.dtype)
        dropped = self._dropped(x)
        return x.with_shape(tuple(size for axis, size in enumerate(x.known) if axis not in dropped))

    def window(self, x: TensorType) -> Window | None:
        return None

    def held(self, x: TensorType) -> tuple[int, ...]:
        return self._dropped(x)

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Squeeze as Module

        return Module(dim=self._dropped(x))

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        dropped = self._dropped(graph.type(x))
        return graph.node("Squeeze", x, graph.constant(dropped, DType.INT64)) if dropped else x


class Unsqueeze(Op):
    """A new dimension of size 1 at the place `dim` of the output, (N, C) -> (N, 1, C).

    Errors:  NS307 a dimension that the output does not have.
    Source:  torch.unsqueeze; ONNX Unsqueeze-13.
    Example: (N, T) -> Unsqueeze: {dim: 1} -> (N, 1, T)
    """

    dim: Int

    def demands(self, x: TensorType) -> Iterator[Demand]:
        axis_of("dim", self.dim, x, added=1)
        yield from ()

    def infer(self, x: TensorType) -> TensorType:
        axis = self.dim % (x.rank + 1)
        return x.with_shape((*x.known[:axis], 1, *x.known[axis:]))

    def window(self, x: TensorType) -> Window | None:
        return None

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Unsqueeze as Module

        return Module(dim=self.dim)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Unsqueeze", x, graph.constant([self.dim], DType.INT64))


class Expand(Op):
    """Stretches dimensions of size 1, and adds some in front, (1, *) -> size.

    Shape:   -1 keeps the size; a word is a symbolic dimension, as in `size: [batch, -1, -1]`.
    Errors:  NS358 a size below 1; NS366 a dimension that does not stretch.
    Source:  torch.Tensor.expand; ONNX Expand-13.
    Example: (N, 64, 1, 1) -> Expand: {size: [-1, -1, 7, 7]} -> (N, 64, 7, 7)
    """

    size: Shape

    def sizes(self, x: TensorType) -> Mapping[str, tuple[Size, ...]]:
        return {"size": self.size} if symbols_in(*self.size) else {}

    def demands(self, x: TensorType) -> Iterator[Demand]:
        yield from need_sizes("size", self.size, "-1 to keep one")
        new = len(self.size) - x.rank
        if new < 0:
            raise self._cannot(x, f"it has {x.rank} dimensions against {len(self.size)}")
        if -1 in self.size[:new]:
            raise self._cannot(x, "a new dimension has no size that -1 could keep")
        for axis, (have, want) in enumerate(zip(x.known, self.size[new:], strict=True)):
            if have != 1 and want != -1:
                yield Same(have, want, self._cannot(x, f"dimension {axis} is {have} against {want}"))

    def _cannot(self, x: TensorType, why: str) -> Fault:
        return Fault(CannotExpand(input=x, shape=spell(self.size), why=why), field="size", input=0)

    def infer(self, x: TensorType) -> TensorType:
        new = len(self.size) - x.rank
        kept = (have if want == -1 else want for have, want in zip(x.known, self.size[new:], strict=True))
        return x.with_shape((*self.size[:new], *kept))

    def window(self, x: TensorType) -> Window | None:
        return () if len(self.size) == x.rank else None

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Expand as Module

        return Module(size=self.size)

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        own = graph.type(x).known
        sizes = self.infer(graph.type(x)).known
        if sizes == own:
            return x
        # Of two sizes ONNX takes the larger: 1 keeps the tensor's own.
        before = (None,) * (len(sizes) - len(own)) + own
        asked = [1 if have == size else size for have, size in zip(before, sizes, strict=True)]
        return graph.node("Expand", x, graph.shape(asked))


OPERATIONS = (Squeeze, Unsqueeze, Expand)
