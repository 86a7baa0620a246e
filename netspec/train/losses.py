"""Losses: what a batch's outputs are charged, by torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from netspec.ir.training import Named

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs (N, ...) and targets to one number, in float32."""

OF_CLASSES = {"cross_entropy"}
"""Losses whose targets are classes."""


def make_loss(named: Named, device: torch.device) -> Loss:
    """The loss of a spec: the mean over the batch, or the sum, as its `reduction` says."""
    arguments = dict(named.arguments)
    for name in ("weight", "pos_weight"):
        if arguments.get(name) is not None:
            arguments[name] = torch.tensor(arguments[name], dtype=torch.float32, device=device)
    function = _FUNCTIONS[named.name]

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        # Half precision is for the network: a sum over thousands of examples loses its digits in it.
        return function(outputs.float(), targets, **arguments)

    return loss


_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": functional.cross_entropy,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": functional.huber_loss,
    "bce_with_logits": functional.binary_cross_entropy_with_logits,
}
