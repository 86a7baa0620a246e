"""Weights from a file into a module: read, aligned, given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, Severity, printable
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.torch_backend.alignment import (
    COUNTER,
    Alignment,
    Misaligned,
    Pair,
    Taken,
    Wanted,
    Way,
    by_name,
    by_order,
    doubtful,
    out_of_order,
)
from netspec.torch_backend.weights import DIFFERENCES_SHOWN, dtype_text, load, tensors_of
from netspec.torch_backend.weights_faults import WeightsDiagnostic
from netspec.torch_backend.weights_file import read_weights

PARALLEL, COMPILED = "module", "_orig_mod"
"""What torch's wrappers put into names: DataParallel before all, torch.compile also further in."""

Tensors = dict[str, torch.Tensor]


class OtherGraph(WeightsDiagnostic):
    """Weights that were saved from another graph."""

    code = "NS572"
    message = "the weights in {shown} were saved from another network than this spec describes"

    @property
    def help(self) -> str:
        return (
            "give this spec's weights; or take these where their names fit with --weights-map name, or where "
            "their order fits with --weights-map order"
        )


class OtherOrder(WeightsDiagnostic):
    """Modules of a file that are not, in their order, the layers of the network."""

    code = "NS577"
    message = "{shown} does not fit this network in order: {differences}, the first at {first}"

    count: int
    total: int
    first: str

    @property
    def differences(self) -> str:
        return f"{self.count:,} of {self.total:,} modules {'differs' if self.count == 1 else 'differ'}"

    @property
    def help(self) -> str:
        return (
            "the file must list modules of one kind in the order in which the network runs them; where it "
            "does not, name the layers as the file does and go by name"
        )


class Interleaved(WeightsDiagnostic):
    """Modules of different kinds that the file lists in another order than the network runs them."""

    code = "NS579"
    severity = Severity.WARNING
    message = (
        "{shown} lists {later} before {earlier}, but the network runs {later_layer} after {earlier_layer}"
    )

    earlier: str
    later: str
    earlier_layer: str
    later_layer: str

    @property
    def help(self) -> str:
        return "each kind of module was taken in its own order: see that the alignment is right"


class DoubtfulOrder(WeightsDiagnostic):
    """A file whose tensors are sorted by name, where two modules could as well be the other way round."""

    code = "NS583"
    message = (
        "the order of {shown} says nothing, since its tensors are sorted by name; {first} and {second} have "
        "the same shapes, so that either could be {layer}"
    )

    first: str
    second: str
    layer: str

    @property
    def help(self) -> str:
        return "give the file that torch.save wrote, which keeps the order; or go by name"


class SharedDiffers(WeightsDiagnostic):
    """Weights that are two in the file and one in the network."""

    code = "NS584"
    message = "{own} and {shared} differ in {shown}, but layer {layer} shares the weights of {owner}"

    own: str
    shared: str
    layer: str
    owner: str

    @property
    def help(self) -> str:
        return "give the layer weights of its own: leave out its `share`"


def take(module: nn.Module, graph: Graph, path: Path, way: Way | None = None) -> Taken:
    """Give a module the weights in a file: those of its own names, or in the order of its layers.

    Without a `way` they go by name, and weights that netspec saved from another graph are refused.

    Errors: NS571 where names or shapes differ, NS577 and NS583 where modules do not fit in order; NS572 for
    another graph; NS584 for a shared layer's weights of which there are two; as `read_weights`. The module
    then is as it was.
    """
    file = read_weights(path)
    if way is None and file.graph not in (None, graph_hash(graph)):
        raise DiagnosticError(OtherGraph(origin=str(path)))
    wanted = tensors_of(module, graph)
    tensors, unwrapped = _unwrapped(file.tensors, wanted)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if way == "order":
        alignment = by_order(shapes, wanted, is_sorted=file.is_sorted)
    else:
        alignment = by_name(shapes, wanted)
    taken = Taken(str(path), alignment, way is not None, (*file.remarks, *unwrapped))
    try:
        if way == "order":
            taken = taken._replace(warnings=_judged(taken, shapes, file.is_sorted))
        _hold_together(taken, wanted, tensors)
        chosen = _chosen(alignment, wanted, tensors)
        remarks = _conversions(chosen, module)
        load(module, chosen, str(path))
    except DiagnosticError as error:
        raise Misaligned(taken, *error.diagnostics) from error
    return taken._replace(remarks=(*taken.remarks, *remarks))


