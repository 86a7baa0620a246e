"""Randomness as a function of (seed, step): a run that is resumed anywhere draws what it would have drawn."""

from __future__ import annotations

import torch
from torch import Tensor

_MIX = 0x9E3779B97F4A7C15  # the golden ratio in 64 bits: neighbouring steps get seeds far apart
_MASK = 2**63 - 1


def seed_step(seed: int, step: int, rank: int, device: torch.device) -> None:
    """Seed what a step draws (dropout, augmentation), on the CPU and on the device of the step.

    Two instructions in place of a state: checkpoints hold no generator, and every process has its own draws.
    """
    number = ((seed * 1_000_003 + step) * 65_537 + rank + 1) * _MIX & _MASK
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(number)


def order(count: int, seed: int, epoch: int) -> Tensor:
    """The order (count,) in which an epoch visits the examples."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch + 1) * _MIX & _MASK)
    return torch.randperm(count, generator=generator)
