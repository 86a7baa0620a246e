"""The ways to draw weights: torch.nn.init's functions by their names without the last `_`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from netspec.ir.graph import Distribution, InitRule, Values
from netspec.ops.arguments import Expected, Float, NonNegativeFloat, PositiveInt, Probability


class Rule(BaseModel):
    """The arguments of one distribution, and the ranks of the tensors that it can fill."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    ranks: ClassVar[range] = range(0, 9)


class Uniform(Rule):
    a: Float = 0.0
    b: Float = 1.0


class Normal(Rule):
    mean: Float = 0.0
    std: NonNegativeFloat = 1.0


class TruncatedNormal(Rule):
    mean: Float = 0.0
    std: NonNegativeFloat = 1.0
    a: Float = -2.0
    b: Float = 2.0


class Constant(Rule):
    val: Float


class Plain(Rule):
    """A distribution without arguments."""


class Eye(Rule):
    ranks = range(2, 3)


class Dirac(Rule):
    ranks = range(3, 6)

    groups: PositiveInt = 1


class Xavier(Rule):
    ranks = range(2, 9)

    gain: Float = 1.0


Nonlinearity = Literal[
    "linear", "conv1d", "conv2d", "conv3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"
]


class Kaiming(Rule):
    ranks = range(2, 9)

    a: Float = 0.0
    mode: Annotated[Literal["fan_in", "fan_out"], Expected("fan_in or fan_out")] = "fan_in"
    nonlinearity: Annotated[Nonlinearity, Expected("the name of an activation, such as relu")] = "leaky_relu"


class Sparse(Rule):
    ranks = range(2, 3)

    sparsity: Probability
    std: NonNegativeFloat = 0.01


DISTRIBUTIONS: dict[str, type[Rule]] = {
    "uniform": Uniform,
    "normal": Normal,
    "trunc_normal": TruncatedNormal,
    "constant": Constant,
    "ones": Plain,
    "zeros": Plain,
    "eye": Eye,
    "dirac": Dirac,
    "xavier_uniform": Xavier,
    "xavier_normal": Xavier,
    "kaiming_uniform": Kaiming,
    "kaiming_normal": Kaiming,
    "orthogonal": Xavier,
    "sparse": Sparse,
}


def fits(rule: InitRule, shape: tuple[int, ...]) -> bool:
    """Whether a rule can fill a parameter of this shape."""
    if isinstance(rule, Values):
        return rule.shape == shape
    if len(shape) not in DISTRIBUTIONS[rule.name].ranks:
        return False
    return rule.name != "dirac" or shape[0] % int(rule.arguments["groups"]) == 0


def needs(rule: InitRule) -> str:
    """What a rule asks of the shape that it fills, as messages say it."""
    if isinstance(rule, Values):
        return "write as many numbers, in lists as deep as the shape"
    ranks = DISTRIBUTIONS[rule.name].ranks
    if rule.name == "dirac":
        return "dirac fills the weights of convolutions, whose first size groups must divide"
    if len(ranks) == 1:
        return f"{rule.name} fills tensors of {ranks[0]} dimensions"
    return f"{rule.name} fills tensors of {ranks[0]} or more dimensions; for others write zeros, or normal"


def describe_rule(rule: InitRule) -> str:
    """How messages name a rule."""
    return rule.name if isinstance(rule, Distribution) else f"a literal of shape {rule.shape}"
