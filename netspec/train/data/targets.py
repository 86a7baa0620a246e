"""What an output should be: classes or numbers, as the loss wants them, held against the output's shape."""

from __future__ import annotations

import math

import numpy as np

from netspec.diagnostics import Advised, Diagnostic, DiagnosticError, printable
from netspec.ir.graph import Graph, GraphOutput
from netspec.ir.tensor import Shape
from netspec.ir.training import Training
from netspec.train.data.examples import Data
from netspec.train.losses import OF_CLASSES
from netspec.verify.tolerance import Array

OF_SHARES = frozenset({"bce_with_logits"})
"""Losses whose targets lie from 0 to 1."""


class ClassesDiffer(Diagnostic):
    """The network tells apart more or fewer classes than the data set has."""

    code = "NS453"
    message = "{name} has {classes} classes, but the output {output} has {got}"

    name: str
    classes: int
    output: str
    got: int

    @property
    def help(self) -> str:
        return "give the last layer {classes} outputs"


class LabelOutOfRange(Diagnostic):
    """A class that the output has no place for."""

    code = "NS457"
    message = "the label {number} in {name} is none of the {classes} classes of the output {output}"

    number: int
    name: str
    classes: int
    output: str

    @property
    def help(self) -> str:
        return "classes count from 0 to {last}; ignore_index of the loss names one to leave out"

    @property
    def last(self) -> int:
        return self.classes - 1


class TargetsMisfit(Advised):
    """Targets of another shape than the output's."""

    code = "NS455"
    message = "each target of {name} is {got}, but the loss {loss} of the output {output} wants {expected}"

    name: str
    got: str
    loss: str
    output: str
    expected: str


class ClassesForNumbers(Diagnostic):
    """Classes for a loss that compares numbers."""

    code = "NS458"
    message = "{name} has classes, but the loss {loss} compares numbers"

    name: str
    loss: str

    @property
    def help(self) -> str:
        return "write loss: cross_entropy, or give one number for each element of the output"


class NumbersForClasses(Advised):
    """Real numbers for a loss of classes."""

    code = "NS460"
    message = "{name} has {got} numbers to predict, but the loss {loss} wants classes"

    name: str
    got: str
    loss: str


class LabelsDiffer(Diagnostic):
    """More or fewer labels in the spec than classes in the data set."""

    code = "NS466"
    message = "the output {output} has {got} labels, but {name} has {classes} classes"

    output: str
    got: int
    name: str
    classes: int

    @property
    def help(self) -> str:
        return "give one label for each class, in the order of the data set: {names}"

    names: str


class SharesOutOfRange(Diagnostic):
    """Targets beyond 0 to 1 for a loss of shares."""

    code = "NS467"
    message = "the targets of {name} reach from {least:g} to {greatest:g}, but the loss {loss} wants 0 to 1"

    name: str
    least: float
    greatest: float
    loss: str


class MovedAway(Diagnostic):
    """Images that augmentation moves under targets that stay."""

    code = "NS468"
    message = "augment moves images, but the targets of {name} belong to pixels: each is {got}"

    name: str
    got: str

    @property
    def help(self) -> str:
        return "leave out augment"


def fit_targets(targets: Array, data: Data, graph: Graph, training: Training) -> Array:
    """Classes (N, ...) as int64, or numbers (N, ...) as float32 of the output's shape.

    Errors: NS453, NS455, NS457, NS458, NS460, NS466 to NS468.
    """
    output = next(entry for entry in graph.outputs if entry.name == training.output)
    if training.loss.name in OF_CLASSES:
        return _classes(targets, data, output, training)
    return _numbers(targets, data, output, training)


