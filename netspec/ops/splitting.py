"""Operations that cut a tensor into several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from netspec.diagnostics import Advised, Diagnostic, spell
from netspec.ir.dim import UNKNOWN, Dim, Size, UndecidableError, Unknown
from netspec.ir.tensor import TensorType
from netspec.ir.window import Window
from netspec.ops.arguments import Expected, Int, PositiveInt, Symbolic, sized, symbols_in
from netspec.ops.base import AtLeast, Demand, Fault, Op, Same
from netspec.ops.faults import axis_of

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

PIECES_LIMIT = 4096  # outputs of one layer


def _sections(value: Any) -> Any:
    """A size, or a tuple of sizes, each 1 or more where it is a number."""
    sizes = tuple(map(sized, value)) if isinstance(value, list | tuple) else sized(value)
    numbers = [size for size in (sizes if isinstance(sizes, tuple) else (sizes,)) if isinstance(size, int)]
    if sizes == () or any(number < 1 for number in numbers):
        raise ValueError("not sizes")
    return sizes


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(size) for size in value]
    return value if isinstance(value, int) else str(value)


Sections = Annotated[
    Any,
    PlainValidator(_sections, json_schema_input_type=int | str | list[int | str]),
    PlainSerializer(_plain),
    Symbolic(),
    Expected("the size of every piece, 1 or more, or a list of sizes"),
]


class PiecesUnknown(Advised):
    """A number of outputs that depends on a symbolic dimension, or that no network has."""

    code = "NS364"
    message = "{op} cannot cut dimension {axis}, which has {size}: {why}"

    op: str
    axis: int
    size: Size
    why: str


class PiecesDiffer(Diagnostic):
    """Pieces that do not add up to the dimension."""

    code = "NS365"
    message = "the pieces must add up to dimension {axis}, which has {size}: {pieces} are {total}"

    axis: int
    size: Size
    pieces: str
    total: Size


class Cutting(Op):
    """What Split and Chunk share: pieces along the dimension `dim`, as outputs "0", "1" and so on."""

    dim: Int = 1

    def _pieces(self, size: Size) -> tuple[Size, ...]:
        """The size of every piece; one unknown piece where their number is not known."""
        raise NotImplementedError

    def _cannot(self, field: str, x: TensorType, why: str, advice: str = "") -> Fault:
        axis = self.dim % x.rank
        op, size = type(self).__name__, x.known[axis]
        return Fault(PiecesUnknown(op=op, axis=axis, size=size, why=why, advice=advice), field=field, input=0)

    def _need_few(self, field: str, x: TensorType, count: int) -> None:
        """Raise NS364 for a number of pieces beyond the limit."""
        if count > PIECES_LIMIT:
            raise self._cannot(field, x, f"that makes {count:,} pieces, and there may be {PIECES_LIMIT:,}")

    def ports(self, x: TensorType) -> tuple[str, ...]:
        if x.shape is None or not -x.rank <= self.dim < x.rank:
            return ("0",)
        return tuple(map(str, range(len(self._pieces(x.known[self.dim])))))

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis = self.dim % x.rank
        before, behind = x.known[:axis], x.known[axis + 1 :]
        return tuple(x.with_shape((*before, size, *behind)) for size in self._pieces(x.known[axis]))

    def window(self, x: TensorType) -> Window | None:
        return () if self.dim % x.rank == 1 else None

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str | tuple[str, ...]:
        axis = self.dim % graph.type(x).rank
        pieces = self._pieces(graph.type(x).known[axis])
        count = len(pieces)
        if count == 1:
            return x
        if isinstance(pieces[0], int) or len(set(pieces)) > 1:
            return graph.nodes("Split", x, graph.shape(pieces), outputs=count, axis=axis)
        if graph.opset < 18:
            return graph.nodes("Split", x, outputs=count, axis=axis)
        return graph.nodes("Split", x, outputs=count, axis=axis, num_outputs=count)


class Split(Cutting):
    """Pieces along `dim`, (N, C, *) -> (N, C_1, *), ..., (N, C_n, *).

    All pieces but the last have the size that is given, or each has its own of a list; a word is a symbolic
    dimension. The default dim is 1, the channels (torch.split's own is 0, the batch).

    Shape:   C_i is the i-th size of the list; otherwise the size given, and in the last piece what is left.
    Ports:   0, 1, ... up to n - 1.
    Errors:  NS307 a dimension that the input does not have; NS364 an unknown number of pieces; NS365 a list
             that does not add up to the dimension.
    Source:  torch.split; ONNX Split-13, Split-18.
    Example: (N, 58, 28, 28) -> Split: {split_size_or_sections: [24, 34]}
             -> 0 (N, 24, 28, 28), 1 (N, 34, 28, 28)
    """

    split_size_or_sections: Sections

    def sizes(self, x: TensorType) -> Mapping[str, tuple[Size, ...]]:
        asked = self.split_size_or_sections
        has_symbols = symbols_in(*(asked if isinstance(asked, tuple) else (asked,)))
        return {"sections": self._pieces(x.known[self.dim])} if has_symbols else {}

    def demands(self, x: TensorType) -> Iterator[Demand]:
        axis = axis_of("dim", self.dim, x)
        field, size, sizes = "split_size_or_sections", x.known[axis], self.split_size_or_sections
        if isinstance(sizes, tuple):
            self._need_few(field, x, len(sizes))
            total: Size = sum(sizes)
            differ = PiecesDiffer(axis=axis, size=size, pieces=spell(sizes), total=total)
            fault = Fault(differ, field=field, input=0)
            yield from (AtLeast(piece, 1, fault) for piece in sizes if isinstance(piece, Dim))
            yield Same(size, total, fault)
            return
        count = self._count(size)
        if isinstance(count, int):
            self._need_few(field, x, count)
        elif not isinstance(size, Unknown):
            why = f"how many pieces of {sizes} that makes depends on its value"
            advice = "list the size of every piece, or use Chunk, which takes their number"
            raise self._cannot(field, x, why, advice)

    def _count(self, size: Size) -> Size:
        """How many pieces of the given size there are; no integer where that depends on a symbol."""
        piece: Size = self.split_size_or_sections
        try:
            return -(-size // piece)
        except UndecidableError:
            return UNKNOWN

    def _pieces(self, size: Size) -> tuple[Size, ...]:
        piece = self.split_size_or_sections
        if isinstance(piece, tuple):
            return piece
        count = self._count(size)
        if not isinstance(count, int) or count > PIECES_LIMIT:
            return (UNKNOWN,)
        return (*(piece,) * (count - 1), size - piece * (count - 1))

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Split as Module

        return Module(split_size_or_sections=self.split_size_or_sections, dim=self.dim)


class Chunk(Cutting):
    """Equal pieces along `dim`, but for a smaller last one, (N, C, *) -> (N, C', *), ....

    There are `chunks` of them, or fewer: as many of the rounded-up size as it takes, as in torch. A symbolic
    dimension must divide evenly. The default dim is 1, the channels (torch.chunk's own is 0, the batch).

    Shape:   C' = (C + chunks - 1) // chunks; in the last piece what is left.
    Ports:   0, 1, ... up to the number of pieces less 1.
    Errors:  NS307 a dimension that the input does not have; NS364 a symbolic dimension that chunks does not
             always divide.
    Source:  torch.chunk; ONNX Split-13, Split-18.
    Example: (N, T, 192) -> Chunk: {chunks: 3, dim: -1} -> 0 (N, T, 64), 1 (N, T, 64), 2 (N, T, 64)
    """

    chunks: PositiveInt

    def demands(self, x: TensorType) -> Iterator[Demand]:
        size = x.known[axis_of("dim", self.dim, x)]
        self._need_few("chunks", x, min(self.chunks, size) if isinstance(size, int) else self.chunks)
        if isinstance(size, Dim):
            why = f"{self.chunks} equal pieces need a size that {self.chunks} divides"
            yield Same(size, size // self.chunks * self.chunks, self._cannot("chunks", x, why))

    def _pieces(self, size: Size) -> tuple[Size, ...]:
        if not isinstance(size, int):
            return (size // self.chunks,) * min(self.chunks, PIECES_LIMIT)
        piece = -(-size // self.chunks)
        count = min(-(-size // piece), PIECES_LIMIT)
        return (*(piece,) * (count - 1), size - piece * (count - 1))

    def build(self, x: TensorType) -> nn.Module:
        from netspec.torch_backend.movement import Chunk as Module

        return Module(chunks=self.chunks, dim=self.dim)


OPERATIONS = (Split, Chunk)
