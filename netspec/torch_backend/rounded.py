"""Functions of torch with the constants inside them as an ONNX file has them: rounded to float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SELU_ALPHA = float(np.float32(1.6732632423543773))
SELU_GAMMA = float(np.float32(1.0507009873554805))
SIXTH = float(np.float32(1 / 6))


def selu(x: Tensor) -> Tensor:
    """gamma (max(x, 0) + alpha (exp(min(x, 0)) - 1))."""
    return SELU_GAMMA * torch.where(x > 0, x, SELU_ALPHA * torch.expm1(x))


def hardsigmoid(x: Tensor) -> Tensor:
    """x / 6 + 1 / 2, held between 0 and 1."""
    return torch.clamp(SIXTH * x + 0.5, 0, 1)


def leaky_relu(slope: float) -> Callable[[Tensor], Tensor]:
    """x where it is positive, the rounded slope times x elsewhere."""
    rounded = float(np.float32(slope))
    return lambda x: functional.leaky_relu(x, rounded)


def rms_norm(module: nn.Module, eps: float) -> Callable[[Tensor], Tensor]:
    """What an RMSNorm without an eps computes in its own type, in any type."""
    assert isinstance(module, nn.RMSNorm)
    return lambda x: functional.rms_norm(x, list(module.normalized_shape), module.weight, eps)
