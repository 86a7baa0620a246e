"""Element types at torch's edge."""

from __future__ import annotations

import torch

from netspec.ir.tensor import DType


def torch_dtype(dtype: DType) -> torch.dtype:
    """torch's element type of the same name."""
    found = getattr(torch, dtype.value)
    assert isinstance(found, torch.dtype)
    return found
