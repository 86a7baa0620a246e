"""Optimizers beside SGD and Adam."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from netspec.language.training.choice import Choice
from netspec.language.training.optimizers.base import Optimizer
from netspec.ops.arguments import Bool, Expected, Float, NonNegativeFloat, PositiveFloat, Probability, listed


def _shrinks_and_grows(etas: tuple[float, float]) -> tuple[float, float]:
    if not 0 < etas[0] < 1 < etas[1]:
        raise ValueError("not below and above 1")
    return etas


Etas = Annotated[
    tuple[PositiveFloat, PositiveFloat],
    BeforeValidator(listed, json_schema_input_type=tuple[PositiveFloat, PositiveFloat]),
    AfterValidator(_shrinks_and_grows),
    Expected("two numbers, the first between 0 and 1 and the second above 1", "a positive number"),
]


def _ordered(sizes: tuple[float, float]) -> tuple[float, float]:
    if sizes[0] > sizes[1]:
        raise ValueError("not in order")
    return sizes


StepSizes = Annotated[
    tuple[PositiveFloat, PositiveFloat],
    BeforeValidator(listed, json_schema_input_type=tuple[PositiveFloat, PositiveFloat]),
    AfterValidator(_ordered),
    Expected("the least and the greatest size of a step", "a positive number"),
]


class Adagrad(Optimizer):
    """Steps that shrink with all gradients so far."""

    lr: NonNegativeFloat = 1e-2
    lr_decay: NonNegativeFloat = 0.0
    initial_accumulator_value: NonNegativeFloat = 0.0
    eps: NonNegativeFloat = 1e-10


class Adadelta(Optimizer):
    """Steps in the ratio of the running sizes of step and gradient."""

    lr: NonNegativeFloat = 1.0
    rho: Probability = 0.9
    eps: NonNegativeFloat = 1e-6


class RMSprop(Optimizer):
    """The gradient over its running root mean square."""

    lr: NonNegativeFloat = 1e-2
    alpha: NonNegativeFloat = 0.99
    eps: NonNegativeFloat = 1e-8
    momentum: NonNegativeFloat = 0.0
    centered: Bool = False


class ASGD(Optimizer):
    """Stochastic gradient descent that also averages the weights."""

    lr: NonNegativeFloat = 1e-2
    lambd: Float = 1e-4
    alpha: Float = 0.75
    t0: Float = 1e6


class Rprop(Choice):
    """Steps by the gradient's sign alone; for whole sets, not batches."""

    lr: NonNegativeFloat = 1e-2
    maximize: Bool = False
    etas: Etas = (0.5, 1.2)
    step_sizes: StepSizes = (1e-6, 50.0)
