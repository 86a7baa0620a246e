"""The inputs that an exported file is judged on, and the values given to symbolic dimensions."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import Diagnostic, DiagnosticError, Span
from netspec.ir.dim import Bounds, Dim
from netspec.ir.graph import Graph, Value
from netspec.ir.tensor import DType, TensorType
from netspec.verify.certificate import Case
from netspec.verify.tolerance import Array

BATCHES = (1, 2, 3, 7)
SEMANTIC_BATCH = 4
CALIBRATION_NUMBER = 2000  # and of the batch from which BatchNorm takes its statistics
SEMANTIC_NUMBER = 1000  # of the first case of the semantic gate, so that it draws its own
SEMANTIC_KINDS = ("normal", "small", "tiny", "peaks")
OTHER_KINDS = (("uniform", 5), ("zeros", 1), ("ones", 1), ("large", 2))
SCALES = {"small": 1e-3, "tiny": 1e-6}  # beside them the epsilon of a normalisation shows
LARGE = 1e3
LARGE_HALF = 1e2  # in float16, which ends at 65,504: beyond it engines differ in what they keep wider
TYPICAL = 33  # a size for an axis that no layer asks more of; odd, so that strides leave a remainder
LARGEST = 2**14  # of a single axis; sizes near 2**63 would only test how torch counts elements
RANDOM_BINDINGS = 3
ELEMENT_LIMIT = 2**26  # of all tensors of an evaluation together; larger extremes are brought nearer
TENSOR_LIMIT = 2**31  # elements of one tensor at the sizes that no evaluation can do without


class TooLargeToVerify(Diagnostic):
    """A network whose tensors are so large, at the least sizes to judge it on, that nothing can run it."""

    code = "NS538"
    message = "{tensor} has {count:,} elements{where}, too many to run the network and so to verify it"

    tensor: str
    count: int
    values: Mapping[str, int]

    @property
    def where(self) -> str:
        at = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        return f" at {at}" if at else ""

    @property
    def help(self) -> str:
        return "make it smaller: a tensor may have 2,147,483,648 elements"


@dataclass(frozen=True, eq=False)
class Batch:
    """One set of inputs with its description; `samples` counts the batch, 1 where there is no batch axis."""

    case: Case
    feeds: Mapping[str, Array]
    samples: int


@dataclass(frozen=True)
class Dimensions:
    """The symbolic dimensions of a graph and the values that verification gives them.

    `batch` is the one that the first input has in front, if it is a symbol; it counts samples.
    """

    bounds: Mapping[str, Bounds]
    batch: str | None

    @classmethod
    def of(cls, graph: Graph) -> Dimensions:
        """The dimensions of a graph."""
        for entry in graph.inputs:
            shape = entry.value.type.known
            if shape and isinstance(shape[0], Dim) and str(shape[0]) in graph.bounds:
                return cls(graph.bounds, str(shape[0]))
        return cls(graph.bounds, None)

    def counts(self, type: TensorType) -> bool:
        """Whether the first axis of a tensor counts samples."""
        return bool(self.batch is not None and type.known and str(type.known[0]) == self.batch)

    def values(self, batch: int, size: str = "typical") -> dict[str, int]:
        """Every symbol's value: `batch` for the batch, the least, typical or largest size for the others."""
        values: dict[str, int] = {}
        typical: set[int] = set()
        for name, bounds in self.bounds.items():
            if name == self.batch:
                values[name] = admissible(bounds, batch)
            elif size == "least":
                values[name] = bounds.least
            else:
                values[name] = _typical(bounds, typical)
                typical.add(values[name])
                if size == "largest":
                    double = 2 * values[name]
                    wanted = double if bounds.greatest is None else min(bounds.greatest, LARGEST)
                    values[name] = admissible(bounds, wanted)
        return values

    @property
    def has_others(self) -> bool:
        return any(name != self.batch for name in self.bounds)


