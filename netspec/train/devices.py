"""Which device trains, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.train.distributed import World


class NoDevice(Diagnostic):
    """A GPU was asked for where torch finds none."""

    code = "NS475"
    message = "there is no {device} to train on: {reason}"

    device: str
    reason: str

    @property
    def help(self) -> str:
        return "train on the CPU with --device cpu, or see `netspec doctor`"


class TrainingOutOfMemory(Diagnostic):
    """A batch that the device's memory does not hold."""

    code = "NS476"
    message = "the memory of {device} does not hold a step on {batch} examples"

    device: str
    batch: int

    @property
    def help(self) -> str:
        return (
            "halve it with --set train.batch_size={half} and double train.accumulate, which gives the same "
            "steps; or set train.precision to bf16"
        )

    @property
    def half(self) -> int:
        return max(self.batch // 2, 1)


class SyncNeedsGpus(Diagnostic):
    """Batch normalisation over several processes, which torch has on GPUs only."""

    code = "NS477"
    message = "torch synchronises batch normalisation on GPUs only, and this trains on {device}"

    device: str

    @property
    def help(self) -> str:
        return "train with --set train.sync_batch_norm=false, or on GPUs"


def choose_device(asked: str, world: World) -> torch.device:
    """The device of this process: `auto` is the GPU where there is one.

    Errors: NS475 where the device that was asked for is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cpu" or (asked == "auto" and count == 0):
        return torch.device("cpu")
    if count == 0:
        built = torch.version.cuda is not None
        reason = "torch finds no CUDA device" if built else "this torch is built for the CPU alone"
        raise DiagnosticError(NoDevice(device=asked, reason=reason))
    if world.local_rank >= count:
        reason = f"process {world.local_rank} of this machine needs one of its own, and it has {count}"
        raise DiagnosticError(NoDevice(device="cuda", reason=reason))
    device = torch.device("cuda", world.local_rank)
    torch.cuda.set_device(device)
    return device


@contextmanager
def memory_faults(device: torch.device, batch: int) -> Iterator[None]:
    """In here what torch says of too little memory becomes NS476."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise DiagnosticError(TrainingOutOfMemory(device=device.type, batch=batch)) from error
    except RuntimeError as error:
        # The CPU's allocator has no exception of its own.
        if "DefaultCPUAllocator" not in str(error) and "not enough memory" not in printable(str(error)):
            raise
        raise DiagnosticError(TrainingOutOfMemory(device=device.type, batch=batch)) from error
