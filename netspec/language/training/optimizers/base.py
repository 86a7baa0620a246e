"""What nearly all optimizers take."""

from __future__ import annotations

from netspec.language.training.choice import Choice
from netspec.ops.arguments import Bool, NonNegativeFloat


class Optimizer(Choice):
    """An optimizer that can draw the weights towards zero."""

    lr: NonNegativeFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.0
    maximize: Bool = False
