"""The losses that a network can be trained on, with the arguments of their namesakes in torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from netspec.language.training.choice import Choice
from netspec.ops.arguments import Expected, Int, NonNegativeFloat, PositiveFloat, Probability, listed

Reduction = Annotated[Literal["mean", "sum"], Expected("mean or sum")]

_Numbers = Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)]

Weights = Annotated[
    _Numbers,
    BeforeValidator(listed, json_schema_input_type=_Numbers),
    Expected("a list of one number a class", "a number of at least 0"),
]


class Loss(Choice):
    """What all losses take: whether what they give is the mean over the batch, or the sum."""

    reduction: Reduction = "mean"


class CrossEntropy(Loss):
    """Of logits (batch, classes, ...) and classes (batch, ...)."""

    label_smoothing: Probability = 0.0
    weight: Weights | None = None
    ignore_index: Int = -100


class MSE(Loss):
    """The squared differences."""


class L1(Loss):
    """The absolute differences."""


class Huber(Loss):
    """Squared differences up to `delta`, absolute ones beyond."""

    delta: PositiveFloat = 1.0


class BCEWithLogits(Loss):
    """Of logits and probabilities of the same shape, each a decision of its own."""

    pos_weight: Weights | None = None
