"""The stage that trains: data in, a run's folder out, and at its end a verified model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.ir.graph import Graph
from netspec.ir.training import Training
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import save_weights
from netspec.train import distributed, records
from netspec.train.assembling import NoTraining, Options, Parts, assemble, differing, identity
from netspec.train.checkpoint import Checkpoint, CheckpointForeign, Checkpoints
from netspec.train.compiling import compile_faults
from netspec.train.data.examples import Data, Examples, Stream
from netspec.train.data.opening import open_data, split
from netspec.train.data.streaming import worker_faults
from netspec.train.devices import choose_device, memory_faults
from netspec.train.distributed import World
from netspec.train.environment import environment, write_environment
from netspec.train.loop import Listener, Loop, NotFinite, Position, Stopped
from netspec.train.nonfinite import explain
from netspec.train.precision import arithmetic, precision_faults
from netspec.train.records import EpochRecord
from netspec.train.run_folder import RunFolder
from netspec.train.stopping import Stop, heeded

if TYPE_CHECKING:
    from netspec.pipeline import Checked, Progress
    from netspec.torch_backend.alignment import Way
    from netspec.train.tensorboard import Writer


@dataclass(frozen=True)
class Run:
    """A training that came to its end, or was stopped by the signal `stopped`."""

    folder: RunFolder
    graph: Graph
    data: Data
    judged: Examples | Stream | None
    """What the network is judged on: the test set, or what was held out."""
    device: torch.device
    records: tuple[EpochRecord, ...]
    warnings: tuple[Diagnostic, ...]
    stopped: int | None = None
    is_first: bool = True
    """Whether this process is the one that writes."""

    @property
    def best(self) -> EpochRecord | None:
        """The epoch whose weights are the best."""
        return records.best(self.records)


def train(
    checked: Checked,
    *,
    data_dir: Path,
    out: Path,
    name: str | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    weights: Path | None = None,
    weights_map: Way | None = None,
    options: Options,
    listener: Listener,
    progress: Progress,
) -> Run:
    """Train a checked spec's network as its `train:` says, into the folder `out/name`.

    `device` is auto, cpu or cuda. With `resume` a run goes on from its newest checkpoint, or begins where
    there is none; `overwrite` removes an older run of that name first. `weights` is a file to begin from, as
    for `build`. In every process of several all of this happens alike; the first one writes.

    Errors: DiagnosticError for everything that is the spec's, the data's, the disk's or the machine's fault.
    """
    graph = checked.graph
    training = graph.training
    if training is None:
        raise DiagnosticError(NoTraining(spec=graph.name))
    world = distributed.from_environment()
    chosen = choose_device(device, world)
    folder = RunFolder(out, graph.name if name is None else name, graph.name)
    with distributed.joined(world, chosen), _opened(folder, world, resume, overwrite):
        if not world.is_first:
            distributed.wait(world)  # the first process fetches what is missing
        data = open_data(graph, training, data_dir, progress=progress, download=options.download)
        if world.is_first:
            distributed.wait(world)
        progress("making the network", 0.0)
        module = _begin(graph, training, weights, weights_map)
        run = _Run(graph, training, data, folder, chosen, world, resume)
        with (
            memory_faults(chosen, training.batch_size),
            precision_faults(training.precision, chosen),
            worker_faults(),
            compile_faults(),
        ):
            return run.go(module, options, listener)


@contextmanager
def _opened(folder: RunFolder, world: World, resume: bool, overwrite: bool) -> Iterator[None]:
    """The run's folder, held by the first process."""
    if not world.is_first:
        distributed.wait(world)
        yield
        return
    with folder.open(resume=resume, overwrite=overwrite):
        distributed.wait(world)
        yield


def _begin(graph: Graph, training: Training, weights: Path | None, weights_map: Way | None) -> nn.Module:
    """The module with the weights that training begins from, drawn or given."""
    if weights is None:
        return build(graph, seed=training.seed)
    from netspec.torch_backend.given_weights import take

    module = build(graph, device="meta")
    take(module, graph, weights, weights_map)
    return module


