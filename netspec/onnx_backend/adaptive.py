"""The windows of adaptive pools in ONNX: window i of n covers elements i H // n up to ceil((i + 1) H / n)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.lengths import Length, as_tensor, length_of, plus, times
from netspec.onnx_backend.reductions import reduced

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter


class Windows(NamedTuple):
    """The windows over one axis, as int64 tensors: `starts` and `ends` (parts, 1), `steps` (longest,)."""

    starts: str
    ends: str
    steps: str
    longest: Length

    @classmethod
    def of(cls, graph: Emitter, length: Length, parts: Length) -> Windows:
        """`parts` windows over an axis of this length."""
        if isinstance(length, int) and isinstance(parts, int):
            starts = [i * length // parts for i in range(parts)]
            ends = [-(-(i + 1) * length // parts) for i in range(parts)]
            longest = max(end - start for start, end in zip(starts, ends, strict=True))
            first, last = (
                graph.constant([[place] for place in places], DType.INT64) for places in (starts, ends)
            )
            return cls(first, last, _counted_up(graph, longest), longest)
        numbers = graph.node("Unsqueeze", _counted_up(graph, parts), _integers(graph, 1))
        divisor, size = as_tensor(graph, parts), as_tensor(graph, length)
        starts_of = graph.node("Div", graph.node("Mul", numbers, size), divisor)
        following = graph.node("Mul", graph.node("Add", numbers, _integers(graph, 1)), size)
        rounding = as_tensor(graph, plus(graph, parts, -1))
        ends_of = graph.node("Div", graph.node("Add", following, rounding), divisor)
        widths = graph.node("Sub", ends_of, starts_of)
        widest = reduced(graph, "ReduceMax", widths, [0], keepdims=False)
        return cls(starts_of, ends_of, _counted_up(graph, widest), widest)

    def counts(self, graph: Emitter, dtype: DType) -> str:
        """How many elements each window has, (parts, 1)."""
        return graph.node("Cast", graph.node("Sub", self.ends, self.starts), to=dtype)

    def members(self, graph: Emitter) -> str:
        """The elements of each window, (parts, longest); a shorter one repeats its last."""
        last = graph.node("Sub", self.ends, _integers(graph, 1))
        return graph.node("Min", graph.node("Add", self.starts, self.steps), last)

    def members_or(self, graph: Emitter, absent: Length) -> str:
        """The same, with the element `absent` in the place of those that a shorter window lacks."""
        members = graph.node("Add", self.starts, self.steps)
        inside = graph.node("Less", members, self.ends)
        return graph.node("Where", inside, members, as_tensor(graph, absent))


def _counted_up(graph: Emitter, count: Length) -> str:
    """The numbers from 0 up to, not including, `count`."""
    if isinstance(count, int):
        return graph.constant(list(range(count)), DType.INT64)
    zero, one = (graph.constant(number, DType.INT64) for number in (0, 1))
    return graph.node("Range", zero, graph.node("Squeeze", count, _integers(graph, 0)), one)


def _integers(graph: Emitter, *numbers: int) -> str:
    return graph.constant(list(numbers), DType.INT64)


def averaged(graph: Emitter, x: str, parts: Sequence[Size]) -> str:
    """The means of (N, C, *) over as many windows of each trailing axis as `parts` says: (N, C, *parts)."""
    source = graph.type(x)
    kernel = []
    for size, count in zip(source.known[2:], parts, strict=True):
        if size == count:
            kernel.append(1)
        elif isinstance(size, int) and isinstance(count, int) and size % count == 0:
            kernel.append(size // count)
    if len(kernel) == len(parts):
        attributes = {"kernel_shape": kernel, "strides": kernel, "pads": [0] * 2 * len(kernel)}
        return graph.node("AveragePool", x, count_include_pad=1, **attributes)
    y = x
    for axis, (size, count) in enumerate(zip(source.known[2:], parts, strict=True), start=2):
        if size != count:
            length = length_of(graph, x, axis)
            windows = Windows.of(graph, length, count if isinstance(count, int) else graph.size(count))
            y = _means(graph, y, axis, windows, length, source)
    return y


def _means(graph: Emitter, x: str, axis: int, windows: Windows, length: Length, source: TensorType) -> str:
    """The tensor `x` with one axis reduced to the means of its windows.

    Shorter windows are filled up with a zero that is appended to the axis; each sum is divided by its
    window's own count.
    """
    behind = source.rank - 1 - axis
    pads = [0] * 2 * source.rank
    pads[source.rank + axis] = 1
    padded = graph.node("Pad", x, _integers(graph, *pads))
    gathered = graph.node("Gather", padded, windows.members_or(graph, length), axis=axis)
    total = reduced(graph, "ReduceSum", gathered, [axis + 1], keepdims=False)
    counts = windows.counts(graph, source.dtype)
    return graph.node("Div", total, graph.node("Reshape", counts, _integers(graph, -1, *[1] * behind)))


def maxima(graph: Emitter, x: str, axis: int, windows: Windows) -> str:
    """The tensor `x` with one axis reduced to the maxima of its windows."""
    gathered = graph.node("Gather", x, windows.members(graph), axis=axis)
    return reduced(graph, "ReduceMax", gathered, [axis + 1], keepdims=False)


def maxima_and_places(
    graph: Emitter, x: str, windows: list[Windows], lengths: list[Length]
) -> tuple[str, str]:
    """The maxima of (N, C, *) over windows of all its trailing axes, and their places within each plane.

    Every window's elements are gathered side by side, so that the first of equal ones is found in reading
    order; its number among them then gives its coordinates, the last axis first.
    """
    spatial = len(windows)
    steps: list[Length] = [1] * spatial  # from one element to the next along each axis
    for axis in reversed(range(spatial - 1)):
        steps[axis] = times(graph, steps[axis + 1], lengths[axis + 1])
    table = ""
    for axis, (over, step) in enumerate(zip(windows, steps, strict=True)):
        others = [place for place in range(2 * spatial) if place not in (axis, spatial + axis)]
        members = over.members(graph)
        if others:
            members = graph.node("Unsqueeze", members, _integers(graph, *others))
        places = graph.node("Mul", members, as_tensor(graph, step))
        table = graph.node("Add", table, places) if table else places
    table = graph.node("Reshape", table, _integers(graph, *[0] * spatial, -1))
    flat = graph.node("Reshape", x, _integers(graph, 0, 0, -1))
    gathered = graph.node("Gather", flat, table, axis=2)
    y = reduced(graph, "ReduceMax", gathered, [2 + spatial], keepdims=False)
    number = graph.node("ArgMax", gathered, axis=2 + spatial, keepdims=0)
    index = ""
    for axis in reversed(range(spatial)):
        over = windows[axis]
        longest = as_tensor(graph, over.longest)
        start = graph.node("Reshape", over.starts, _integers(graph, -1, *[1] * (spatial - 1 - axis)))
        place = graph.node("Add", start, graph.node("Mod", number, longest))
        along = graph.node("Mul", place, as_tensor(graph, steps[axis]))
        index = graph.node("Add", index, along) if index else along
        number = graph.node("Div", number, longest)
    return y, index
