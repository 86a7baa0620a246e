"""`parametrize`: a layer's weight that is computed from other parameters, as torch's parametrizations do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netspec.diagnostics import Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.graph import Node
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import (
    PositionalArguments,
    WrongValue,
    argument_faults,
    named_arguments,
    quoted,
)
from netspec.ops.arguments import Int, PositiveFloat, PositiveInt


class UnknownParametrization(Diagnostic):
    """A word that is no parametrization."""

    code = "NS257"
    message = "there is no parametrization {name}"

    name: str
    suggestion: str | None

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "there are weight_norm and spectral_norm"


class NothingToParametrize(Diagnostic):
    """A layer without a weight that the parametrization could compute."""

    code = "NS258"
    message = "{rule} cannot compute the weight of {layer}: {reason}"

    rule: str
    layer: str
    reason: str


class Arguments(BaseModel):
    """The arguments of a parametrization."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class WeightNorm(Arguments):
    """weight = g v / |v|, the norm over all dimensions but `dim`."""

    dim: Int | None = 0


class SpectralNorm(Arguments):
    """weight / its largest singular value, estimated; torch.nn.utils.parametrizations.spectral_norm."""

    n_power_iterations: PositiveInt = 1
    eps: PositiveFloat = Field(1e-12)
    dim: Int | None = None


RULES: Mapping[str, type[Arguments]] = {"weight_norm": WeightNorm, "spectral_norm": SpectralNorm}


class Parametrization(NamedTuple):
    """Parametrizations by name with their arguments, and where they are written."""

    rules: Mapping[str, Mapping[str, Any]]
    span: Span

    def of(self, node: Node, collector: Collector) -> Mapping[str, Mapping[str, Any]]:
        """The rules for a node; NS258 where its weight cannot be computed so."""
        weights = {weight.name: weight for weight in node.op.weights(*node.input_types)}
        weight = weights.get("weight")
        for rule, arguments in self.rules.items():
            reason = ""
            if weight is None or not weight.trained:
                reason = "it has none"
            elif len(weight.shape) < 2:
                reason = f"its shape is {weight.shape}, and a matrix is needed"
            elif arguments["dim"] is not None and not -len(weight.shape) <= arguments["dim"] < len(
                weight.shape
            ):
                reason = f"it has no dimension {arguments['dim']}: its shape is {weight.shape}"
            if reason:
                fault = NothingToParametrize(rule=rule, layer=spell(node.name), reason=reason)
                collector.add(fault.at(self.span))
                return {}
        return self.rules


def load_parametrization(tree: Tree, resolver: Resolver, collector: Collector) -> Parametrization | None:
    """What `parametrize` says: one rule by its name, or with arguments; None after an error.

    Errors: NS204, NS206 for what it holds, NS257 for a word that is no rule.
    """
    value = tree.value
    if isinstance(value, str):
        name, place, arguments = value, tree.span, None
    elif isinstance(value, dict) and len(value) == 1:
        ((name, entry),) = tree.entries.items()
        place, arguments = tree.key_span(name), entry.value
    else:
        wrong = WrongValue(key="parametrize", expected="weight_norm or spectral_norm", got=quoted(value))
        collector.add(wrong.at(tree.span))
        return None
    if name not in RULES:
        unknown = UnknownParametrization(name=spell(name), suggestion=nearest(name, RULES))
        collector.add(unknown.at(place))
        return None
    given = {} if arguments is None or arguments.value is None else resolver.value(arguments)
    if given is UNKNOWN:
        return None
    if not isinstance(given, dict):
        assert arguments is not None
        written = named_arguments(RULES[name], given)
        collector.add(PositionalArguments(op=name, got=quoted(given), named=written).at(arguments.span))
        return None
    try:
        found = RULES[name].model_validate(given)
    except ValidationError as error:
        collector.extend(argument_faults(name, RULES[name], error, arguments, given, place))
        return None
    return Parametrization({name: found.model_dump()}, place)
