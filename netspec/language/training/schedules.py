"""How the learning rate changes while a network is trained."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from netspec.language.training.choice import Choice
from netspec.ops.arguments import Expected, NonNegativeFloat, PositiveFloat, PositiveInt, listed


def _rising(epochs: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= earlier for earlier, later in pairwise(epochs)):
        raise ValueError("not rising")
    return epochs


_Epochs = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

Milestones = Annotated[
    _Epochs,
    BeforeValidator(listed, json_schema_input_type=_Epochs),
    AfterValidator(_rising),
    Expected("a list of epochs that rise", "a positive integer"),
]

Share = Annotated[float, Field(gt=0, lt=1), Expected("a number between 0 and 1")]


class Schedule(Choice):
    """What all schedules take: the epochs in which the learning rate first rises from 0."""

    warmup: NonNegativeFloat = 0.0


class Constant(Schedule):
    """The optimizer's learning rate throughout."""


class Step(Schedule):
    """Times `gamma` after every `step_size` epochs."""

    step_size: PositiveInt
    gamma: PositiveFloat = 0.1


class MultiStep(Schedule):
    """Times `gamma` after each of the epochs in `milestones`."""

    milestones: Milestones
    gamma: PositiveFloat = 0.1


class Cosine(Schedule):
    """Half a cosine from the optimizer's learning rate down to `min_lr` at the end."""

    min_lr: NonNegativeFloat = 0.0


class OneCycle(Schedule):
    """Up from `max_lr` / `div_factor` to `max_lr`, then down to 1 / `final_div_factor` of the start.

    The rise takes the share `pct_start` of the steps; both ways are half cosines. Without `max_lr` it is the
    optimizer's learning rate.
    """

    max_lr: PositiveFloat | None = None
    pct_start: Share = 0.3
    div_factor: PositiveFloat = 25.0
    final_div_factor: PositiveFloat = 1e4


class Linear(Schedule):
    """A straight line from the optimizer's learning rate down to `min_lr` at the end."""

    min_lr: NonNegativeFloat = 0.0
