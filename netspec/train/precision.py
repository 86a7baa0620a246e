"""The arithmetic of a training step: float32, TF32, or half precision under autocast."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch.amp import GradScaler

from netspec.ir.training import Precision

HALF: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """In here the forward pass runs in half precision where torch finds that safe, if it was asked for."""
    if precision not in HALF:
        return nullcontext()
    # Its cache of cast weights would keep those of a CUDA graph's first replay.
    return torch.autocast(device.type, dtype=HALF[precision], cache_enabled=False)


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
