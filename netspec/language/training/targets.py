"""What a loss reads: whether the network's output is that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.diagnostics import Advised, Diagnostic, Note, Severity, spell
from netspec.ir.dim import Dim, Unknown
from netspec.ir.graph import GraphOutput, Node
from netspec.ir.training import Named
from netspec.language.training.loading import Planned
from netspec.language.validation import WrongValue

CLASSES = "cross_entropy"
"""The loss that reads classes; the others read numbers."""


class LossMisfit(Advised):
    """A loss that cannot read the network's output."""

    code = "NS406"
    message = "{loss} cannot read the output {output}: {reason}"

    loss: str
    output: str
    reason: str


class ActivatedTwice(Diagnostic):
    """An output that went through what the loss applies itself."""

    code = "NS411"
    message = "{loss} applies {activation} itself, and the output {output} went through it already"
    severity = Severity.WARNING

    loss: str
    activation: str
    output: str

    @property
    def help(self) -> str:
        return "train on what the layer before gives: list it in outputs, and name it with output"


APPLIED = {
    CLASSES: {"Softmax": "a softmax", "Softmax2d": "a softmax"},
    "bce_with_logits": {"Sigmoid": "a sigmoid"},
}


def loss_faults(
    planned: Planned, loss: Named, output: GraphOutput, nodes: Sequence[Node]
) -> Iterator[Diagnostic]:
    """What keeps the loss from reading the output.

    Errors: NS204 for weights of classes, NS406; NS411, a warning.
    """
    shape = output.value.type.shape
    if shape is None:
        return
    reason = advice = ""
    if not output.value.type.dtype.is_floating:
        reason = f"its elements are {output.value.type.dtype}"
        advice = "choose another with output, such as that of the last layer with weights"
    elif loss.name == CLASSES:
        reason, advice = _unlike_classes(shape)
    elif not shape:
        reason, advice = "it is a single number", "a loss compares one row for each example"
    if reason:
        misfit = LossMisfit(loss=loss.name, output=spell(output.name), reason=reason, advice=advice)
        yield misfit.at(loss.span, Note(f"it is {output.value.type}", output.span))
        return
    yield from _weights(planned, loss, output)
    by_name = APPLIED.get(loss.name, {})
    giver = next((node for node in nodes if output.value in node.outputs), None)
    activation = by_name.get(type(giver.op).__name__) if giver is not None else None
    if activation is not None:
        twice = ActivatedTwice(loss=loss.name, activation=activation, output=spell(output.name))
        yield twice.at(loss.span, Note("here", output.span))


def classes_of(output: GraphOutput) -> int | None:
    """How many classes an output tells apart; None where that is not known."""
    shape = output.value.type.shape
    return shape[1] if shape is not None and len(shape) > 1 and isinstance(shape[1], int) else None


def _unlike_classes(shape: tuple[int | Dim | Unknown, ...]) -> tuple[str, str]:
    """Why an output holds no logits of classes, and what to do; empty where it does."""
    if len(shape) < 2:
        return "it has no dimension of classes", "give it the shape (batch, classes)"
    if isinstance(shape[1], Dim):
        advice = "dimension 1 holds the classes: give it a fixed size"
        return f"the number of its classes is {shape[1]}", advice
    if shape[1] == 1:
        return "it has one class", "write loss: bce_with_logits, or give it two classes"
    return "", ""


def _weights(planned: Planned, loss: Named, output: GraphOutput) -> Iterator[Diagnostic]:
    """NS204 where there are more or fewer weights than classes."""
    classes = classes_of(output)
    for argument in ("weight", "pos_weight"):
        given = loss.arguments.get(argument)
        if given is None or classes is None:
            continue
        shape = output.value.type.known
        place = planned.tree.find(("loss", loss.name, argument)).span
        if argument == "pos_weight" and len(shape) != 2:
            expected = f"left out: the output {spell(output.name)} is {output.value.type}"
            yield WrongValue(key=argument, expected=expected, got=spell(list(given)), span=place)
        elif len(given) != classes:
            expected = f"a list of {classes} numbers, one a class"
            yield WrongValue(key=argument, expected=expected, got=spell(list(given)), span=place)