def _classes(targets: Array, data: Data, output: GraphOutput, training: Training) -> Array:
    name, shape = printable(data.name), output.value.type.known
    classes = shape[1] if len(shape) > 1 and isinstance(shape[1], int) else None
    _check_names(data, output, classes, training)
    if targets.dtype.kind not in "iub":
        advice = "store them as integers"
        if targets.ndim == 2 and targets.shape[1] == classes:
            advice = "store the number of each one's class: y.argmax(axis=1)"
        dtype, loss = str(targets.dtype), training.loss.name
        reals = NumbersForClasses(name=name, got=dtype, loss=loss, advice=advice)
        raise DiagnosticError(reals.at(training.loss.span))
    if len(shape) == 2 and targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if not _agree(targets.shape[1:], shape[2:]):
        one_hot = targets.ndim == 2 and targets.shape[1] == classes
        advice = "store the number of each one's class: y.argmax(axis=1)" if one_hot else ""
        raise DiagnosticError(_misfit(targets, data, output, training, shape[2:], advice))
    _check_still(targets, data, training)
    counted = targets.astype(np.int64, copy=False)
    ignored = training.loss.arguments.get("ignore_index")
    foreign = (counted < 0) | (counted >= (classes if classes is not None else np.inf))
    if ignored is not None:
        foreign &= counted != ignored
    if classes is not None and foreign.any():
        number = int(targets[foreign].flat[0])
        fault = LabelOutOfRange(number=number, name=name, classes=classes, output=output.name)
        raise DiagnosticError(fault)
    return counted


def _check_names(data: Data, output: GraphOutput, classes: int | None, training: Training) -> None:
    """The data set's classes are as many as the output's, and as the labels that the spec gives it."""
    if data.classes is None:
        return
    name, has = printable(data.name), len(data.classes)
    if classes is not None and has != classes:
        fault = ClassesDiffer(name=name, classes=has, output=output.name, got=classes)
        raise DiagnosticError(fault.at(training.data.span))
    if output.labels is not None and len(output.labels) != has:
        names = ", ".join(printable(each) for each in data.classes[:20])
        labels = LabelsDiffer(output=output.name, got=len(output.labels), name=name, classes=has, names=names)
        raise DiagnosticError(labels.at(output.span))


def _numbers(targets: Array, data: Data, output: GraphOutput, training: Training) -> Array:
    name, loss, shape = printable(data.name), training.loss.name, output.value.type.known[1:]
    each = math.prod(targets.shape[1:])
    fixed = tuple(size for size in shape if isinstance(size, int))
    wanted = math.prod(fixed) if len(fixed) == len(shape) else None
    fits = _agree(targets.shape[1:], shape)
    if not fits and each == wanted and _squeezed(targets.shape[1:]) == _squeezed(shape):
        targets, fits = targets.reshape(len(targets), *fixed), True
    if not fits:
        is_class = data.classes is not None or (targets.dtype.kind in "iub" and each == 1)
        if is_class:
            raise DiagnosticError(ClassesForNumbers(name=name, loss=loss).at(training.loss.span))
        raise DiagnosticError(_misfit(targets, data, output, training, shape, ""))
    _check_still(targets, data, training)
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(targets.astype(np.float32, copy=False))
    if loss in OF_SHARES and numbers.size and (numbers.min() < 0 or numbers.max() > 1):
        least, greatest = float(numbers.min()), float(numbers.max())
        fault = SharesOutOfRange(name=name, least=least, greatest=greatest, loss=loss)
        raise DiagnosticError(fault.at(training.loss.span))
    return numbers


def _agree(got: tuple[int, ...], wanted: Shape) -> bool:
    """Whether sizes are those of a shape, of which any may be symbolic."""
    if len(got) != len(wanted):
        return False
    return all(size == length for size, length in zip(wanted, got, strict=True) if isinstance(size, int))


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _misfit(
    targets: Array, data: Data, output: GraphOutput, training: Training, expected: Shape, advice: str
) -> TargetsMisfit:
    inside = ", ".join(map(str, expected))
    return TargetsMisfit(
        name=printable(data.name),
        got=_shown(targets.shape[1:]),
        loss=training.loss.name,
        output=output.name,
        expected=f"({inside})" if expected else "one number",
        advice=advice,
        span=training.loss.span,
    )


def _shown(shape: tuple[int, ...]) -> str:
    return str(shape) if shape else "one number"


def _check_still(targets: Array, data: Data, training: Training) -> None:
    """Targets of pixels would have to be moved as their images are."""
    moved = training.augment.flip or training.augment.crop
    if moved and targets.ndim > 2:
        fault = MovedAway(name=printable(data.name), got=_shown(targets.shape[1:]))
        raise DiagnosticError(fault.at(training.entries.get("augment", training.span)))
