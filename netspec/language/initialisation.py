"""`init`: how weights are drawn. The distributions are torch.nn.init's, by their names without the last `_`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from netspec.diagnostics import Collector, Diagnostic, nearest, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.graph import Distribution, InitRule, Values
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import WrongValue, argument_faults, quoted
from netspec.ops.arguments import Expected, Float, NonNegativeFloat, PositiveInt, Probability
from netspec.ops.base import Weight

LITERAL_LIMIT = 1_000_000  # numbers in one literal


class Rule(BaseModel):
    """The arguments of one distribution, and the ranks of the tensors that it can fill."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )

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


class UnknownDistribution(Diagnostic):
    """A word that names no way to draw weights, no operation and no parameter."""

    code = "NS223"
    message = "{name} is no way to draw weights"

    name: str
    suggestion: str | None

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "there are {known}"

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(DISTRIBUTIONS)


class NothingToDraw(Diagnostic):
    """A rule for a parameter that the layer does not have."""

    code = "NS228"
    message = "{op} has no parameter {parameter} to draw"

    op: str
    parameter: str
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        return "it has {known}" if self.known else "it has no parameters at all"


class CannotFill(Diagnostic):
    """A rule that does not fit the shape of the parameter."""

    code = "NS229"
    message = "{rule} cannot fill {parameter}, whose shape is {shape}"

    rule: str
    parameter: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule and where it is written."""

    rule: InitRule
    tree: Tree


@dataclass(frozen=True)
class Plan:
    """What one `init` says: of every layer, of operations, and of the parameters of this layer."""

    general: Placed | None = None
    by_operation: Mapping[str, Mapping[str, Placed]] | None = None
    by_parameter: Mapping[str, Placed] | None = None

    def find(self, operation: str, weight: Weight, owns_matrix: bool) -> Placed | None:
        """The rule for a parameter of an operation, if this plan has one.

        A rule for a whole operation or layer is for its weights, of two dimensions or more; of an operation
        that has none such (BatchNorm2d), for the parameter called `weight`.
        """
        if self.by_parameter is not None and weight.name in self.by_parameter:
            return self.by_parameter[weight.name]
        meant = len(weight.shape) >= 2 or (not owns_matrix and weight.name == "weight")
        of_operation = (self.by_operation or {}).get(operation, {})
        if weight.name in of_operation:
            return of_operation[weight.name]
        if meant and "" in of_operation:
            return of_operation[""]
        return self.general if len(weight.shape) >= 2 else None


def load_plan(tree: Tree, resolver: Resolver, collector: Collector, *, of_step: bool) -> Plan:
    """The plan of an `init`: one rule for all, or a mapping by operation, or for a step by parameter.

    Errors: NS204, NS206, NS207 for arguments; NS205 for operations; NS223 for other words.
    """
    value = tree.value
    if not isinstance(value, dict) or (len(value) == 1 and next(iter(value)) in DISTRIBUTIONS):
        rule = _rule(tree, resolver, collector)
        return Plan(general=rule)
    by_operation: dict[str, dict[str, Placed]] = {}
    by_parameter: dict[str, Placed] = {}
    for key, entry in tree.entries.items():
        if key[:1].isupper():
            by_operation[key] = _of_operation(key, tree, resolver, collector)
        elif of_step:
            rule = _rule(entry.value, resolver, collector)
            if rule is not None:
                by_parameter[key] = rule
        else:
            collector.add(_unknown(key).at(tree.key_span(key)))
    return Plan(by_operation=by_operation, by_parameter=by_parameter)


def _of_operation(
    operation: str, tree: Tree, resolver: Resolver, collector: Collector
) -> dict[str, Placed]:
    """The rules of one operation by parameter; the empty name is the rule for its weights."""
    from netspec.language.arguments import find_operation

    inside = tree.entries[operation].value
    find_operation(operation, tree.key_span(operation), collector)
    value = inside.value
    if not isinstance(value, dict) or (len(value) == 1 and next(iter(value)) in DISTRIBUTIONS):
        rule = _rule(inside, resolver, collector)
        return {} if rule is None else {"": rule}
    rules = ((name, _rule(entry.value, resolver, collector)) for name, entry in inside.entries.items())
    return {name: rule for name, rule in rules if rule is not None}


def _unknown(name: str) -> UnknownDistribution:
    return UnknownDistribution(name=spell(name), suggestion=nearest(name, DISTRIBUTIONS))


def _rule(tree: Tree, resolver: Resolver, collector: Collector) -> Placed | None:
    """One rule: a distribution's name, `{name: arguments}`, a number, or nested lists of numbers."""
    value = resolver.value(tree)
    if value is UNKNOWN:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Placed(Distribution("constant", {"val": float(value)}), tree)
    if isinstance(value, list):
        return _literal(value, tree, collector)
    name: Any = value
    arguments: Any = {}
    place = tree
    if isinstance(value, dict) and len(value) == 1:
        ((name, given),) = value.items()
        place = tree.entries[name].value
        arguments = {} if given is None else given
    if not isinstance(name, str) or not isinstance(arguments, dict):
        expected = "a distribution such as xavier_uniform, {normal: {std: 0.01}}, a number, or lists of numbers"
        collector.add(WrongValue(key="init", expected=expected, got=quoted(value)).at(tree.span))
        return None
    if name not in DISTRIBUTIONS:
        span = tree.key_span(name) if name in tree.entries else tree.span
        collector.add(_unknown(name).at(span))
        return None
    try:
        checked = DISTRIBUTIONS[name].model_validate(arguments)
    except ValidationError as error:
        given_tree = place if place.entries else None
        collector.extend(argument_faults(name, DISTRIBUTIONS[name], error, given_tree, tree.span))
        return None
    return Placed(Distribution(name, checked.model_dump()), tree)


def _literal(value: list[Any], tree: Tree, collector: Collector) -> Placed | None:
    """Nested lists of numbers, all of one length at each level."""
    shape: list[int] = []
    level: list[Any] = value
    while level and isinstance(level[0], list):
        shape.append(len(level))
        level = level[0]
    shape.append(len(level))
    numbers = list(_numbers(value, shape))
    regular = all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers)
    size = 1
    for length in shape:
        size *= length
    if not regular or len(numbers) != size or not numbers or size > LITERAL_LIMIT:
        expected = "numbers in lists of equal lengths, as the parameter's shape has them"
        collector.add(WrongValue(key="init", expected=expected, got=quoted(value)).at(tree.span))
        return None
    return Placed(Values(tuple(shape), tuple(map(float, numbers))), tree)


def _numbers(value: Any, shape: list[int]) -> Iterator[Any]:
    """The innermost items; something else than a list of the right length is given as itself."""
    if not shape:
        yield value
    elif not isinstance(value, list) or len(value) != shape[0]:
        yield None
    else:
        for item in value:
            yield from _numbers(item, shape[1:])


def fits(rule: InitRule, shape: tuple[int, ...]) -> bool:
    """Whether a rule can fill a parameter of this shape."""
    if isinstance(rule, Values):
        return rule.shape == shape
    if len(shape) not in DISTRIBUTIONS[rule.name].ranks:
        return False
    return rule.name != "dirac" or shape[0] % int(rule.arguments["groups"]) == 0


def describe_rule(rule: InitRule) -> str:
    """How messages name a rule."""
    return rule.name if isinstance(rule, Distribution) else f"a literal of shape {rule.shape}"
