"""Batches that worker processes read ahead of the network."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.train.data.examples import Stream

PR_SET_PDEATHSIG = 1
"""Linux's request for a signal when the parent dies."""

AHEAD = 4
"""Batches that each worker reads ahead."""


class WorkerLost(Diagnostic):
    """A process that reads data ended without being asked to."""

    code = "NS469"
    message = "a process that reads data was lost: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "most often memory ran out: use fewer --workers, or a smaller batch_size"


class Failed(NamedTuple):
    """What a worker sends in place of a batch that it cannot read."""

    diagnostics: tuple[Diagnostic, ...]


class Reading:
    """The batches of a stream, read whole, as workers do it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __getitems__(self, positions: list[int]) -> tuple[Tensor, ...] | Failed:
        """The raw inputs (B, ...) of the examples at some positions."""
        try:
            examples = [self._stream.read(int(self._stream.indices[position])) for position in positions]
        except DiagnosticError as error:
            return Failed(error.diagnostics)
        return tuple(torch.from_numpy(np.stack(arrays)) for arrays in zip(*examples, strict=True))


def streamed(
    stream: Stream, batches: Sequence[Tensor], device: torch.device, *, workers: int
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """Raw inputs and targets on the device, for each batch's positions (B,) in turn.

    `workers` processes read ahead, in order; none where it is 0. To a GPU copies overlap with its work. The
    processes end with the iterator, and with this process.

    Errors: what reading an example gives; NS469.
    """
    on_gpu = device.type == "cuda"
    with warnings.catch_warnings():
        # Forking a process of several threads, of which Python warns: the workers call nothing of theirs.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        loader: DataLoader[object] = DataLoader(
            Reading(stream),  # type: ignore[arg-type]
            batch_sampler=[batch.tolist() for batch in batches],
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=on_gpu,
            prefetch_factor=AHEAD if workers else None,
            worker_init_fn=partial(_serve, os.getpid()) if workers else None,
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
            generator=torch.Generator(),  # the network's draws stay its own
        )
        iterator = iter(loader)
    targets = torch.from_numpy(stream.targets)
    for batch in batches:
        inputs = _next(iterator)
        chosen = targets[batch]
        if on_gpu:
            chosen = chosen.pin_memory()
        yield (
            tuple(array.to(device, non_blocking=True) for array in inputs),
            chosen.to(device, non_blocking=True),
        )


def _next(iterator: Iterator[object]) -> tuple[Tensor, ...]:
    try:
        read = next(iterator)
    except RuntimeError as error:
        lost = lost_worker(error)
        if lost is None:
            raise
        raise DiagnosticError(lost) from error
    if isinstance(read, Failed):
        raise DiagnosticError(*read.diagnostics)
    assert isinstance(read, tuple | list), "a batch is one array an input"
    return tuple(read)


def lost_worker(error: RuntimeError) -> WorkerLost | None:
    """What torch reports of a worker's end, which can reach the main thread wherever it is; else None."""
    first = str(error).partition("\n")[0]
    return WorkerLost(reason=printable(first)) if first.startswith("DataLoader worker") else None


@contextmanager
def worker_faults() -> Iterator[None]:
    """In here what torch says of a lost worker becomes NS469, wherever it says it."""
    try:
        yield
    except RuntimeError as error:
        lost = lost_worker(error)
        if lost is None:
            raise
        raise DiagnosticError(lost) from error


def _as_it_is(batch: object) -> object:
    return batch


def _serve(parent: int, worker: int) -> None:
    """Begin a worker's life, which ends with its parent's, however that ends.

    What a terminal sends to all its processes at once is for the parent, which ends the others.
    """
    if sys.platform == "linux":
        # torch's own watch may wait for a queue that nobody reads; the kernel does not.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it was gone before the kernel was asked
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
