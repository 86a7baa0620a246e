"""`train:` held against the network: its output, its inputs, and what the loss can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.diagnostics import Advised, Collector, Diagnostic, Note, Severity, nearest, spell
from netspec.ir.dim import Bounds
from netspec.ir.graph import GraphInput, GraphOutput, Node
from netspec.ir.tensor import DType
from netspec.ir.training import Named, Training
from netspec.language.training.batches import batch_faults
from netspec.language.training.kinds import CONFUSION_LIMIT, METRICS
from netspec.language.training.loading import Planned
from netspec.language.training.targets import classes_of, loss_faults
from netspec.language.validation import WrongValue
from netspec.ops.base import Weight


class UnknownOutput(Diagnostic):
    """`output` of `train` names no output of the network."""

    code = "NS405"
    message = "the network has no output {name}"

    name: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "it has {known}"


class MetricMisfit(Advised):
    """A metric that says nothing of what is trained."""

    code = "NS408"
    message = "{metric} cannot be measured: {reason}"

    metric: str
    reason: str


class NothingToTrain(Diagnostic):
    """`train:` of a network in which no layer has weights."""

    code = "NS410"
    message = "there is nothing to train: no layer of the network has weights"


class HalfWeights(Diagnostic):
    """Float16 by two ways at once: gradients are scaled for weights of float32."""

    code = "NS414"
    message = "fp16 is for weights of float32, and those of {layer} are float16 already"

    layer: str

    @property
    def help(self) -> str:
        return "write precision: float32, which leaves types as they are; or give the inputs dtype: float32"


class LongWarmup(Diagnostic):
    """A learning rate that is still rising when the training ends."""

    code = "NS412"
    message = "the learning rate rises for {warmup} epochs, and the training has {epochs}"
    severity = Severity.WARNING

    warmup: str
    epochs: int


def fitted(
    planned: Planned,
    inputs: Sequence[GraphInput],
    outputs: Sequence[GraphOutput],
    nodes: Sequence[Node],
    bounds: Mapping[str, Bounds],
    collector: Collector,
) -> Training | None:
    """How the network is trained; None, and diagnostics, where that does not go with it.

    Errors: NS405 to NS410, NS413, NS414, and NS204 for numbers that do not go with others; NS411 and NS412
    are warnings.
    """
    output = _output(planned, outputs, collector)
    loss = planned.chosen.get("loss")
    section = planned.section
    if output is not None and loss is not None:
        collector.extend(loss_faults(planned, loss, output, nodes))
    if output is not None and "batch_size" not in planned.wrong:
        place = planned.value_place("batch_size")
        collector.extend(batch_faults(section.batch_size, place, inputs, output, bounds))
    if "batch_size" not in planned.wrong and any("Norm" in type(node.op).__name__ for node in nodes):
        from netspec.language.training.normalising import normalising_faults

        place = planned.value_place("batch_size")
        collector.extend(normalising_faults(section.batch_size, place, inputs, nodes))
    if section.augment is not None:
        from netspec.language.training.augment import augment_faults

        place = planned.value_place("augment")
        collector.extend(fault.at(place) for fault in augment_faults(planned.augment, inputs, output))
    collector.extend(_metric_faults(planned, loss, output))
    collector.extend(_schedule_faults(planned))
    if collector.failed:
        return None
    trained = {node.name: (node, weight) for node in nodes for weight in _trained(node)}
    if not trained:
        collector.add(NothingToTrain().at(planned.place))
        return None
    half = next((node for node, weight in trained.values() if weight.dtype is DType.FLOAT16), None)
    if section.precision == "fp16" and half is not None:
        note = Note("the layer is here", half.span)
        collector.add(HalfWeights(layer=half.name).at(planned.value_place("precision"), note))
        return None
    assert output is not None
    return _training(planned, output)


def _trained(node: Node) -> Iterator[Weight]:
    return (weight for weight in node.op.weights(*node.input_types) if weight.trained)


def _output(planned: Planned, outputs: Sequence[GraphOutput], collector: Collector) -> GraphOutput | None:
    """The output that the loss reads."""
    if "output" in planned.wrong:
        return None
    asked = planned.section.output
    if asked is None:
        return outputs[0]
    known = {output.name: output for output in outputs}
    if asked not in known:
        unknown = UnknownOutput(name=spell(asked), suggestion=nearest(asked, known), known=tuple(known))
        collector.add(unknown.at(planned.value_place("output")))
    return known.get(asked)


def _metric_faults(
    planned: Planned, loss: Named | None, output: GraphOutput | None
) -> Iterator[MetricMisfit]:
    """Metrics that the loss does not go with."""
    if loss is None or planned.section.metrics is None:
        return
    places = planned.tree.find(("metrics",)).items
    classes = None if output is None else classes_of(output)
    for metric, item in zip(planned.section.metrics, places, strict=False):
        if metric not in METRICS.get(loss.name, ()):
            reason = f"{loss.name} is a loss of numbers, not of classes"
            advice = "remove it: the loss itself is always measured; or write loss: cross_entropy"
            yield MetricMisfit(metric=metric, reason=reason, advice=advice).at(item.span)
        elif metric == "top5" and classes is not None and classes <= 5:
            reason = f"it would always be right, since there are {classes} classes"
            yield MetricMisfit(metric=metric, reason=reason, advice="write accuracy").at(item.span)
        elif metric == "per_class" and classes is not None and classes > CONFUSION_LIMIT:
            reason = f"there are {classes:,} classes, more than {CONFUSION_LIMIT:,}"
            yield MetricMisfit(metric=metric, reason=reason, advice="write accuracy").at(item.span)


def _schedule_faults(planned: Planned) -> Iterator[Diagnostic]:
    """Numbers of the schedule that do not go with the optimizer's, or with the epochs."""
    schedule, optimizer = planned.chosen.get("schedule"), planned.chosen.get("optimizer")
    if schedule is None:
        return
    least = schedule.arguments.get("min_lr")
    if optimizer is not None and least is not None and least > optimizer.arguments["lr"]:
        greatest = spell(optimizer.arguments["lr"])
        expected = f"at most the learning rate, which is {greatest}"
        place = planned.tree.find(("schedule", schedule.name, "min_lr")).span
        yield WrongValue(key="min_lr", expected=expected, got=spell(least), span=place)
    epochs, warmup = planned.section.epochs, schedule.arguments["warmup"]
    if "epochs" not in planned.wrong and warmup > epochs:
        place = planned.tree.find(("schedule", schedule.name, "warmup")).span
        yield LongWarmup(warmup=f"{warmup:g}", epochs=epochs).at(place)


def _training(planned: Planned, output: GraphOutput) -> Training:
    section, chosen = planned.section, planned.chosen
    metrics = METRICS.get(chosen["loss"].name, ())[:1] if section.metrics is None else section.metrics
    schedule, optimizer = chosen["schedule"], chosen["optimizer"]
    if schedule.arguments.get("max_lr", 0) is None:
        rate = {"max_lr": optimizer.arguments["lr"]}
        schedule = schedule._replace(arguments={**schedule.arguments, **rate})
    return Training(
        data=chosen["data"],
        epochs=section.epochs,
        batch_size=section.batch_size,
        optimizer=optimizer,
        schedule=schedule,
        loss=chosen["loss"],
        metrics=tuple(dict.fromkeys(metrics)),
        precision=section.precision,
        augment=planned.augment,
        clip=section.clip,
        accumulate=section.accumulate,
        ema=section.ema,
        seed=section.seed,
        validate_on=section.validate_on,
        sync_batch_norm=section.sync_batch_norm,
        output=output.name,
        span=planned.place,
        entries=planned.entries,
    )
