"""Which tensor of a file goes to which tensor of a network: by name, or by order. Names and shapes only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from netspec.diagnostics import Diagnostic, DiagnosticError, printable

Shape = tuple[int, ...]
Way = Literal["name", "order"]

COUNTER = "num_batches_tracked"
"""BatchNorm's count of training batches: in state dicts, but nothing that is evaluated depends on it."""


USUAL = {"weight", "bias", "running_mean", "running_var", COUNTER}
"""How the names of tensors end that belong to a module."""


class Group(NamedTuple):
    """The tensors of one module: its path, and their shapes by the last parts of their names.

    A tensor that stands for itself has its whole name as the path, and no last part. `shares` is the path
    of the group whose tensors a layer uses that owns none.
    """

    path: str
    shapes: Mapping[str, Shape]
    shares: str | None = None

    @property
    def kind(self) -> frozenset[tuple[str, int]]:
        """What a module is told by: the last parts of its tensors' names, and their ranks."""
        return frozenset((suffix, len(shape)) for suffix, shape in self.shapes.items())

    @property
    def signature(self) -> frozenset[tuple[str, Shape]]:
        """The kind with the shapes."""
        return frozenset(self.shapes.items())

    def key(self, suffix: str) -> str:
        """The name of one of the tensors."""
        return f"{self.path}.{suffix}" if self.path and suffix else self.path or suffix

    @property
    def shown(self) -> str:
        """The path as messages have it."""
        return printable(self.path) or "(top)"

    @property
    def tensors(self) -> str:
        """Its tensors as messages have them: weight (64, 3, 7, 7), bias (64)."""
        return ", ".join(
            f"{printable(suffix)} {shape_text(shape)}".strip() for suffix, shape in self.shapes.items()
        )


class Pair(NamedTuple):
    """A module of the file beside the module of the network that takes its tensors; None where one lacks."""

    given: Group | None
    wanted: Group | None

    @property
    def fits(self) -> bool:
        return (
            self.given is not None
            and self.wanted is not None
            and self.given.signature == self.wanted.signature
        )


class Row(NamedTuple):
    """One tensor: its name and shape in the file, and in the network; None where one lacks it."""

    given: str | None
    given_shape: Shape | None
    wanted: str | None
    wanted_shape: Shape | None


class Wanted(NamedTuple):
    """The tensors of a network, in the order of its layers.

    `alone` are those that stand for themselves, beside modules. `shared` gives the names that a layer would
    use which shares another's weights, and the names of these.
    """

    shapes: Mapping[str, Shape]
    alone: frozenset[str] = frozenset()
    shared: Mapping[str, str] = {}


@dataclass(frozen=True)
class Alignment:
    """The modules of a file beside those of a network: in the network's order, what is left over last."""

    way: Way
    pairs: tuple[Pair, ...]

    @property
    def fits(self) -> bool:
        return all(pair.fits for pair in self.pairs)

    def rows(self) -> Iterator[Row]:
        """The same tensor by tensor, BatchNorm's counters left out."""
        for given, wanted in self.pairs:
            ours, theirs = wanted.shapes if wanted else {}, given.shapes if given else {}
            for suffix in dict.fromkeys((*ours, *theirs)):
                yield Row(
                    given.key(suffix) if given and suffix in theirs else None,
                    theirs.get(suffix),
                    wanted.key(suffix) if wanted and suffix in ours else None,
                    ours.get(suffix),
                )


class Taken(NamedTuple):
    """What became of a file of weights that `origin` names.

    `is_asked` says whether the user asked for this alignment, rather than for weights whose names fit.
    `remarks` say what a user might not expect of how the file was read.
    """

    origin: str
    alignment: Alignment
    is_asked: bool
    remarks: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


