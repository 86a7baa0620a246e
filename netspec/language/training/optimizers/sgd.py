"""Stochastic gradient descent."""

from __future__ import annotations

from netspec.language.training.choice import Disagreement
from netspec.language.training.optimizers.base import Optimizer
from netspec.ops.arguments import Bool, Float, NonNegativeFloat


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked."""

    momentum: NonNegativeFloat = 0.0
    dampening: Float = 0.0
    nesterov: Bool = False

    def disagreement(self) -> Disagreement | None:
        if self.nesterov and self.momentum == 0:
            return Disagreement("nesterov", "false where momentum is 0", "give momentum too, such as 0.9")
        if self.nesterov and self.dampening != 0:
            return Disagreement("nesterov", "false where there is dampening", "leave dampening out")
        return None
