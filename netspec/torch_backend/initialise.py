"""Drawing weights, deterministic under a seed."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.graph import Distribution, InitRule, Node, Values


class CannotDraw(Diagnostic):
    """A distribution whose arguments torch refuses, or warns that it cannot do justice to."""

    code = "NS574"
    message = "{rule} cannot draw {parameter} of layer {layer}: {reason}"

    rule: str
    parameter: str
    layer: str
    reason: str

    @property
    def help(self) -> str:
        return "give the distribution other arguments in `init`"


@contextmanager
def reproducible() -> Iterator[None]:
    """In here torch makes and draws float32 on the CPU whatever the caller set, and forgets it afterwards."""
    dtype = torch.get_default_dtype()
    state = torch.get_rng_state()
    try:
        torch.set_default_dtype(torch.float32)
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_rng_state(state)


def stream(seed: int, name: str) -> int:
    """The seed of everything that is drawn for one layer."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1


def drawn(node: Node, seed: int) -> nn.Module:
    """A layer's module with its weights drawn; call it inside `reproducible`."""
    # The CPU's generator alone: torch.manual_seed would seed the GPUs' too.
    torch.default_generator.manual_seed(stream(seed, node.name))
    module = node.op.build(*node.input_types)
    parameters = dict(module.named_parameters())
    for name, rule in node.init.items():
        try:
            _fill(parameters[name], rule)
        except (RuntimeError, ValueError, ArithmeticError, UserWarning) as error:
            rule_name = rule.name if isinstance(rule, Distribution) else "the literal"
            fault = CannotDraw(rule=rule_name, parameter=name, layer=node.name, reason=_first_line(error))
            raise DiagnosticError(fault.at(node.span)) from error
    return module


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


@torch.no_grad()
def _fill(parameter: nn.Parameter, rule: InitRule) -> None:
    if isinstance(rule, Values):
        values = torch.tensor(rule.numbers, dtype=parameter.dtype, device=parameter.device)
        parameter.copy_(values.reshape(rule.shape))
        return
    assert isinstance(rule, Distribution)
    fill = getattr(nn.init, f"{rule.name}_")
    with warnings.catch_warnings():
        # torch warns where a truncated normal cannot be drawn as it should be.
        warnings.simplefilter("error", UserWarning)
        fill(parameter, **rule.arguments)
