"""Adam and what was made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from netspec.language.training.optimizers.base import Optimizer
from netspec.ops.arguments import Bool, Expected, NonNegativeFloat, listed

_Decay = Annotated[float, Field(ge=0, lt=1)]

Betas = Annotated[
    tuple[_Decay, _Decay],
    BeforeValidator(listed, json_schema_input_type=tuple[_Decay, _Decay]),
    Expected("two numbers of at least 0 and below 1", "a number of at least 0 and below 1"),
]


class Moments(Optimizer):
    """An optimizer that keeps running means of the gradient and of its square."""

    betas: Betas = (0.9, 0.999)
    eps: NonNegativeFloat = 1e-8


class Adam(Moments):
    """Adam: steps in units of the gradient's running size."""

    amsgrad: Bool = False
    decoupled_weight_decay: Bool = False


class AdamW(Moments):
    """Adam whose weight decay acts on the weights themselves."""

    weight_decay: NonNegativeFloat = 0.01
    amsgrad: Bool = False


class NAdam(Moments):
    """Adam with Nesterov's momentum."""

    lr: NonNegativeFloat = 2e-3
    momentum_decay: NonNegativeFloat = 4e-3
    decoupled_weight_decay: Bool = False


class RAdam(Moments):
    """Adam that is careful while it has seen few gradients."""

    decoupled_weight_decay: Bool = False


class Adamax(Moments):
    """Adam by the greatest gradient instead of the mean square."""

    lr: NonNegativeFloat = 2e-3
