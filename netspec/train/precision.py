"""The arithmetic of a training step: float32, TF32, or half precision under autocast."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch.amp import GradScaler

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.ir.training import Precision

HALF: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


REFUSED = re.compile("primitive descriptor|not implemented for '(Half|BFloat16)'")
"""What torch says of kernels that it lacks."""


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """In here the forward pass runs in half precision where torch finds that safe, if it was asked for."""
    if precision not in HALF:
        return nullcontext()
    # Its cache of cast weights would keep those of a CUDA graph's first replay.
    return torch.autocast(device.type, dtype=HALF[precision], cache_enabled=False)


class PrecisionRefused(Diagnostic):
    """A layer that torch has not in half precision on the device."""

    code = "NS480"
    message = "torch cannot train this network in {precision} on {device}: {reason}"

    precision: str
    device: str
    reason: str

    @property
    def help(self) -> str:
        return "write precision: float32"


@contextmanager
def precision_faults(precision: Precision, device: torch.device) -> Iterator[None]:
    """In here what torch says of a layer that it lacks in half precision becomes NS480."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        if precision not in HALF or not REFUSED.search(reason):
            raise
        refused = PrecisionRefused(precision=precision, device=device.type, reason=printable(reason))
        raise DiagnosticError(refused) from error


def make_scaler(precision: Precision, device: torch.device) -> GradScaler:
    """Scales the loss so that small gradients survive float16; does nothing in other precisions."""
    return GradScaler(device.type, enabled=precision == "fp16")


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """In here torch's kernels give the same bits every time, and use TF32 only where it was asked for."""
    if device.type != "cuda":
        yield
        return
    # Read when cuBLAS is first used: with it torch's matrix products are the same every time.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark)
    debug = torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    fast = precision == "tf32"
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = fast
        cudnn.deterministic, cudnn.benchmark = True, False
        # Where torch has no deterministic kernel it would rather not run at all; training goes on instead.
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*does not have a deterministic implementation.*")
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before
        torch.set_deterministic_debug_mode(debug)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
