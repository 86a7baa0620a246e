"""A module as it is used once it is trained: in evaluation mode and in plain float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from netspec.train.precision import arithmetic


@contextmanager
def evaluating(module: nn.Module, device: torch.device) -> Iterator[None]:
    """In here the module is in evaluation mode, without gradients, autocast and TF32; then as it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with (
            torch.no_grad(),
            torch.autocast(device.type, enabled=False),
            arithmetic("float32", device),
        ):
            yield
    finally:
        for part in training:
            part.training = True
