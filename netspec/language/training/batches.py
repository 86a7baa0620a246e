"""The first dimension of what is trained: the batch, in every input and in the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.diagnostics import Advised, Note, Span, spell
from netspec.ir.dim import Bounds, Dim, Size, Unknown
from netspec.ir.graph import GraphInput, GraphOutput


class BatchMisfit(Advised):
    """An input or an output that does not hold one batch of `batch_size` examples."""

    code = "NS407"
    message = "{what} does not hold batches of {batch_size}: {reason}"

    what: str
    batch_size: int
    reason: str


def batch_faults(
    batch_size: int,
    place: Span,
    inputs: Sequence[GraphInput],
    output: GraphOutput,
    bounds: Mapping[str, Bounds],
) -> Iterator[BatchMisfit]:
    """What of the inputs and the output does not begin with the batch; `place` is that of `batch_size`."""
    first: GraphInput | None = None  # with a symbolic batch, which the others must have too
    items: tuple[GraphInput | GraphOutput, ...] = (*inputs, output)
    for item in items:
        size = _leading(item)
        if size is None or isinstance(size, Unknown):
            continue
        reason = advice = ""
        if isinstance(size, int):
            if size != batch_size or (first is not None and item is output):
                reason = f"its first dimension is {size}"
                advice = _advice(size, is_output=item is output, symbolic=first is not None)
        elif first is not None and size != _leading(first):
            reason = f"its first dimension is {size}, and that of {spell(first.name)} is {_leading(first)}"
            advice = "examples lie along the first dimension of every input and of the output"
        elif first is None and isinstance(item, GraphInput):
            first = item
            if not _admitted(size, batch_size, bounds):
                reason = f"dims and the layers do not allow {batch_size} for {size}"
        if reason:
            what = f"{'the input' if isinstance(item, GraphInput) else 'the output'} {spell(item.name)}"
            fault = BatchMisfit(what=what, batch_size=batch_size, reason=reason, advice=advice)
            yield fault.at(place, Note(f"{spell(item.name)} is {item.value.type}", item.span))


def _leading(item: GraphInput | GraphOutput) -> Size | None:
    """The first size; None where there is none or the shape is unknown."""
    shape = item.value.type.shape
    return shape[0] if shape else None


def _advice(size: int, *, is_output: bool, symbolic: bool) -> str:
    if is_output and symbolic:
        return "give an output that has a row for each example"
    return f"write batch_size: {size}, or a word such as batch for the first dimension of the inputs"


def _admitted(size: Dim, batch_size: int, bounds: Mapping[str, Bounds]) -> bool:
    known = bounds.get(str(size))
    return known is None or known.admits(batch_size)
