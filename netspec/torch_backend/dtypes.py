"""Element types and arrays at torch's edge."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from netspec.ir.tensor import DType


def torch_dtype(dtype: DType) -> torch.dtype:
    """torch's element type of the same name."""
    found = getattr(torch, dtype.value)
    assert isinstance(found, torch.dtype)
    return found


def array_of(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A tensor of the CPU as an array that shares its memory; bfloat16 is as ml_dtypes has it."""
    if tensor.dtype is not torch.bfloat16:
        return tensor.numpy()
    import ml_dtypes

    return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def tensor_of(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """An array as a tensor that shares its memory. Nothing may write to it where the array is read-only."""
    is_bfloat16 = array.dtype.name == DType.BFLOAT16
    with warnings.catch_warnings():
        # Weights are mapped from files and cannot be written; torch warns that it could.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        tensor = torch.from_numpy(array.view(np.int16) if is_bfloat16 else array)
    return tensor.view(torch.bfloat16) if is_bfloat16 else tensor