@dataclass
class _Run:
    """One run in one process."""

    graph: Graph
    training: Training
    data: Data
    folder: RunFolder
    device: torch.device
    world: World
    resume: bool
    writer: Writer | None = None

    def go(self, module: nn.Module, options: Options, listener: Listener) -> Run:
        checkpoints, stop = Checkpoints(self.folder.checkpoints), Stop()
        parts = self._parts()
        found, warnings = checkpoints.newest() if self.resume else (None, [])
        if found is not None:
            self._check(found, parts)
        loop = assemble(
            self.graph,
            self.training,
            module,
            self.data,
            parts,
            self.device,
            self.world,
            options,
            listener,
            stop,
            checkpoints if self.world.is_first else None,
            lambda record, is_best: self._finished(module, record, is_best),
        )
        start = Position() if found is None else self._loaded(loop, found)
        kept = self._prepare(start)
        if options.tensorboard and self.world.is_first:
            from netspec.train.tensorboard import TensorBoard

            self.writer = TensorBoard(self.folder.tensorboard, after=start.epoch)
        stopped = self._run(loop, start, checkpoints)
        if self.writer is not None:
            self.writer.close()
        written = records.read(self.folder.metrics) if self.world.is_first else kept
        judged = self.data.test or parts.validation
        told = (*self.data.notices, *warnings)
        return Run(
            self.folder,
            self.graph,
            self.data,
            judged,
            self.device,
            tuple(written),
            told,
            stopped,
            self.world.is_first,
        )

    def _parts(self) -> Parts:
        training = self.training
        if training.validate_on == "test":
            return Parts(self.data.train, self.data.test)
        return Parts(*split(self.data.train, training.validate_on, training.seed))

    def _check(self, found: Checkpoint, parts: Parts) -> None:
        """Refuse a checkpoint of another run."""
        ours = identity(self.graph, self.training, self.data, parts.train)
        others = differing(ours, found.facts.get("identity", {}))
        if others:
            named = {"network": "the network", "examples": "the data set"}
            raise self._foreign(", ".join(named.get(key, f"train.{key}") for key in others))

    def _loaded(self, loop: Loop, found: Checkpoint) -> Position:
        """The state of a checkpoint that says that it is this run's, in place."""
        try:
            return loop.load(found)
        except torch.OutOfMemoryError:
            raise
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise self._foreign("what it holds") from error

    def _foreign(self, what: str) -> DiagnosticError:
        path = printable(str(self.folder.checkpoints))
        return DiagnosticError(CheckpointForeign(path=path, what=what))

    def _prepare(self, start: Position) -> list[EpochRecord]:
        """What lies in the folder before the first step."""
        if not self.world.is_first:
            return []
        seeds = {"weights": self.training.seed, "order": self.training.seed}
        write_environment(self.folder.environment, environment(self.device, seeds, processes=self.world.size))
        self.folder.write_spec(self.graph)
        return records.keep_until(self.folder.metrics, start.epoch)

    def _run(self, loop: Loop, start: Position, checkpoints: Checkpoints) -> int | None:
        """Train to the end; gives the signal that stopped it, if one did."""
        try:
            with arithmetic(self.training.precision, self.device), heeded(loop.stop):
                loop.run(start)
        except Stopped as stopped:
            return stopped.number
        except NotFinite as fault:
            loop.checkpoints = checkpoints
            with arithmetic(self.training.precision, self.device):
                raise DiagnosticError(explain(loop, self.graph, fault.position)) from fault
        return None

    def _finished(self, module: nn.Module, record: EpochRecord, is_best: bool) -> None:
        """Write down an epoch: its weights first, so that what the record speaks of is there."""
        if not self.world.is_first:
            return
        if is_best:
            save_weights(module, self.graph, self.folder.best_weights)
        save_weights(module, self.graph, self.folder.last_weights)
        records.append(self.folder.metrics, record)
        if self.writer is not None:
            self.writer.epoch(record)
