"""Batches of examples, in an order that is a function of (seed, epoch), on the device of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from netspec.train.data.examples import Examples, Stream
from netspec.train.distributed import World
from netspec.train.seeding import order
from netspec.verify.tolerance import Array

ON_DEVICE = 0.5
"""The part of the device's free memory that a data set may take."""


Admits = Callable[[int], bool]
"""Whether a network trains on so many examples at once."""


def any_number(count: int) -> bool:
    """Of a network that takes whatever there is."""
    return True


class Batch(NamedTuple):
    """One process' part of a batch: raw inputs and targets.

    `whole` counts the examples of the optimizer's step that it belongs to, over all batches and processes.
    `weight` is 0 where a process has no part of a small last batch and an example stands in for it.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    whole: int
    weight: float = 1.0


class Plan:
    """Which examples each batch has: cut from a permutation, each batch shared out among the processes.

    Of the last batch so many are left out that the network `admits` what each process has of it.
    """

    def __init__(
        self,
        count: int,
        size: int,
        world: World,
        *,
        seed: int | None,
        admits: Admits = any_number,
        accumulate: int = 1,
    ) -> None:
        self.size = size
        self._count, self._world, self._seed, self._accumulate = count, world, seed, accumulate
        last = count % size
        while last and not shares_admitted(last, world, admits):
            last -= 1
        self._used = count - count % size + last
        self.steps = -(-self._used // size)

    def indices(self, epoch: int) -> Tensor:
        """The examples of an epoch in their order; that of the data set without a seed."""
        if self._seed is None:
            return torch.arange(self._used)
        return order(self._count, self._seed, epoch)[: self._used]

    def length(self, batch: int) -> int:
        """How many examples a batch of the epoch has, over all processes."""
        return min(self.size, self._used - batch * self.size)

    def whole(self, batch: int) -> int:
        """How many examples the optimizer's step has that a batch belongs to."""
        first = batch // self._accumulate * self._accumulate
        return min(self.size * self._accumulate, self._used - first * self.size)

    def updates(self, batch: int) -> bool:
        """Whether the optimizer takes its step after a batch."""
        return (batch + 1) % self._accumulate == 0 or batch + 1 == self.steps

    def own(self, batch: int) -> slice:
        """This process' part of a batch, of the epoch's indices."""
        start, length, world = batch * self.size, self.length(batch), self._world
        first, end = (length * rank // world.size for rank in (world.rank, world.rank + 1))
        return slice(start + first, start + end)


def shares_admitted(length: int, world: World, admits: Admits) -> bool:
    """Whether every process can train on its part of so many examples; one without a part runs on one."""
    return all(admits(max(share, 1)) for share in {length // world.size, -(-length // world.size)})


class Batches(Protocol):
    """Where the loop gets its batches from."""

    plan: Plan

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from the one numbered `start`."""
        ...


class Resident:
    """Examples that lie on the device as bytes: a batch is gathered there, without a copy from the host."""

    def __init__(self, examples: Examples, plan: Plan, device: torch.device) -> None:
        self.inputs = tuple(torch.from_numpy(array).to(device) for array in examples.inputs)
        self.targets = torch.from_numpy(examples.targets).to(device)
        self.plan = plan
        self._device = device

    def gather(self, chosen: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The raw inputs and targets of the examples at `chosen`, indices on the device."""
        return tuple(x.index_select(0, chosen) for x in self.inputs), self.targets.index_select(0, chosen)

    def order(self, number: int) -> Tensor:
        """The indices of an epoch, on the device."""
        return self.plan.indices(number).to(self._device)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        indices = self.order(number)
        for number in range(start, self.plan.steps):
            own = self.plan.own(number)
            idle = own.start == own.stop
            inputs, targets = self.gather(indices[:1] if idle else indices[own])
            yield Batch(inputs, targets, self.plan.whole(number), 0.0 if idle else 1.0)


class Streamed:
    """Examples that workers read as they are needed, ahead of the network."""

    def __init__(self, stream: Stream, plan: Plan, device: torch.device, workers: int) -> None:
        self.plan = plan
        self._stream, self._device, self._workers = stream, device, workers

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        from netspec.train.data.streaming import streamed

        indices = self.plan.indices(number)
        parts = [self.plan.own(number) for number in range(start, self.plan.steps)]
        chosen = [indices[own] if own.start < own.stop else indices[:1] for own in parts]
        batches = streamed(self._stream, chosen, self._device, workers=self._workers)
        for number, (own, (inputs, targets)) in enumerate(zip(parts, batches, strict=True), start):
            yield Batch(inputs, targets, self.plan.whole(number), float(own.start < own.stop))


def make_batches(
    examples: Examples | Stream,
    size: int,
    device: torch.device,
    world: World,
    *,
    seed: int | None = None,
    workers: int = 0,
    accumulate: int = 1,
    admits: Admits = any_number,
) -> Resident | Streamed:
    """Batches of `size` examples over all processes; in the data set's order if there is no `seed`.

    Of a last batch that the network does not admit as many are left out as need be. Examples too large for
    the device's memory are streamed from the host's.
    """
    plan = Plan(len(examples), size, world, seed=seed, admits=admits, accumulate=accumulate)
    if isinstance(examples, Examples):
        if _fits(examples, device):
            return Resident(examples, plan, device)
        examples = Stream(_Reader(examples), examples.targets, np.arange(len(examples)))
    return Streamed(examples, plan, device, workers)


def _fits(examples: Examples, device: torch.device) -> bool:
    """Whether the device's memory holds the examples and leaves room for the network; the host's does."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return sum(array.nbytes for array in (*examples.inputs, examples.targets)) <= ON_DEVICE * free


class _Reader:
    """Reads examples from the host's memory one by one."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __call__(self, index: int) -> tuple[Array, ...]:
        return tuple(array[index] for array in self._examples.inputs)