def admissible(bounds: Bounds, wanted: int) -> int:
    """The admissible value nearest to `wanted`, from above where both sides have one."""
    step = bounds.multiple_of
    value = max(bounds.least, -(-wanted // step) * step)
    return value if bounds.greatest is None else min(value, bounds.greatest)


def _typical(bounds: Bounds, taken: Collection[int]) -> int:
    """The typical size of an axis, unlike those taken if it can be: a file that takes one axis for another
    is right as long as both are equally long."""
    first = admissible(bounds, max(TYPICAL, bounds.least + 1))
    gap = bounds.multiple_of if bounds.multiple_of > 1 else 2
    steps = range(gap, gap * (len(taken) + 1) + 1, gap)
    nearby = (admissible(bounds, first + step) for step in (0, *steps, *(-step for step in steps)))
    return next((size for size in nearby if size not in taken), first)


def need_inputs(graph: Graph) -> None:
    """Raise NS538 where no inputs can be drawn that could be run."""
    values = Dimensions.of(graph).values(max(BATCHES))
    for value, span in _tensors(graph):
        count = math.prod(value.type.bind(values))
        if count > TENSOR_LIMIT:
            large = TooLargeToVerify(tensor=value.name, count=count, values=values)
            raise DiagnosticError(large.at(span))


def _tensors(graph: Graph) -> Iterator[tuple[Value, Span]]:
    yield from ((entry.value, entry.span) for entry in graph.inputs)
    yield from ((value, node.span) for node in graph for value in node.outputs)


def bindings(graph: Graph, seed: int) -> list[dict[str, int]]:
    """Values of the symbols at which shapes are compared: the batches, the extremes, some drawn; at least
    five, unless the bounds admit fewer. Without symbols, the one empty binding."""
    dimensions = Dimensions.of(graph)
    if not graph.bounds:
        return [{}]
    found = [dimensions.values(batch) for batch in (*BATCHES, SEMANTIC_BATCH, 5)]
    found += [dimensions.values(2, size) for size in ("least", "largest")]
    largest = dimensions.values(64, "largest")
    draw = np.random.default_rng(seed)
    for _ in range(RANDOM_BINDINGS):
        found.append(
            {
                name: admissible(bounds, int(draw.integers(bounds.least, largest[name] + 1)))
                for name, bounds in graph.bounds.items()
            }
        )
    return list({tuple(values.items()): values for values in found}.values())


def rounding_batches(graph: Graph, seed: int) -> Iterator[Batch]:
    """The drawn inputs of the rounding gate: normal at every batch size and at the extremes of the other
    dimensions, every other kind at one batch size."""
    dimensions = Dimensions.of(graph)
    plan = [("normal", dimensions.values(batch)) for batch in BATCHES]
    if dimensions.has_others:
        plan.append(("normal", dimensions.values(2, "least")))
        plan.append(("normal", _affordable(graph, dimensions)))
    plan += [(kind, dimensions.values(batch)) for kind, batch in OTHER_KINDS]
    for number, (kind, values) in enumerate(plan):
        samples = _sample_count(dimensions, values)
        yield _drawn(graph, dimensions, values, [kind] * samples, seed, number, kind)


def semantic_batches(graph: Graph, seed: int) -> Iterator[Batch]:
    """The inputs of the semantic gate: four samples, three normal ones of unlike sizes and one of large
    peaks; in one batch where the batch dimension admits it.

    Without peaks where a decision moves values about, as the indices of a pool do: they saturate what comes
    before it, and of neighbours that are alike but for their rounding engines choose differently.
    """
    every = SEMANTIC_KINDS if not _moves_by_decision(graph) else (*SEMANTIC_KINDS[:-1], "normal")
    dimensions = Dimensions.of(graph)
    values = dimensions.values(SEMANTIC_BATCH)
    samples = _sample_count(dimensions, values)
    for number, start in enumerate(range(0, len(every), samples)):
        kinds = [every[(start + i) % len(every)] for i in range(samples)]
        kind = ", ".join(dict.fromkeys(kinds))
        yield _drawn(graph, dimensions, values, kinds, seed, SEMANTIC_NUMBER + number, kind)


def _moves_by_decision(graph: Graph) -> bool:
    """Whether a layer reads what another has decided by comparing real numbers."""
    decided = {
        value.name
        for node in graph
        for port, value in enumerate(node.outputs)
        if node.op.decides(port, *node.input_types) is not None
    }
    return any(value.name in decided for node in graph for value in node.inputs)


def drawn_batch(graph: Graph, batch: int, seed: int) -> Mapping[str, Array]:
    """One batch of normal inputs by name, other symbolic dimensions at their typical sizes."""
    dimensions = Dimensions.of(graph)
    values = dimensions.values(batch)
    kinds = ["normal"] * _sample_count(dimensions, values)
    return _drawn(graph, dimensions, values, kinds, seed, CALIBRATION_NUMBER, "normal").feeds


def batches_of(graph: Graph, arrays: Mapping[str, Array], name: str, chunk: int = 16) -> Iterator[Batch]:
    """Prepared samples, all inputs with their first axis counting them, in batches that the bounds admit; the
    last few are left out where they make no batch."""
    batch = Dimensions.of(graph).batch
    total = min(len(array) for array in arrays.values())
    start = 0
    while start < total:
        left = min(chunk, total - start)
        size = _fixed_batch(graph) if batch is None else admissible(graph.bounds[batch], left)
        if size > total - start:
            return
        feeds = {key: array[start : start + size] for key, array in arrays.items()}
        values = _values_of(graph, feeds)
        yield Batch(_case(f"{name}[{start}:{start + size}]", "samples", values, feeds), feeds, size)
        start += size


def _fixed_batch(graph: Graph) -> int:
    first = graph.inputs[0].value.type.known[0]
    assert isinstance(first, int)
    return first


def _values_of(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, int]:
    """The symbols' values that the shapes of the feeds show."""
    values = {}
    for entry in graph.inputs:
        for size, length in zip(entry.value.type.known, feeds[entry.name].shape, strict=True):
            if isinstance(size, Dim) and str(size) in graph.bounds:
                values[str(size)] = length
    return values


def _sample_count(dimensions: Dimensions, values: Mapping[str, int]) -> int:
    return 1 if dimensions.batch is None else values[dimensions.batch]


def _affordable(graph: Graph, dimensions: Dimensions) -> dict[str, int]:
    """The largest values, brought nearer to the typical ones until an evaluation fits the element limit."""
    typical = dimensions.values(1)
    values = dimensions.values(1, "largest")
    while _elements(graph, values) > ELEMENT_LIMIT and values != typical:
        nearer = {}
        for name, value in values.items():
            middle = admissible(graph.bounds[name], (value + typical[name]) // 2)
            nearer[name] = middle if middle < value else typical[name]
        values = nearer
    return values


def _elements(graph: Graph, values: Mapping[str, int]) -> int:
    return sum(math.prod(value.type.bind(values)) for node in graph for value in node.outputs)


def _drawn(
    graph: Graph,
    dimensions: Dimensions,
    values: Mapping[str, int],
    kinds: Sequence[str],
    seed: int,
    number: int,
    kind: str,
) -> Batch:
    """One batch; sample i is of the kind `kinds[i]`, an input without batch axis of the first."""
    feeds: dict[str, Array] = {}
    open_masks = _open_masks(graph)
    for position, entry in enumerate(graph.inputs):
        draw = np.random.default_rng([seed, number, position])
        type = entry.value.type
        shape = type.bind(values)
        if dimensions.counts(type):
            parts = [_draw(draw, one, shape[1:], type.dtype) for one in kinds]
            feeds[entry.name] = np.stack(parts)
        else:
            feeds[entry.name] = _draw(draw, kinds[0], shape, type.dtype)
        if entry.name in open_masks:
            feeds[entry.name][..., 0] = False
    return Batch(_case(f"{number}: {kind}", kind, values, feeds), feeds, len(kinds))


def _open_masks(graph: Graph) -> set[str]:
    """The inputs of truth values that a layer takes for a mask which must leave something open."""
    return {
        value.name
        for node in graph
        for number, value in enumerate(node.arranged(node.inputs, None))
        if value is not None and value.type.dtype is DType.BOOL and number in node.op.kept_open
    }


def _draw(draw: np.random.Generator, kind: str, shape: tuple[int, ...], dtype: DType) -> Array:
    """An array of one kind. Integers are drawn from 0 and 1, which every table of more than one row has."""
    if dtype is DType.BOOL or not dtype.is_floating:
        whole = {"zeros": np.zeros(shape), "ones": np.ones(shape)}.get(kind)
        return (draw.integers(0, 2, shape) if whole is None else whole).astype(str(dtype))
    array: NDArray[np.float64]
    if kind == "normal":
        array = draw.standard_normal(shape)
    elif kind in SCALES:
        array = SCALES[kind] * draw.standard_normal(shape)
    elif kind == "uniform":
        array = draw.random(shape)
    elif kind in ("large", "peaks"):
        # Cubes of normal numbers stand out of their plane even once it is normalised.
        power = 3 if kind == "peaks" else 1
        array = (LARGE_HALF if dtype is DType.FLOAT16 else LARGE) * draw.standard_normal(shape) ** power
    else:
        array = np.ones(shape) if kind == "ones" else np.zeros(shape)
    return array.astype(str(dtype))


def _case(name: str, kind: str, values: Mapping[str, int], feeds: Mapping[str, Array]) -> Case:
    return Case(name, kind, dict(values), {key: feed.shape for key, feed in feeds.items()})
