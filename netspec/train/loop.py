"""The loop: epochs of batches, validation after each, checkpoints; the same on every device."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from netspec.train.batches import Batch, Batches, Resident
from netspec.train.checkpoint import Checkpoint, Checkpoints, load_optimizer, optimizer_state, prefixed
from netspec.train.distributed import any_of, share_buffers
from netspec.train.metrics import EXAMPLES, LOSS, Meter
from netspec.train.optimizing import set_rate
from netspec.train.records import EpochRecord, score_of
from netspec.train.schedule import Rate
from netspec.train.seeding import seed_step
from netspec.train.step import Captured, Learner
from netspec.train.stopping import Stop
from netspec.train.watching import Watch

SAVE_EVERY = 300.0  # seconds between checkpoints within an epoch
LOOK_EVERY = 0.1  # seconds between looks at the meter
AGREE_EVERY = 20  # batches between the moments at which several processes agree to stop


class Position(NamedTuple):
    """Where a run stands: the batch that comes next."""

    epoch: int = 0
    batch: int = 0


class Stopped(Exception):
    """A signal ended the run after a step, which is saved."""

    def __init__(self, number: int, position: Position) -> None:
        super().__init__(number)
        self.number = number
        self.position = position


class NotFinite(Exception):
    """The loss became NaN or infinite at some batch before this position."""

    def __init__(self, position: Position) -> None:
        super().__init__(position)
        self.position = position


class Listener(Protocol):
    """Hears how a run goes."""

    def batch(self, epoch: int, done: float, figures: Mapping[str, float], speed: float) -> None:
        """Now and then within an epoch: the part of it that is done, figures so far, examples a second."""

    def epoch(self, record: EpochRecord) -> None:
        """After every epoch, when it is validated and saved."""


class Unheard:
    """A listener for a caller that wants none."""

    def batch(self, epoch: int, done: float, figures: Mapping[str, float], speed: float) -> None:
        pass

    def epoch(self, record: EpochRecord) -> None:
        pass


@dataclass
class Loop:
    """One run of a learner over its batches."""

    learner: Learner
    batches: Batches
    validation: Batches | None
    rate: Rate
    epochs: int
    identity: Mapping[str, Any]
    """What must be the same for a checkpoint to be this run's."""
    listener: Listener
    stop: Stop
    checkpoints: Checkpoints | None = None
    """Where to save; None in a process that does not write."""
    finished: Callable[[EpochRecord, bool], None] = lambda record, is_best: None
    """Called after each epoch, with the network's best weights in place where `is_best`."""
    capture: bool = False
    best: float | None = None
    _captured: Captured | None = field(default=None, init=False)
    _saved: float = field(default=0.0, init=False)

    def run(self, start: Position) -> None:
        """Train from `start` to the end.

        Errors: Stopped after a signal, NotFinite where the loss is no number.
        """
        self._saved = monotonic()
        if start == Position():
            self.save(start)
        for epoch in range(start.epoch, self.epochs):
            self.epoch(epoch, start.batch if epoch == start.epoch else 0)
            number, learner = self.stop.number, self.learner
            if any_of(number is not None, learner.world, learner.device):
                raise Stopped(number or 15, Position(epoch + 1))

    # --- one epoch ---------------------------------------------------------------------------------------

    def epoch(self, epoch: int, first: int) -> None:
        """One epoch from its batch `first`, with all that follows it."""
        learner, plan = self.learner, self.batches.plan
        if first == 0:
            learner.meter.reset()
        watch, began, looked = Watch(learner.meter), perf_counter(), 0.0
        seen = sum(plan.length(number) for number in range(first))
        before = seen
        for number in self.steps(epoch, first):
            seen += plan.length(number)
            now = perf_counter()
            if now - looked >= LOOK_EVERY:
                looked = now
                self._look(watch, Position(epoch, number + 1), (seen - before) / (now - began))
            self._heed(Position(epoch, number + 1))
        trained = learner.meter.read(learner.world)
        seconds = perf_counter() - began
        end = Position(epoch + 1, 0)
        if not (math.isfinite(trained["loss"]) and self._is_sound()):
            raise NotFinite(end)
        with self.learner.deployed():
            validated, _ = self.validate()
            score = score_of(validated or trained)
            is_best = score is not None and (self.best is None or score > self.best)
            record = EpochRecord(
                epoch=epoch + 1,
                step=(epoch + 1) * self._updates,
                seconds=seconds,
                examples_per_second=(seen - before) / seconds,
                learning_rate=self.rate((epoch + 1) * self._updates - 1),
                train=trained,
                validation=validated,
            )
            self.best = score if is_best else self.best
            self.finished(record, is_best)
        self.save(end)
        self.listener.epoch(record)

    def steps(self, epoch: int, first: int) -> Iterator[int]:
        """Learn from the batches of an epoch, one an iteration; gives their numbers."""
        batches, plan = self.batches, self.batches.plan
        if not (self.capture and isinstance(batches, Resident)):
            for number, batch in enumerate(batches.epoch(epoch, first), first):
                self.begin(epoch, number)
                self.learner.learn(batch, updates=plan.updates(number))
                yield number
            return
        if self._captured is None:
            self._captured = Captured(self.learner, batches)
        indices = batches.order(epoch)
        for number in range(first, plan.steps):
            self.begin(epoch, number)
            chosen = indices[plan.own(number)]
            if len(chosen) == plan.size:
                self._captured.learn(chosen)
            else:
                # The graph keeps the memory of its gradients; these are others.
                self.learner.optimizer.zero_grad(set_to_none=True)
                self.learner.learn(Batch(*batches.gather(chosen), plan.whole(number)), updates=True)
            yield number

    @property
    def _updates(self) -> int:
        """Steps of the optimizer an epoch."""
        return -(-self.batches.plan.steps // self.learner.training.accumulate)

    def begin(self, epoch: int, number: int) -> None:
        """What a batch depends on beside the state: its seed and its learning rate."""
        learner = self.learner
        drawn = epoch * self.batches.plan.steps + number
        seed_step(learner.training.seed, drawn, learner.world.rank, learner.device)
        set_rate(learner.optimizer, self.rate(self.step_of(epoch, number)))

    def step_of(self, epoch: int, number: int) -> int:
        """Which of the run's optimizer steps a batch belongs to, from 0."""
        return epoch * self._updates + number // self.learner.training.accumulate

    def _look(self, watch: Watch, position: Position, speed: float) -> None:
        totals = watch.totals()
        if totals is None:
            return
        if not math.isfinite(totals[LOSS]):
            # Alone a process stops here; of several all find the same at the epoch's end.
            if self.learner.world.size == 1:
                raise NotFinite(position)
            return
        if totals[EXAMPLES]:
            figures = self.learner.meter.values(totals)
            self.listener.batch(position.epoch, position.batch / self.batches.plan.steps, figures, speed)

    def _heed(self, position: Position) -> None:
        """Save and stop after a signal; save now and then in a long epoch."""
        world, plan = self.learner.world, self.batches.plan
        if not plan.updates(position.batch - 1) or position.batch == plan.steps:
            return  # the gradients of half a step are not saved; the end of an epoch saves by itself
        if world.size > 1 and position.batch % AGREE_EVERY:
            return
        number = self.stop.number
        if any_of(number is not None, world, self.learner.device):
            self._save_if_sound(position)
            raise Stopped(number or 15, position)
        if any_of(monotonic() - self._saved > SAVE_EVERY, world, self.learner.device):
            self._save_if_sound(position)

    # --- validation --------------------------------------------------------------------------------------

    @torch.no_grad()
    def validate(self, batches: Batches | None = None) -> tuple[dict[str, float], Tensor | None]:
        """Figures and the confusion matrix on the validation set, or on other batches; ({}, None) without."""
        batches = batches or self.validation
        learner = self.learner
        if batches is None:
            return {}, None
        share_buffers(learner.plain, learner.world)
        meter = Meter(learner.device, learner.classes, learner.training.metrics, learner.ignored)
        learner.plain.eval()
        try:
            for batch in batches.epoch(0):
                if batch.weight:
                    learner.judge(batch, meter)
        finally:
            learner.plain.train()
        return meter.read(learner.world), meter.confusion(learner.world)

    # --- state -------------------------------------------------------------------------------------------

    def _is_sound(self) -> bool:
        """Whether every weight is finite."""
        tensors = [p.detach() for p in self.learner.plain.parameters()]
        return all(bool(flag) for flag in torch.stack([torch.isfinite(t).all() for t in tensors]).tolist())

    def _save_if_sound(self, position: Position) -> None:
        if not self._is_sound():
            raise NotFinite(position)
        self.save(position)

    def save(self, position: Position) -> None:
        """Write a checkpoint."""
        self._saved = monotonic()
        if self.checkpoints is None:
            return
        learner = self.learner
        state, plain = optimizer_state(learner.optimizer)
        tensors = {
            **prefixed("model", learner.plain.state_dict()),
            **prefixed("optimizer", state),
            **prefixed("meter", learner.meter.state()),
        }
        if learner.average is not None:
            tensors |= prefixed("average", learner.average.state())
        facts = {
            "identity": dict(self.identity),
            "epoch": position.epoch,
            "batch": position.batch,
            "best": self.best,
            "optimizer": plain,
            "scaler": learner.scaler.state_dict(),
        }
        self.checkpoints.save(Checkpoint(tensors, facts), position.epoch, position.batch)

    def load(self, checkpoint: Checkpoint) -> Position:
        """Take a checkpoint's state; gives where it stands.

        Errors: KeyError, RuntimeError, TypeError, ValueError where it is that of another run.
        """
        learner, facts = self.learner, checkpoint.facts
        learner.plain.load_state_dict(checkpoint.part("model"))
        load_optimizer(learner.optimizer, checkpoint.part("optimizer"), facts["optimizer"])
        learner.meter.load(checkpoint.part("meter"))
        if learner.average is not None:
            learner.average.load(checkpoint.part("average"))
        if facts["scaler"]:
            learner.scaler.load_state_dict(facts["scaler"])
        self.best = None if facts["best"] is None else float(facts["best"])
        return Position(int(facts["epoch"]), int(facts["batch"]))
