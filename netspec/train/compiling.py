"""torch.compile: whether it pays, and what to say where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from netspec.analysis.table import tabulate
from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.ir.graph import Graph
from netspec.ir.training import Training

PAYS = 3e16  # multiply-adds of a run from which compiling, which takes a minute, saves more


class CannotCompile(Diagnostic):
    """A network that torch.compile was asked for and cannot compile here."""

    code = "NS483"
    message = "torch.compile fails: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "torch needs a C++ compiler for it, on a GPU Triton too; or train with --compile off"


def pays(graph: Graph, training: Training, device: torch.device, updates: int) -> bool:
    """Whether a run of so many updates an epoch is long enough for compiling to be worth its minute."""
    if device.type != "cuda":
        return False
    macs = tabulate(graph).macs
    examples = updates * training.batch_size * training.accumulate * training.epochs
    return isinstance(macs, int) and 3 * examples * macs > PAYS  # backwards twice as many again


def compiled(module: nn.Module, *, asked: bool) -> nn.Module:
    """The module compiled, when it first runs; if nobody `asked`, what fails to compile runs as it is."""
    import torch._dynamo

    torch._dynamo.config.suppress_errors = not asked
    made: nn.Module = torch.compile(module)  # type: ignore[assignment]
    return made


@contextmanager
def compile_faults() -> Iterator[None]:
    """In here a failure of torch.compile, which shows in the first step, becomes NS483."""
    try:
        yield
    except RuntimeError as error:
        if "torch._dynamo" not in sys.modules or not _is_compilers(error):
            raise
        reason = printable(str(error).partition("\n")[0])
        raise DiagnosticError(CannotCompile(reason=reason)) from error


def _is_compilers(error: RuntimeError) -> bool:
    return isinstance(error, sys.modules["torch._dynamo"].exc.TorchDynamoException)
