"""Drawing weights, deterministic under a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from netspec.ir.graph import Distribution, InitRule, Node, Values


@contextmanager
def seeded() -> Iterator[None]:
    """Leaves torch's random state as it was, whatever is drawn inside."""
    with torch.random.fork_rng(devices=[]):
        yield


def stream(seed: int, name: str) -> int:
    """The seed of everything that is drawn for one layer."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1


def initialise(node: Node, seed: int) -> nn.Module:
    """A layer's module with its weights drawn; call it inside `seeded`."""
    torch.manual_seed(stream(seed, node.name))
    module = node.op.build(*node.input_types)
    parameters = dict(module.named_parameters())
    for name, rule in node.init.items():
        _fill(parameters[name], rule)
    return module


@torch.no_grad()
def _fill(parameter: nn.Parameter, rule: InitRule) -> None:
    if isinstance(rule, Values):
        values = torch.tensor(rule.numbers, dtype=parameter.dtype, device=parameter.device)
        parameter.copy_(values.reshape(rule.shape))
        return
    assert isinstance(rule, Distribution)
    fill = getattr(nn.init, f"{rule.name}_")
    fill(parameter, **rule.arguments)
