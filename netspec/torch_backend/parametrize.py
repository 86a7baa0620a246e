"""Weights that are computed from other parameters: torch's own parametrizations, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

from netspec.ir.graph import Node


def parametrize(module: nn.Module, node: Node) -> nn.Module:
    """Let a layer's weight be computed as its node says; the module itself, changed."""
    for rule, arguments in node.parametrize.items():
        module = getattr(parametrizations, rule)(module, "weight", **arguments)
    return module


@torch.no_grad()
def computed(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that some part computes from others, by the name that it would have in the state dict.

    Call it in evaluation mode: in training spectral_norm improves its estimate whenever it is asked.
    """
    for name, part in module.named_modules():
        if is_parametrized(part):
            for own in part.parametrizations:
                yield f"{name}.{own}", getattr(part, own).detach()
