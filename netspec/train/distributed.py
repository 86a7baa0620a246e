"""Several processes that train one network, as torchrun starts them: a rank each, one of them the first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from netspec.diagnostics import Diagnostic, DiagnosticError, printable


class World(NamedTuple):
    """How many processes there are, and which of them this is; on each machine they count from 0 too."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0


ALONE = World()

LOST = re.compile(r"\bgloo\b|connection (was )?(closed|reset|refused)|broken pipe", re.IGNORECASE)
"""What torch says where the process at the other end is gone."""


class PeerLost(Diagnostic):
    """One of several processes that train together ended, and the others cannot go on."""

    code = "NS482"
    message = "a process that trains along was lost: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "see what that process says; then begin all of them again with --resume"


def from_environment() -> World:
    """The world that torchrun describes in the environment; ALONE without it."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return ALONE
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return World(rank, size, int(os.environ.get("LOCAL_RANK", rank)))


@contextmanager
def joined(world: World, device: torch.device) -> Iterator[None]:
    """In here the processes know each other: by NCCL on GPUs, by Gloo on CPUs.

    Errors: NS482 where another process ends.
    """
    if world.size == 1:
        yield
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    bound = device if device.type == "cuda" else None
    distributed.init_process_group(backend, device_id=bound)
    try:
        with peer_faults():
            yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def peer_faults() -> Iterator[None]:
    """In here what torch says of a lost process becomes NS482."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and not LOST.search(str(error)):
            raise
        raise DiagnosticError(PeerLost(reason=printable(str(error).partition("\n")[0]))) from error


def summed(tensor: Tensor, world: World) -> Tensor:
    """The tensor's sum over all processes, in each of them."""
    if world.size > 1:
        tensor = tensor.clone()
        distributed.all_reduce(tensor)
    return tensor


def any_of(flag: bool, world: World, device: torch.device) -> bool:
    """Whether any process says so; every one must ask."""
    if world.size == 1:
        return flag
    return bool(summed(torch.tensor([float(flag)], device=device), world).item())


def share_buffers(module: nn.Module, world: World) -> None:
    """Give every process the first one's buffers: each has counted running statistics of its own batches."""
    if world.size > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)


def wait(world: World) -> None:
    """Until every process is here."""
    if world.size > 1:
        distributed.barrier()
