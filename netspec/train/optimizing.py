"""Optimizers by torch.optim's names, on the fastest of torch's implementations that the device has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn, optim

from netspec.ir.training import Named

FUSED = {"SGD", "Adam", "AdamW", "Adagrad"}
"""Optimizers that torch has as one kernel for all parameters, on the CPU too."""

CAPTURABLE = {"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adadelta", "RMSprop", "ASGD", "Rprop"}
"""Optimizers whose step a CUDA graph can hold, beside fused SGD."""


def make_optimizer(
    named: Named, parameters: Iterable[nn.Parameter], device: torch.device, *, captured: bool = False
) -> optim.Optimizer:
    """The optimizer of a spec over the parameters that learn.

    A step that is `captured` in a CUDA graph reads its learning rate from a tensor.
    """
    kind: type[optim.Optimizer] = getattr(optim, named.name)
    arguments: dict[str, Any] = dict(named.arguments)
    if named.name in FUSED and device.type in ("cpu", "cuda"):
        arguments["fused"] = True
    elif device.type == "cuda":
        arguments["foreach"] = True
    if captured:
        arguments["lr"] = torch.tensor(arguments["lr"], device=device)
        if named.name in CAPTURABLE:
            arguments["capturable"] = True
    optimizer = kind([parameter for parameter in parameters if parameter.requires_grad], **arguments)
    if captured:
        # torch would warn at the first steps, which are eager, that they are.
        optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer


def can_be_captured(named: Named) -> bool:
    """Whether a CUDA graph can hold a step of this optimizer, its learning rate changing."""
    return named.name == "SGD" or named.name in CAPTURABLE


def set_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Give all parameters the learning rate of the coming step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