def _unwrapped(tensors: Tensors, wanted: Wanted) -> tuple[Tensors, list[str]]:
    """The tensors without what wrappers put into their names, and words on what was left out."""
    taken = {part for name in wanted.shapes for part in name.split(".")}
    remarks = []
    if COMPILED not in taken:
        plain = {name.replace(f"{COMPILED}.", ""): tensor for name, tensor in tensors.items()}
        if plain.keys() != tensors.keys() and len(plain) == len(tensors):
            tensors = plain
            remarks.append(f"left {COMPILED}. out of the names, which torch.compile puts there")
    if PARALLEL not in taken and tensors and all(name.startswith(f"{PARALLEL}.") for name in tensors):
        tensors = {name.removeprefix(f"{PARALLEL}."): tensor for name, tensor in tensors.items()}
        remarks.append(f"left the prefix {PARALLEL}. out of every name, which DataParallel puts there")
    return tensors, remarks


def _judged(taken: Taken, given: Iterable[str], is_sorted: bool) -> tuple[Diagnostic, ...]:
    """A warning where modules are listed out of order; raises for what does not fit or is left to chance."""
    alignment, origin = taken.alignment, taken.origin
    if not alignment.fits:
        raise DiagnosticError(_other_order(alignment, origin))
    if is_sorted:
        if doubt := doubtful(alignment):
            first, second = (_sides(pair) for pair in doubt)
            fault = DoubtfulOrder(origin=origin, first=first[0], second=second[0], layer=first[1])
            raise DiagnosticError(fault)
        return ()
    if swapped := out_of_order(alignment, given):
        (earlier, earlier_layer), (later, later_layer) = (_sides(pair) for pair in swapped)
        return (
            Interleaved(
                origin=origin,
                earlier=earlier,
                earlier_layer=earlier_layer,
                later=later,
                later_layer=later_layer,
            ),
        )
    return ()


def _other_order(alignment: Alignment, origin: str) -> OtherOrder:
    differing = [pair for pair in alignment.pairs if not pair.fits]
    notes = [Note(_difference(pair)) for pair in differing[:DIFFERENCES_SHOWN]]
    if len(differing) > len(notes):
        notes.append(Note(f"and {len(differing) - len(notes):,} more"))
    return OtherOrder(
        origin=origin,
        count=len(differing),
        total=len(alignment.pairs),
        first=" and ".join(side for side in _sides(differing[0]) if side),
        notes=tuple(notes),
    )


def _sides(pair: Pair) -> tuple[str, str]:
    """The names of both modules; empty where there is none."""
    given, wanted = ("" if group is None else group.shown for group in pair)
    return given, wanted


def _difference(pair: Pair) -> str:
    given, wanted = pair
    if given is None:
        assert wanted is not None, "a pair has a side"
        return f"nothing is left for {wanted.shown}, which needs {wanted.tensors}"
    if wanted is None:
        return f"{given.shown} is left over: {given.tensors}"
    return f"{given.shown} has {given.tensors}, where {wanted.shown} needs {wanted.tensors}"


def _hold_together(taken: Taken, wanted: Wanted, tensors: Tensors) -> None:
    """Raise where the file has other weights for a layer that shares another's."""
    source = {row.wanted: row.given for row in taken.alignment.rows() if row.given is not None}
    for name, shared in wanted.shared.items():
        own, other = source.get(name), source.get(shared)
        if own is not None and other is not None and not _are_equal(tensors[own], tensors[other]):
            layer, owner = (key.rpartition(".")[0] for key in (name, shared))
            raise DiagnosticError(
                SharedDiffers(
                    origin=taken.origin, own=printable(own), shared=printable(other), layer=layer, owner=owner
                )
            )


def _are_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def _chosen(alignment: Alignment, wanted: Wanted, tensors: Tensors) -> Tensors:
    """The file's tensors under the network's names; by name also those that it has no place for."""
    if alignment.way == "name":
        return {name: tensor for name, tensor in tensors.items() if name not in wanted.shared}
    chosen: Tensors = {}
    for given, ours in alignment.pairs:
        if given is not None and ours is not None and ours.shares is None:
            chosen |= {ours.key(suffix): tensors[given.key(suffix)] for suffix in ours.shapes}
            if ours.key(COUNTER) in wanted.shapes and given.key(COUNTER) in tensors:
                chosen[ours.key(COUNTER)] = tensors[given.key(COUNTER)]
    return chosen


def _conversions(chosen: Tensors, module: nn.Module) -> list[str]:
    """Words on the tensors whose numbers the network has in another width."""
    wanted = module.state_dict()
    pairs = Counter(
        (dtype_text(tensor), dtype_text(wanted[name]))
        for name, tensor in chosen.items()
        if name in wanted and tensor.is_floating_point() and tensor.dtype != wanted[name].dtype
    )
    return [
        f"converted {count:,} {'tensor' if count == 1 else 'tensors'} from {given} to {needed}"
        for (given, needed), count in pairs.items()
    ]
