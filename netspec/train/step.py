"""One step of training: forward, loss, backward, update; eagerly, or replayed as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim
from torch.amp import GradScaler
from torch.nn.parallel import DistributedDataParallel

from netspec.ir.dim import Bounds
from netspec.ir.training import Training
from netspec.train.averaging import Average
from netspec.train.batches import Batch, Resident
from netspec.train.distributed import World
from netspec.train.losses import Loss
from netspec.train.metrics import Meter
from netspec.train.precision import autocast
from netspec.verify.inputs import admissible

Prepare = Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]

EAGER_STEPS = 4
"""Steps before one is captured, in which libraries choose algorithms and optimizers make their state."""


@dataclass
class Learner:
    """A network, and all that changes it."""

    plain: nn.Module
    """The network itself."""
    module: nn.Module
    """What trains: the network, or what torch.compile or DistributedDataParallel makes of it."""
    training: Training
    loss: Loss
    optimizer: optim.Optimizer
    scaler: GradScaler
    average: Average | None
    prepare: Prepare
    """Raw training inputs to the network's, augmented."""
    prepare_plainly: Prepare
    """The same without augmentation, for validation."""
    meter: Meter
    bounds: Bounds
    """How many examples the network takes at once."""
    classes: int
    """How many there are, where targets are classes, else 0."""
    ignored: int | None
    """The class of targets for which no answer counts."""
    output: int | None
    """Which of the network's outputs the loss reads; None where it has one."""
    device: torch.device
    world: World

    def forward(self, raw: tuple[Tensor, ...]) -> Tensor:
        """What the loss reads, from raw training inputs."""
        return self._run(self.module, self.prepare(raw))

    def _run(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        with autocast(self.training.precision, self.device):
            outputs = module(*inputs)
        chosen: Tensor = outputs if self.output is None else outputs[self.output]
        return chosen

    def charge(self, raw: tuple[Tensor, ...], targets: Tensor, whole: int, weight: float) -> Tensor:
        """Run the network forwards and backwards over a part of a batch; gives the part's summed loss."""
        outputs = self.forward(raw)
        loss = self.loss(outputs, targets)
        # Batches of one step add their gradients up, and processes average theirs: each is scaled so that the
        # outcome is the gradient of the whole.
        share = weight * (len(targets) / whole if self.is_mean else 1.0) * self.world.size
        self.scaler.scale(loss * share).backward()  # type: ignore[no-untyped-call]
        charged = loss.detach() * (len(targets) * weight if self.is_mean else weight)
        if weight:
            self.meter.add(charged, outputs, targets)
        return charged

    @property
    def is_mean(self) -> bool:
        """Whether the loss is the mean over a batch, rather than the sum."""
        return bool(self.training.loss.arguments.get("reduction", "mean") == "mean")

    @torch.no_grad()
    def judge(self, batch: Batch, meter: Meter) -> None:
        """Count a batch of validation; the network is in evaluation mode."""
        count = len(batch.targets)
        missing = admissible(self.bounds, count) - count
        inputs = tuple(_filled(x, missing) for x in batch.inputs) if missing else batch.inputs
        outputs = self._run(self.plain, self.prepare_plainly(inputs))[:count]
        loss = self.loss(outputs, batch.targets)
        meter.add(loss * count if self.is_mean else loss, outputs, batch.targets)

    def deployed(self) -> AbstractContextManager[None]:
        """In here the network has the weights that it is judged and deployed with."""
        return nullcontext() if self.average is None else self.average.in_place()

    def update(self) -> None:
        """Let the optimizer take its step."""
        if self.training.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.plain.parameters(), self.training.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update()

    def learn(self, batch: Batch, *, updates: bool) -> None:
        """One batch, the last of a step if it `updates`."""
        with nullcontext() if updates else self._alone():
            self.charge(batch.inputs, batch.targets, batch.whole, batch.weight)
        if updates:
            self.update()
            self.optimizer.zero_grad(set_to_none=True)

    def _alone(self) -> AbstractContextManager[None]:
        """In here gradients stay this process' own, to be averaged with the step's last batch."""
        if isinstance(self.module, DistributedDataParallel):
            return self.module.no_sync()
        return nullcontext()


def _filled(x: Tensor, missing: int) -> Tensor:
    """A batch (N, ...) with the last example again, so many times."""
    return torch.cat([x, x[-1:].expand(missing, *x.shape[1:])])


class Captured:
    """The step as a CUDA graph: one launch replays all its kernels, for whose launches small networks wait.

    Whole batches of examples that lie on the device go this way. The graph reads the indices of its batch
    from one tensor, and the learning rate and the seed from where torch keeps them. A step that torch cannot
    capture, such as one that waits for the device, stays eager.
    """

    def __init__(self, learner: Learner, batches: Resident) -> None:
        self._learner, self._batches = learner, batches
        self._chosen = torch.zeros(batches.plan.size, dtype=torch.int64, device=learner.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._is_refused = False
        self._stream = torch.cuda.Stream(learner.device)  # type: ignore[no-untyped-call]
        self._eager = 0

    def learn(self, chosen: Tensor) -> None:
        """One step over the examples at `chosen`, as many as a batch has."""
        self._chosen.copy_(chosen)
        if self._graph is not None:
            self._graph.replay()
        elif self._is_refused or self._eager < EAGER_STEPS:
            self._eager += 1
            self._aside()
        else:
            self._graph = self._capture()
            self._is_refused = self._graph is None
            self.learn(chosen)

    def _aside(self) -> None:
        """An eager step on the stream on which the graph is captured later, as torch wants it."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._whole_step()
            self._learner.optimizer.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(self._stream)

    def _capture(self) -> torch.cuda.CUDAGraph | None:
        """The step's graph, which runs nothing yet; None where torch refuses."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                self._whole_step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            self._learner.optimizer.zero_grad(set_to_none=True)
            return None
        return graph

    def _whole_step(self) -> None:
        inputs, targets = self._batches.gather(self._chosen)
        self._learner.charge(inputs, targets, len(self._chosen), 1.0)
        self._learner.update()
