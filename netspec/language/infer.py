"""One operation's output types from its input types; broken rules become diagnostics at their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from netspec.diagnostics import Collector, Diagnostic, Note, Span
from netspec.ir.dim import (
    UNKNOWN,
    Bounds,
    Comparison,
    Different,
    Dim,
    DimError,
    Equal,
    Size,
    Sometimes,
    Undecided,
    Unknown,
    compare,
    decide,
    least_value,
)
from netspec.ir.graph import Value
from netspec.ir.tensor import UNKNOWN_TYPE, TensorType
from netspec.language.tree import Tree
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


class Site(NamedTuple):
    """Where an operation is called: its name, its arguments, and for a merge the branches that it reads.

    `slots` says which of the operation's arguments each source is, as in a Node.
    """

    place: Span
    arguments: Tree | None = None
    branches: tuple[tuple[str, Span], ...] = ()
    slots: tuple[int, ...] | None = None

    def spread(self, types: Sequence[TensorType]) -> list[TensorType | None]:
        """The types of the sources in the places of the operation's arguments, None where one is left out."""
        if self.slots is None:
            return list(types)
        given = dict(zip(self.slots, types, strict=True))
        return [given.get(slot) for slot in range(self.slots[-1] + 1)]


class Inference:
    """Infers the types of one graph's layers, and on the way what they ask of symbolic dimensions.

    `bounds` grows: a lower bound that a layer needs is added to what `dims` declares. `origins` says where
    each value comes from, for notes.
    """

    def __init__(self, bounds: Mapping[str, Bounds], origins: dict[str, Span], collector: Collector) -> None:
        self.bounds = dict(bounds)
        self.origins = origins
        self.collector = collector
        self._neediest: dict[str, tuple[Span, Sequence[Note]]] = {}

    def types(self, op: Op, sources: Sequence[Value], site: Site) -> tuple[TensorType, ...]:
        """The types of an operation's ports; unknown where its inputs are, or a rule is broken."""
        if any(value.type.shape is None for value in sources):
            return (UNKNOWN_TYPE,)
        types = site.spread([value.type for value in sources])
        unknown = (UNKNOWN_TYPE,)
        broken: list[tuple[Fault, Same | AtLeast]] = []
        try:
            for demand in op.demands(*types):
                if isinstance(demand, Fault):
                    self._report(demand, sources, site)
                    continue
                if isinstance(demand, AtLeast):
                    holds = self._is_at_least(demand, sources, site)
                else:
                    holds = isinstance(compare(demand.left, demand.right, self.bounds), Equal)
                if not holds and not _holds_unknown(demand):
                    broken.append((demand.otherwise, demand))
            for remark in () if broken else op.remarks(*types):
                self._report(remark, sources, site)
            given = op.infer(*types)
        except Fault as fault:
            self._report(fault, sources, site)
            return unknown
        except DimError:
            self.collector.add(TooSymbolic(span=site.place))
            return unknown
        ports = given if isinstance(given, tuple) else (given,)
        if not broken:
            return ports
        self._report_broken(broken, sources, site)
        sizes = {size for _, demand in broken for size in _sizes(demand)}
        short = {demand.size for _, demand in broken if isinstance(demand, AtLeast)}
        symbols = {name for size in short if isinstance(size, Dim) for name in size.multiples}
        return tuple(_without(type, sizes, symbols) for type in ports)

    def _is_at_least(self, demand: AtLeast, sources: Sequence[Value], site: Site) -> bool:
        """Whether a size is its minimum or more, or will be once its symbols' bounds are raised."""
        size, minimum = demand.size, demand.minimum
        if isinstance(size, int):
            return size >= minimum
        if isinstance(size, Unknown):
            return True
        if len(size.multiples) > 1 and min(size.terms.values()) < 0:
            # A difference of symbols: no lower bound of the one makes up for any value of the other.
            return decide(size, ">=", minimum, self.bounds) is True
        needed = least_value(size, minimum, self.bounds)
        if needed is None:
            return False
        for name, least in needed.items():
            known = self.bounds[name]
            if least > known.inferred_min:
                self.bounds[name] = replace(known, inferred_min=least)
                fault = demand.otherwise
                self._neediest[name] = (_place(fault, site), tuple(self._origins(fault, sources, site)))
        return True

    def _report(self, fault: Fault, sources: Sequence[Value], site: Site, *notes: Note) -> None:
        origins = self._origins(fault, sources, site)
        self.collector.add(fault.diagnostic.at(_place(fault, site), *origins, *notes))

    def _report_broken(
        self, broken: list[tuple[Fault, Same | AtLeast]], sources: Sequence[Value], site: Site
    ) -> None:
        """One diagnostic for each input: when its height does not fit, its width says nothing new."""
        reported: dict[tuple[str, int | None], Fault] = {}
        notes: dict[tuple[str, int | None], list[Same | AtLeast]] = {}
        for fault, demand in broken:
            key = (fault.diagnostic.code, fault.input)
            reported.setdefault(key, fault)
            notes.setdefault(key, []).append(demand)
        for key, fault in reported.items():
            self._report(fault, sources, site, *self._explained(notes[key]))

    def _explained(self, demands: Sequence[Same | AtLeast]) -> Iterator[Note]:
        """When symbolic sizes break a rule, and which limits would cure it."""
        found: list[Comparison] = []
        for demand in demands:
            if isinstance(demand, Same):
                found.append(compare(demand.left, demand.right, self.bounds))
            elif isinstance(demand.size, Dim):
                for name in demand.size.multiples:
                    if self.bounds[name].max is not None:
                        yield Note(f"dims allows {name} up to {self.bounds[name].max}")
        cures: dict[str, int] = {}
        for comparison in found:
            if isinstance(comparison, Sometimes | Different) and comparison.values:
                at = ", ".join(f"{name} = {value}" for name, value in comparison.values.items())
                yield Note(f"at {at} the sizes are {comparison.left} and {comparison.right}")
            elif isinstance(comparison, Undecided):
                yield Note("no difference was found, but they are too complicated to be proven equal")
            if isinstance(comparison, Sometimes):
                cures |= comparison.multiple_of or {}
        if cures and all(
            isinstance(comparison, Sometimes) and comparison.multiple_of for comparison in found
        ):
            limits = ", ".join(f"{name}: {{multiple_of: {number}}}" for name, number in cures.items())
            yield Note(f"with dims: {{{limits}}} they are always equal")

    def _origins(self, fault: Fault, sources: Sequence[Value], site: Site) -> Iterator[Note]:
        """Where the shapes that a fault speaks of come from."""
        if fault.input is None:
            return
        for slot in sorted({0, fault.input}):
            if site.slots is not None and slot not in site.slots:
                continue
            number = slot if site.slots is None else site.slots.index(slot)
            value = sources[number]
            if number < len(site.branches):
                name, place = site.branches[number]
                yield Note(f"{name} is {value.type}", place)
            elif value.name in self.origins:
                yield Note(f"{value.name} is {value.type}", self.origins[value.name])

    def check_declared(self, places: Mapping[str, Span]) -> None:
        """NS318 where layers need more than the least size that `dims` declares; called after the last layer.

        `places` says where the limits of each dimension are written. A dimension without a declared minimum
        takes that of its layers.
        """
        for name, (place, notes) in self._neediest.items():
            known = self.bounds[name]
            if 1 < known.min < known.inferred_min:
                fault = MinimumTooSmall(name=name, declared=known.min, needed=known.inferred_min)
                written = [Note("declared here", places[name])] if name in places else []
                self.collector.add(fault.at(place, *notes, *written))


def _place(fault: Fault, site: Site) -> Span:
    """The argument at fault, else the operation."""
    if fault.field is not None and site.arguments is not None and fault.field in site.arguments.entries:
        return site.arguments.entries[fault.field].value.span
    return site.place


def _sizes(demand: Same | AtLeast) -> tuple[Size, ...]:
    return (demand.size,) if isinstance(demand, AtLeast) else (demand.left, demand.right)


def _holds_unknown(demand: Same | AtLeast) -> bool:
    return any(isinstance(size, Unknown) for size in _sizes(demand))


def _without(type: TensorType, broken: set[Size], symbols: set[str]) -> TensorType:
    """The type with sizes that an error left without a meaning unknown: they must not raise echoes."""

    def is_lost(size: Size) -> bool:
        if isinstance(size, Dim) and not symbols.isdisjoint(size.multiples):
            return True
        return size in broken or (isinstance(size, int) and size < 1)

    return type.with_shape(tuple(UNKNOWN if is_lost(size) else size for size in type.known))
