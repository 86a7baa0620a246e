"""One operation's output types from its input types; broken rules become diagnostics at their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace

from netspec.diagnostics import Collector, Diagnostic, Note, Span
from netspec.ir.dim import (
    UNKNOWN,
    Bounds,
    Different,
    DimError,
    Equal,
    Size,
    Sometimes,
    Undecided,
    Unknown,
    compare,
    least_value,
)
from netspec.ir.graph import Value
from netspec.ir.tensor import UNKNOWN_TYPE, TensorType
from netspec.language.document import Step
from netspec.ops.base import AtLeast, Fault, Op, Same


class TooSymbolic(Diagnostic):
    """A size that grows beyond what the arithmetic of dimensions keeps."""

    code = "NS317"
    message = "the size of this layer's output is too complicated to be kept as an expression"

    @property
    def help(self) -> str:
        return "give the symbolic dimension a number, or a multiple_of in dims that the strides divide"


class MinimumTooSmall(Diagnostic):
    """`dims` allows a size that a layer cannot take."""

    code = "NS318"
    message = "dims allows {name} from {declared}, but this layer needs {needed} or more"

    name: str
    declared: int
    needed: int

    @property
    def help(self) -> str:
        return "write dims: {{{name}: {{min: {needed}}}}}"


def infer(
    op: Op,
    sources: Sequence[Value],
    step: Step,
    bounds: MutableMapping[str, Bounds],
    origins: Mapping[str, Span],
    collector: Collector,
) -> tuple[TensorType, ...]:
    """The types of an operation's ports; unknown where its inputs are, or a rule is broken.

    Lower bounds that the operation needs of symbolic dimensions are raised in `bounds`.
    """
    types = [value.type for value in sources]
    unknown = (UNKNOWN_TYPE,) * len(op.ports)
    if any(type.shape is None for type in types):
        return unknown

    def report(fault: Fault, *more: Note) -> None:
        place = step.place
        if fault.field is not None and step.arguments is not None and fault.field in step.arguments.entries:
            place = step.arguments.entries[fault.field].value.span
        collector.add(fault.diagnostic.at(place, *_origins(fault, sources, origins), *more))

    broken: set[Size] = set()
    try:
        for demand in op.demands(*types):
            if isinstance(demand, AtLeast):
                failed = _at_least(demand, bounds, report)
            else:
                failed = _same(demand, bounds, report)
            if failed:
                broken |= {demand.size} if isinstance(demand, AtLeast) else {demand.left, demand.right}
        for remark in () if broken else op.remarks(*types):
            report(remark)
        given = op.infer(*types)
    except Fault as fault:
        report(fault)
        return unknown
    except DimError:
        collector.add(TooSymbolic(span=step.place))
        return unknown
    ports = given if isinstance(given, tuple) else (given,)
    return tuple(_without(type, broken) for type in ports) if broken else ports


Report = Callable[..., None]


def _at_least(demand: AtLeast, bounds: MutableMapping[str, Bounds], report: Report) -> bool:
    """Hold a size against its minimum, or raise the bounds of its symbols; true if it cannot hold."""
    size, minimum = demand.size, demand.minimum
    if isinstance(size, int):
        if size < minimum:
            report(demand.otherwise)
        return size < minimum
    if isinstance(size, Unknown):
        return False
    needed = least_value(size, minimum, bounds)
    if needed is None:
        report(demand.otherwise)
        return True
    for name, least in needed.items():
        known = bounds[name]
        if known.min > 1:
            fault = MinimumTooSmall(name=name, declared=known.min, needed=least)
            report(Fault(fault, field=demand.otherwise.field, input=demand.otherwise.input))
            return True
        bounds[name] = replace(known, inferred_min=max(known.inferred_min, least))
    return False


def _same(demand: Same, bounds: Mapping[str, Bounds], report: Report) -> bool:
    """Hold two sizes against each other for all values of their symbols; true if they differ."""
    left, right = demand.left, demand.right
    if left == right or isinstance(left, Unknown) or isinstance(right, Unknown):
        return False
    found = compare(left, right, bounds)
    if isinstance(found, Equal):
        return False
    notes = []
    if isinstance(found, Sometimes | Different) and found.values:
        at = ", ".join(f"{name} = {value}" for name, value in found.values.items())
        notes.append(Note(f"at {at} they are {found.left} and {found.right}"))
    if isinstance(found, Undecided):
        notes.append(Note("no difference was found, but they are too complicated to be proven equal"))
    if isinstance(found, Sometimes) and found.multiple_of:
        limits = ", ".join(f"{name}: {{multiple_of: {m}}}" for name, m in found.multiple_of.items())
        notes.append(Note(f"they are always equal with dims: {{{limits}}}"))
    report(demand.otherwise, *notes)
    return True


def _origins(fault: Fault, sources: Sequence[Value], origins: Mapping[str, Span]) -> Iterator[Note]:
    """Where the shapes that a fault speaks of come from."""
    if fault.input is None:
        return
    for number in sorted({0, fault.input}):
        value = sources[number]
        if value.name in origins:
            yield Note(f"{value.name} is {value.type}", origins[value.name])


def _without(type: TensorType, broken: set[Size]) -> TensorType:
    """The type with sizes that an error left without a meaning unknown: they must not raise echoes."""
    sizes = (
        UNKNOWN if size in broken or (isinstance(size, int) and size < 1) else size for size in type.known
    )
    return type.with_shape(tuple(sizes))
