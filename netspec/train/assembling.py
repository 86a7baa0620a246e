"""A network, its data and its `train:` put together to a loop that can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.ir.training import Named, Training
from netspec.language.training.normalising import trains_on_one
from netspec.train.averaging import Average
from netspec.train.batch_sizes import batch_bounds
from netspec.train.batches import Admits, Batches, Resident, make_batches, shares_admitted
from netspec.train.checkpoint import Checkpoints
from netspec.train.compiling import compiled, pays
from netspec.train.data.examples import Data, Examples, Stream, fingerprint
from netspec.train.devices import SyncNeedsGpus
from netspec.train.distributed import World
from netspec.train.loop import Listener, Loop
from netspec.train.losses import OF_CLASSES, make_loss
from netspec.train.metrics import Meter, ignored_class
from netspec.train.optimizing import can_be_captured, make_optimizer
from netspec.train.precision import make_scaler
from netspec.train.preparing import Prepare
from netspec.train.records import EpochRecord
from netspec.train.schedule import make_schedule
from netspec.train.step import Learner
from netspec.train.stopping import Stop
from netspec.verify.inputs import admissible

EVALUATION_BATCH = 2  # times the training batch: without gradients there is room for more


class Parts(NamedTuple):
    """The examples that a run learns from, and those that it is judged on."""

    train: Examples | Stream
    validation: Examples | Stream | None


class Options(NamedTuple):
    """What a user chooses beside the spec."""

    workers: int = 2
    compile: str = "auto"  # or on, or off
    tensorboard: bool = False
    download: bool = True


def assemble(
    graph: Graph,
    training: Training,
    module: nn.Module,
    data: Data,
    parts: Parts,
    device: torch.device,
    world: World,
    options: Options,
    listener: Listener,
    stop: Stop,
    checkpoints: Checkpoints | None,
    finished: Callable[[EpochRecord, bool], None],
) -> Loop:
    """The loop of a run, from its beginning.

    Errors: NS477, NS478.
    """
    admits = admitted(graph)
    check_shares(training, world, admits)
    batches = make_batches(
        parts.train,
        training.batch_size,
        device,
        world,
        seed=training.seed,
        workers=options.workers,
        accumulate=training.accumulate,
        admits=admits,
    )
    updates = -(-batches.plan.steps // training.accumulate)
    capture = _can_capture(training, batches, device, world)
    learner = _learner(graph, training, module, parts, device, world, options, updates, capture)
    lr = float(training.optimizer.arguments["lr"])
    return Loop(
        learner=learner,
        batches=batches,
        validation=evaluation_batches(parts.validation, graph, training, device, world, options.workers),
        rate=make_schedule(training.schedule, lr, updates, training.epochs),
        epochs=training.epochs,
        identity=identity(graph, training, data, parts.train),
        listener=listener,
        stop=stop,
        checkpoints=checkpoints,
        finished=finished,
        capture=capture,
    )


def prefers_channels_last(module: nn.Module, device: torch.device) -> bool:
    """Whether images are faster with their channels innermost: convolutions are, on the CPU no normalisation.

    Measured on two cores: LeNet and GoogLeNet take 0.75 of the time, BN-LeNet 1.4 times, ResNet-18 as long.
    """
    parts = list(module.modules())
    if not any(isinstance(part, nn.Conv2d) for part in parts):
        return False
    return device.type == "cuda" or not any(isinstance(part, nn.BatchNorm2d) for part in parts)


def evaluation_batches(
    examples: Examples | Stream | None,
    graph: Graph,
    training: Training,
    device: torch.device,
    world: World,
    workers: int,
) -> Batches | None:
    """Examples in their order, in batches for evaluation; None for none."""
    if examples is None:
        return None
    size = admissible(batch_bounds(graph), EVALUATION_BATCH * training.batch_size)
    return make_batches(examples, size, device, world, workers=workers)


def _learner(
    graph: Graph,
    training: Training,
    module: nn.Module,
    parts: Parts,
    device: torch.device,
    world: World,
    options: Options,
    updates: int,
    capture: bool,
) -> Learner:
    number = next(i for i, output in enumerate(graph.outputs) if output.name == training.output)
    classes = 0
    if training.loss.name in OF_CLASSES:
        classes = int(graph.outputs[number].value.type.known[1])  # type: ignore[arg-type]
    channels_last = prefers_channels_last(module, device)
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            part.sparse = False  # fused optimizers, clipping and averages take whole gradients alone
    module.to(device)
    if channels_last:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain, running = module, _synchronised(module, training, device, world)
    asked = options.compile == "on"
    if asked or (options.compile == "auto" and pays(graph, training, device, updates)):
        running = compiled(running, asked=asked)
    if world.size > 1:
        ids = [device.index] if device.type == "cuda" else None
        # Training reads no buffer: the first process' go to all where they are used, not at every step.
        running = DistributedDataParallel(
            running, device_ids=ids, broadcast_buffers=False, gradient_as_bucket_view=True
        )
    ignored = _ignored(training, parts)
    counted = tuple(name for name in training.metrics if name != "per_class")  # that is for validation
    return Learner(
        plain=plain,
        module=running,
        training=training,
        loss=make_loss(training.loss, device),
        optimizer=make_optimizer(training.optimizer, module.parameters(), device, captured=capture),
        scaler=make_scaler(training.precision, device),
        average=None if training.ema is None else Average(plain, training.ema),
        prepare=Prepare(graph, training.augment, channels_last=channels_last),
        prepare_plainly=Prepare(graph, channels_last=channels_last),
        meter=Meter(device, classes, counted, ignored),
        ignored=ignored,
        bounds=batch_bounds(graph),
        classes=classes,
        output=None if len(graph.outputs) == 1 else number,
        device=device,
        world=world,
    )


def _ignored(training: Training, parts: Parts) -> int | None:
    """The class that the loss leaves out, if it is there: looking for it takes time in every step."""
    ignored = ignored_class(training.loss)
    given = (part.targets for part in parts if part is not None)
    return ignored if ignored is not None and any((targets == ignored).any() for targets in given) else None


def admitted(graph: Graph) -> Admits:
    """How many examples the network trains on at once: of one, batch normalisation may see no variance."""
    bounds, one = batch_bounds(graph), trains_on_one(graph.inputs, graph, graph.bounds)
    return lambda count: bounds.admits(count) and (count > 1 or one)


def check_shares(training: Training, world: World, admits: Admits) -> None:
    """Errors: NS478 where a process cannot train on its part of a batch."""
    if not shares_admitted(training.batch_size, world, admits):
        fault = PartTooSmall(batch=training.batch_size, processes=world.size)
        raise DiagnosticError(fault.at(training.entries.get("batch_size", training.span)))


def _synchronised(module: nn.Module, training: Training, device: torch.device, world: World) -> nn.Module:
    """The module with batch normalisation over all processes, if that was asked for and there are several."""
    if not training.sync_batch_norm or world.size == 1:
        return module
    if device.type != "cuda":
        place = training.entries.get("sync_batch_norm")
        raise DiagnosticError(SyncNeedsGpus(device=device.type).at(place))
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    synchronised = convert(module)
    return synchronised


def _can_capture(training: Training, batches: Batches, device: torch.device, world: World) -> bool:
    """Whether a step can be one CUDA graph: the same kernels on the same memory, every time."""
    return (
        device.type == "cuda"
        and world.size == 1
        and isinstance(batches, Resident)
        and training.accumulate == 1
        and training.precision != "fp16"
        and can_be_captured(training.optimizer)
    )


def identity(graph: Graph, training: Training, data: Data, examples: Examples | Stream) -> Mapping[str, Any]:
    """What a checkpoint must share with a run that it is to go on as; JSON gives it back as it is.

    The number of epochs may differ, to train longer, and so may what only watches.
    """
    watching = {"epochs", "metrics", "span", "entries"}
    plan = {key: _plain(value) for key, value in training._asdict().items() if key not in watching}
    return {"network": graph_hash(graph), "data": data.name, "examples": fingerprint(examples), **plan}


def _plain(value: Any) -> Any:
    if isinstance(value, Named):
        return [value.name, _plain(dict(value.arguments))]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The keys by which two identities differ."""
    return [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]


class PartTooSmall(Diagnostic):
    """A batch of which a process has a part that its network cannot train on."""

    code = "NS478"
    message = "each of {processes} processes cannot train on its part of a batch of {batch}"

    batch: int
    processes: int

    @property
    def help(self) -> str:
        return (
            "take fewer processes or larger batches: batch normalisation needs two examples in each, and an "
            "input whose first dimension is fixed can only be trained by one process"
        )


class NoTraining(Diagnostic):
    """A spec that does not say how its network is trained."""

    code = "NS474"
    message = "{spec} does not say how the network is trained"

    spec: str

    @property
    def help(self) -> str:
        return "add a section such as {example}"

    @property
    def example(self) -> str:
        return "train: {data: fashion-mnist, epochs: 10, batch_size: 256, optimizer: {SGD: {lr: 0.1}}}"
