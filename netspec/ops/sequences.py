"""What operations on sequences share: where the batch stands, and which inputs they take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Diagnostic, Severity
from netspec.ir.dim import Size
from netspec.ir.tensor import TensorType
from netspec.ir.window import Window
from netspec.ops.base import Fault, Op
from netspec.ops.faults import need_floating, need_number, need_rank

BATCH = "batch"
"""The word by which specs call the dimension that counts samples."""

_MISSING = {
    2: "one dimension is missing: that of the batch, or that of the length",
    4: "make sequences of images first, with Flatten: {start_dim: 2} and Transpose: {dim0: 1, dim1: 2}",
}
"""The cure for what is no batch of sequences, by its rank."""


class BatchNotFirst(Diagnostic):
    """A batch where torch's own default expects the length: allowed, and rarely meant."""

    code = "NS383"
    severity = Severity.WARNING
    message = "without batch_first, {op} takes the first dimension, {batch}, for the length: {input}"

    op: str
    input: TensorType
    batch: str = BATCH

    @property
    def help(self) -> str:
        return "write batch_first: true"


class Sequential(Op):
    """What operations on (N, L, features), or without `batch_first` on (L, N, features), share."""

    if TYPE_CHECKING:
        batch_first: bool  # a field of every subclass, where torch has it among its arguments

    def need_sequences(self, x: TensorType) -> None:
        """Raise NS301, NS306 or NS308 unless `x` holds sequences of real vectors of a fixed width."""
        op = type(self).__name__
        expected = "sequences (N, L, features)" if self.batch_first else "sequences (L, N, features)"
        need_rank(op, x, (3,), expected, _MISSING.get(x.rank, ""))
        need_floating(op, x)
        need_number(op, "features", x.known[2], x)

    def remarks(self, x: TensorType, *others: TensorType | None, **_: Any) -> Iterator[Fault]:
        if not self.batch_first and str(x.known[0]) == BATCH:
            yield Fault(BatchNotFirst(op=type(self).__name__, input=x), field="batch_first", input=0)

    def window(self, *inputs: TensorType | None) -> Window | None:
        return None

    def extents(self, x: TensorType) -> tuple[Size, Size]:
        """The sizes N and L of sequences."""
        first, second, _ = x.known
        return (first, second) if self.batch_first else (second, first)

    def arranged(self, batch: Size, length: Size, features: Size) -> tuple[Size, Size, Size]:
        """The shape of sequences."""
        return (batch, length, features) if self.batch_first else (length, batch, features)


def as_number(size: Size) -> int:
    """A size that `need_number` has found to be one."""
    assert isinstance(size, int)
    return size