class Misaligned(DiagnosticError):
    """Weights that do not fit, with the alignment that shows where."""

    def __init__(self, taken: Taken, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.taken = taken


def by_name(given: Mapping[str, Shape], wanted: Wanted) -> Alignment:
    """Modules of equal names belong together; a shared layer's names may be there or not."""
    theirs = {group.path: group for group in grouped(given)}
    pairs = [
        Pair(theirs.pop(group.path, None), group)
        for group in _groups(wanted, frozenset())
        if group.shares is None or group.path in theirs
    ]
    return Alignment("name", (*pairs, *(Pair(group, None) for group in theirs.values())))


def by_order(given: Mapping[str, Shape], wanted: Wanted, *, is_sorted: bool = False) -> Alignment:
    """The modules of one kind, in the file's order, belong to the network's of this kind, in theirs.

    In a file that `is_sorted` by name the order says less: there only modules whose shapes are equal
    too are taken in order, numbers in names counted as numbers; `doubtful` tells where that is not enough.
    """
    own = _alone(given, wanted)
    # Where none is named as a parameter of its own, they are modules, as the network's are.
    alone = wanted.alone if own else frozenset()
    theirs = grouped(given, own)
    if is_sorted:
        theirs.sort(key=lambda group: _tokens(group.path))
    return Alignment("order", _in_turn(theirs, _groups(wanted, alone), _told_by(is_sorted)))


def _alone(given: Iterable[str], wanted: Wanted) -> set[str]:
    """The file's tensors whose names end as no module's do: parameters of their own."""
    if not wanted.alone:
        return set()
    known = {_last(name) for name in wanted.shapes if name not in wanted.alone} | USUAL
    return {name for name in given if _last(name) not in known}


def _told_by(is_sorted: bool) -> Callable[[Group], Hashable]:
    return (lambda group: group.signature) if is_sorted else (lambda group: group.kind)


def _in_turn(
    given: Sequence[Group], wanted: Sequence[Group], told_by: Callable[[Group], Hashable]
) -> tuple[Pair, ...]:
    """The groups that are told by the same, in turn; what then is left of both sides, in turn too."""
    theirs, ours = _by(told_by, given), _by(told_by, wanted)
    mates: dict[int, Group] = {}
    left_out: set[int] = set()
    for told, numbers in ours.items():
        waiting = theirs.get(told, [])
        # A file lists the tensors of a shared layer once, or as often as the layer is used.
        if len(waiting) < len(numbers):
            left_out.update(number for number in numbers if wanted[number].shares is not None)
            numbers = [number for number in numbers if wanted[number].shares is None]
        mates.update(zip(numbers, (given[number] for number in waiting), strict=False))
        theirs[told] = waiting[len(numbers) :]
    left = iter(sorted(number for numbers in theirs.values() for number in numbers))
    pairs = []
    for number, group in enumerate(wanted):
        if number not in left_out:
            mate = mates.get(number)
            if mate is None and (spare := next(left, None)) is not None:
                mate = given[spare]
            pairs.append(Pair(mate, group))
    return (*pairs, *(Pair(given[number], None) for number in left))


def _by(told_by: Callable[[Group], Hashable], groups: Sequence[Group]) -> dict[Hashable, list[int]]:
    """The indices of the groups that are told by the same, in their order."""
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        found[told_by(group)].append(number)
    return dict(found)


def out_of_order(alignment: Alignment, given: Iterable[str]) -> tuple[Pair, Pair] | None:
    """The first two layers that follow each other in the network but not in the file; None where all do.

    Tensors that stand for themselves are passed over: torch lists those of a module before its parts.
    """
    place = {name: number for number, name in enumerate(given)}
    before: tuple[int, Pair] | None = None
    for pair in alignment.pairs:
        if pair.given is None or "" in pair.given.shapes:
            continue
        at = min(place[pair.given.key(suffix)] for suffix in pair.given.shapes)
        if before is not None and at < before[0]:
            return before[1], pair
        before = (at, pair)
    return None


def doubtful(alignment: Alignment) -> tuple[Pair, Pair] | None:
    """Two modules of the same shapes that no number in their names puts in order; None where there are none.

    `conv1` comes before `conv2`, but whether `norm` or `layer1.norm` does, their names do not say.
    """
    last: dict[Hashable, Pair] = {}
    for pair in alignment.pairs:
        if pair.given is None:
            continue
        earlier = last.get(pair.given.signature)
        if earlier is not None and earlier.given is not None:
            tokens = zip(_tokens(earlier.given.path), _tokens(pair.given.path), strict=False)
            first = next((a for a, b in tokens if a != b), None)
            if not isinstance(first, int):
                return earlier, pair
        last[pair.given.signature] = pair
    return None


def grouped(shapes: Mapping[str, Shape], alone: Collection[str] = ()) -> list[Group]:
    """The tensors by module, in the order in which the modules appear; those `alone` by themselves."""
    groups: dict[tuple[str, bool], dict[str, Shape]] = {}
    for name, shape in shapes.items():
        path, _, suffix = name.rpartition(".")
        if name in alone:
            groups[name, True] = {"": shape}
        elif suffix != COUNTER:
            groups.setdefault((path, False), {})[suffix] = shape
    return [Group(path, tensors) for (path, _), tensors in groups.items()]


def _groups(wanted: Wanted, alone: Collection[str]) -> list[Group]:
    """The network's groups, those of shared layers marked."""
    found = []
    for group in grouped(wanted.shapes, alone):
        owner = wanted.shared.get(group.key(next(iter(group.shapes))))
        if owner is not None:
            group = group._replace(shares=owner if owner in alone else owner.rpartition(".")[0])
        found.append(group)
    return found


def shape_text(shape: Shape) -> str:
    """A shape for people: (64, 3, 7, 7)."""
    return f"({', '.join(map(str, shape))})"


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _tokens(path: str) -> tuple[str | int, ...]:
    """A path's words and numbers in turn, as it is sorted: layer2 before layer10."""
    parts = re.split(r"([0-9]{1,18})", path)
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts))
