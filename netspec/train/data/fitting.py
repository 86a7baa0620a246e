"""A data set made to fit a network: axes added, types given, everything checked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netspec.diagnostics import Advised, Diagnostic, DiagnosticError, printable
from netspec.ir.graph import Graph, GraphInput
from netspec.ir.training import Training
from netspec.train.data.examples import Data, Examples, Stream
from netspec.train.data.integers import fit_integers
from netspec.train.data.targets import fit_targets
from netspec.train.metrics import ignored_class
from netspec.verify.fitting import fits, resizing_advice, with_axes
from netspec.verify.tolerance import Array


class DataMisfit(Advised):
    """Examples of another shape than the network takes."""

    code = "NS451"
    message = "each example of {name} is {got}, but the input {input} is {expected}"

    name: str
    got: str
    input: str
    expected: str


class BatchTooLarge(Diagnostic):
    """A batch of more examples than there are to train on."""

    code = "NS454"
    message = "a batch of {batch:,} needs more than the {examples:,} examples there are to train on"

    batch: int
    examples: int

    @property
    def help(self) -> str:
        return "write batch_size: {examples} or less"


class DataNotFinite(Diagnostic):
    """NaN or infinities among the numbers of a data set, or among what they become in float32."""

    code = "NS456"
    message = "{what} of {name} has {count:,} of {size:,} numbers that are not finite"

    what: str
    name: str
    count: int
    size: int

    @property
    def help(self) -> str:
        return "leave out examples with NaN or infinities; nothing can be learnt from them"


class EmptySet(Diagnostic):
    """No examples."""

    code = "NS459"
    message = "{name} has no examples to {purpose}"

    name: str
    purpose: str


class LengthsDiffer(Diagnostic):
    """Arrays of one data set that count other examples."""

    code = "NS464"
    message = "the arrays of {name} to {purpose} have {lengths} examples"

    name: str
    purpose: str
    lengths: tuple[str, ...]

    @property
    def help(self) -> str:
        return "the first axis of every array counts the examples"


class NothingToValidateOn(Diagnostic):
    """A data set without a test set, where the spec validates on that."""

    code = "NS461"
    message = "{name} has no test set to validate on"

    name: str

    @property
    def help(self) -> str:
        return "hold out a share of the training examples: validate_on: 0.1"


class InputsDiffer(Diagnostic):
    """Not as many arrays an example as the network has inputs."""

    code = "NS462"
    message = "{name} gives {got} an example, but the network takes {expected}"

    name: str
    got: str
    expected: str

    @property
    def help(self) -> str:
        return "data: {{npz: FILE}} has arrays for several inputs: INPUT_train and INPUT_test for each"


PURPOSES = ("train on", "test on")


def fit(data: Data, graph: Graph, training: Training) -> Data:
    """The same data set, arranged as the network takes it.

    Errors: NS451, from NS453 to NS468, and NS479.
    """
    _raise(_faults(data, graph, training))
    parts = [
        None if part is None else _fitted(part, data, purpose, graph, training)
        for part, purpose in zip((data.train, data.test), PURPOSES, strict=True)
    ]
    assert parts[0] is not None, "every data set has something to train on"
    _raise(_batch_faults(len(parts[0]), training))  # again, without those that are ignored
    return data._replace(train=parts[0], test=parts[1])


def _raise(faults: Iterator[Diagnostic]) -> None:
    if found := tuple(faults):
        raise DiagnosticError(*found)


def held_out(count: int, share: float) -> int:
    """How many of so many examples a share of them is: at least one, where that leaves one."""
    return min(max(round(count * share), 1), count - 1)


def _faults(data: Data, graph: Graph, training: Training) -> Iterator[Diagnostic]:
    """What is wrong with the data set before its arrays are looked into."""
    name = printable(data.name)
    for part, purpose in zip((data.train, data.test), PURPOSES, strict=True):
        if part is None:
            continue
        if isinstance(part, Examples):
            if len(part.inputs) != len(graph.inputs):
                yield InputsDiffer(
                    name=name, got=_arrays(len(part.inputs)), expected=_arrays(len(graph.inputs))
                )
            lengths = [len(array) for array in (*part.inputs, part.targets)]
            if len(set(lengths)) > 1:
                shown = tuple(f"{length:,}" for length in lengths)
                yield LengthsDiffer(name=name, purpose=purpose, lengths=shown)
        if len(part) == 0:
            yield EmptySet(name=name, purpose=purpose)
    share = training.validate_on
    if share == "test" and data.test is None:
        yield NothingToValidateOn(name=name).at(training.entries.get("validate_on", training.data.span))
    if share != "test" and len(data.train) == 1:
        yield EmptySet(name=name, purpose="hold out: it has a single one")
    if data.train:
        yield from _batch_faults(len(data.train), training)


def _batch_faults(examples: int, training: Training) -> Iterator[BatchTooLarge]:
    """A batch that needs more than what is left to train on of so many examples."""
    share = training.validate_on
    left = examples if share == "test" else examples - held_out(examples, share)
    if training.batch_size > left:
        fault = BatchTooLarge(batch=training.batch_size, examples=left)
        yield fault.at(training.entries.get("batch_size", training.span))


def _arrays(count: int) -> str:
    return "1 array" if count == 1 else f"{count} arrays"


def _fitted(
    part: Examples | Stream, data: Data, purpose: str, graph: Graph, training: Training
) -> Examples | Stream:
    targets = fit_targets(part.targets, data, graph, training)
    _check_finite(targets, f"what to predict to {purpose}", data)
    part, targets = _counting(part, targets, data, purpose, training)
    if isinstance(part, Stream):
        first = part.read(int(part.indices[0]))
        for array, entry in zip(first, graph.inputs, strict=True):
            _arranged(array[None], entry, data, graph)
        return Stream(part.read, targets, part.indices)
    inputs = tuple(
        _arranged(array, entry, data, graph) for array, entry in zip(part.inputs, graph.inputs, strict=True)
    )
    return Examples(inputs, targets)


def _counting(
    part: Examples | Stream, targets: Array, data: Data, purpose: str, training: Training
) -> tuple[Examples | Stream, Array]:
    """The examples that have a target which the loss does not leave out: a batch of others has no mean."""
    ignored = ignored_class(training.loss)
    if ignored is None:
        return part, targets
    counts = (targets != ignored).reshape(len(targets), -1).any(axis=1)
    if counts.all():
        return part, targets
    if not counts.any():
        raise DiagnosticError(EmptySet(name=printable(data.name), purpose=f"{purpose}: all are ignored"))
    chosen = np.flatnonzero(counts)
    return part.part(chosen), targets[chosen]


def _arranged(array: Array, entry: GraphInput, data: Data, graph: Graph) -> Array:
    """One input's examples (N, ...) with the axes of its type, as bytes or in the dtype to keep them in."""
    type = entry.value.type
    shaped = with_axes(array, type)
    if len(shaped) != len(array):  # taken for a single example: but these are always several
        shaped = array
    rule = entry.preprocess
    seen = shaped.shape
    if rule is not None and rule.resize is not None and shaped.ndim == 4:
        seen = (*seen[:2], *rule.resize)
    if not fits(seen, type, graph.bounds):
        fault = DataMisfit(
            name=printable(data.name),
            got=str(array.shape[1:]),
            input=entry.name,
            expected=str(type),
            advice=_advice(shaped, entry),
        )
        raise DiagnosticError(fault.at(entry.span))
    if not type.dtype.is_floating:
        return fit_integers(shaped, entry, data.name, graph)
    if array.dtype != np.uint8:
        with np.errstate(over="ignore", invalid="ignore"):
            shaped = shaped.astype(np.float32, copy=False)
        _check_finite(shaped, f"the input {entry.name}", data)
    return np.ascontiguousarray(shaped)


def _advice(shaped: Array, entry: GraphInput) -> str:
    type = entry.value.type
    if shaped.ndim == type.rank == 4 and isinstance(type.known[1], int) and shaped.shape[1] != type.known[1]:
        _, channels, *size = shaped.shape
        lengths = entry.preprocess.resize if entry.preprocess and entry.preprocess.resize else size
        first = type.known[0]
        return f"its images have {channels} channels: write [{first}, {channels}, {lengths[0]}, {lengths[1]}]"
    return resizing_advice(shaped, type)


def _check_finite(array: Array, what: str, data: Data) -> None:
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array)
    if not finite.all():
        count = int(array.size - np.count_nonzero(finite))
        fault = DataNotFinite(what=what, name=printable(data.name), count=count, size=array.size)
        raise DiagnosticError(fault)
