"""Statistics for the normalisations of a network that was not trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.instancenorm import _InstanceNorm


def _norms(module: nn.Module) -> list[_NormBase]:
    """Batch and instance normalisations alike."""
    return [m for m in module.modules() if isinstance(m, _NormBase) and m.track_running_stats]


def has_statistics(module: nn.Module) -> bool:
    """Whether any part of a module keeps running statistics."""
    return bool(_norms(module))


@torch.no_grad()
def calibrate(module: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Set every running mean and variance to those of one batch; all else stays as it was.

    With the statistics that torch begins with (0 and 1) the signal of an untrained network can die out on
    its way, and a check that sees no signal proves nothing.
    """
    norms = _norms(module)
    modes = [(part, part.training) for part in module.modules()]
    momenta = [norm.momentum for norm in norms]
    module.eval()
    hooks = [norm.register_forward_pre_hook(_learn_where_there_is_a_variance) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        # The plain average of all batches, of which there is one, or one a call of a shared layer; instance
        # normalisation knows no such average, and takes the statistics of the last.
        norm.momentum = 1.0 if isinstance(norm, _InstanceNorm) else None
    try:
        module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.zero_()
        for part, training in modes:
            part.training = training


def _learn_where_there_is_a_variance(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Take statistics, unless torch would refuse: of one value per mean, and with an eps of 0.

    Such a norm keeps the statistics that torch begins with.
    """
    assert isinstance(norm, _NormBase)
    (x,) = inputs
    means = x.shape[0] * x.shape[1] if isinstance(norm, _InstanceNorm) else x.shape[1]
    norm.train(x.numel() > means and norm.eps > 0)
