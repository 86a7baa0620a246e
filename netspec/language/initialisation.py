"""`init`: which rule draws which weights, as the file says for all layers and a step for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

from pydantic import ValidationError

from netspec.diagnostics import Collector, Diagnostic, Note, Severity, Span, nearest, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.graph import Distribution, InitRule, Node, Values
from netspec.language.callables import Callables
from netspec.language.distributions import DISTRIBUTIONS, describe_rule, fits, needs
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import (
    PositionalArguments,
    WrongValue,
    argument_faults,
    named_arguments,
    quoted,
)
from netspec.ops.base import Weight

OPERATIONS = Callables()  # rules are for operations; blocks have none
LITERAL_LIMIT = 1_000_000  # numbers in one literal
LARGEST_FLOAT = 1.7976931348623157e308


class UnknownDistribution(Diagnostic):
    """A word that names no way to draw weights."""

    code = "NS223"
    message = "{name} is no way to draw weights"

    name: str
    suggestion: str | None

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(DISTRIBUTIONS)

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "there are {known}"


class NothingToDraw(Diagnostic):
    """A rule for a parameter that the layer does not have."""

    code = "NS228"
    message = "{op} has no {what} to draw"

    op: str
    parameter: str  # empty for all of them
    known: tuple[str, ...]
    suggestion: str | None

    @property
    def what(self) -> str:
        return f"parameter {self.parameter}" if self.parameter else "parameters"

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        return "it has {known}" if self.known else "it has no parameters: remove the rule"


class CannotFill(Diagnostic):
    """A rule that does not fit the shape of the parameter."""

    code = "NS229"
    message = "{rule} cannot fill {parameter}, whose shape is {shape}"

    rule: str
    parameter: str
    shape: tuple[int, ...]
    needs: str

    @property
    def help(self) -> str:
        return "{needs}"


class NoSuchLayer(Diagnostic):
    """A rule for an operation that the network does not have."""

    code = "NS231"
    message = "no layer is a {op}: nothing is drawn by this rule"
    severity = Severity.WARNING

    op: str


class Placed(NamedTuple):
    """A rule and where it is written."""

    rule: InitRule
    tree: Tree


class Plan(NamedTuple):
    """What one `init` says: of all layers, of operations, and of the parameters of this layer.

    By operation and by parameter, the empty name is the rule for the weights.
    """

    general: Placed | None
    by_operation: Mapping[str, Mapping[str, Placed]]
    by_parameter: Mapping[str, Placed]

    def find(self, operation: str, weight: Weight, owns_matrix: bool) -> Placed | None:
        """The rule for a parameter of an operation, if this plan has one.

        A rule for a whole operation or layer is for its weights, of two dimensions or more; of an operation
        that has none such (BatchNorm2d), for the parameter called `weight`.
        """
        if weight.name in self.by_parameter:
            return self.by_parameter[weight.name]
        meant = len(weight.shape) >= 2 or (not owns_matrix and weight.name == "weight")
        if meant and "" in self.by_parameter:
            return self.by_parameter[""]
        of_operation = self.by_operation.get(operation, {})
        if weight.name in of_operation:
            return of_operation[weight.name]
        if meant and "" in of_operation:
            return of_operation[""]
        return self.general if len(weight.shape) >= 2 else None


class Drawing:
    """Gives each layer the rules of its parameters: its own `init` goes before the file's."""

    def __init__(self, plan: Plan | None, collector: Collector) -> None:
        self.plan = plan
        self.collector = collector
        self._seen: dict[str, dict[str, None]] = {}  # the parameters of each operation, in order
        self._refused: set[Span] = set()  # rules that did not fit: one layer says it for all

    def rules(self, node: Node, own: Plan | None) -> Mapping[str, InitRule]:
        """The rule of each parameter that one speaks of.

        Errors: NS228, NS229.
        """
        operation = type(node.op).__name__
        weights = [weight for weight in node.op.weights(*node.input_types) if weight.trained]
        self._seen.setdefault(operation, {}).update(dict.fromkeys(weight.name for weight in weights))
        if own is not None:
            self._check_own(operation, own, weights)
        rules: dict[str, InitRule] = {}
        owns_matrix = any(len(weight.shape) >= 2 for weight in weights)
        plans = [plan for plan in (own, self.plan) if plan is not None]
        for weight in weights:
            found = (plan.find(operation, weight, owns_matrix) for plan in plans)
            placed = next((placed for placed in found if placed is not None), None)
            if placed is None:
                continue
            if fits(placed.rule, weight.shape):
                rules[weight.name] = placed.rule
                continue
            if placed.tree.span in self._refused:
                continue
            self._refused.add(placed.tree.span)
            cannot = CannotFill(
                rule=describe_rule(placed.rule),
                parameter=f"{node.name}.{weight.name}",
                shape=weight.shape,
                needs=needs(placed.rule),
            )
            self.collector.add(cannot.at(placed.tree.span, Note("of this layer", node.span)))
        return rules

    def _check_own(self, operation: str, own: Plan, weights: list[Weight]) -> None:
        known = tuple(weight.name for weight in weights)
        of_operations = {
            name: next(iter(rules.values())) for name, rules in own.by_operation.items() if rules
        }
        of_operations.pop(operation, None)
        inside = own.by_operation.get(operation, {})
        for name, placed in {**own.by_parameter, **of_operations, **inside}.items():
            if name not in known and (name or not known):
                self._nothing(operation, name, known, placed.tree.span)

    def check_use(self) -> None:
        """NS228 and NS231 for rules of the file that no layer has a use for; called after the last layer."""
        for operation, rules in () if self.plan is None else self.plan.by_operation.items():
            known = tuple(self._seen.get(operation, ()))
            for name, placed in rules.items():
                if operation not in self._seen:
                    self.collector.add(NoSuchLayer(op=operation, span=placed.tree.span))
                elif name not in known and (name or not known):
                    self._nothing(operation, name, known, placed.tree.span)

    def _nothing(self, operation: str, name: str, known: tuple[str, ...], span: Span) -> None:
        parameter, suggestion = (spell(name), nearest(name, known)) if name else ("", None)
        nothing = NothingToDraw(op=operation, parameter=parameter, known=known, suggestion=suggestion)
        self.collector.add(nothing.at(span))


def load_plan(tree: Tree, resolver: Resolver, collector: Collector, *, of_step: bool) -> Plan:
    """The plan of an `init`: one rule for all, or a mapping by operation, or for a step by parameter.

    Errors: NS204, NS206, NS207 and NS230 for arguments; NS205 for operations; NS223 for other words.
    """
    if _is_one_rule(tree):
        rule = _rule(tree, resolver, collector)
        return Plan(None, {}, {"": rule}) if of_step and rule is not None else Plan(rule, {}, {})
    by_operation: dict[str, Mapping[str, Placed]] = {}
    by_parameter: dict[str, Placed] = {}
    for key, entry in tree.entries.items():
        if of_step and not key[:1].isupper():
            rule = _rule(entry.value, resolver, collector)
            if rule is not None:
                by_parameter[key] = rule
            continue
        if not OPERATIONS.means(key) and not key[:1].isupper():
            advice = "write what draws an operation's weights as Conv2d: xavier_uniform, or by its parameters"
            wrong = WrongValue(key="a key of init", expected="an operation", got=spell(key), advice=advice)
            collector.add(wrong.at(tree.key_span(key)))
            continue
        operation = OPERATIONS.find(key, tree.key_span(key), collector)
        if isinstance(operation, type):
            by_operation[operation.__name__] = _of_operation(entry.value, resolver, collector)
    return Plan(None, by_operation, by_parameter)


def _is_one_rule(tree: Tree) -> bool:
    """Whether `init` holds one rule, and not rules by operation or parameter."""
    value = tree.value
    return not isinstance(value, dict) or (len(value) == 1 and next(iter(value)) in DISTRIBUTIONS)


def _of_operation(tree: Tree, resolver: Resolver, collector: Collector) -> dict[str, Placed]:
    """The rules of one operation by parameter; the empty name is the rule for its weights."""
    if _is_one_rule(tree):
        rule = _rule(tree, resolver, collector)
        return {} if rule is None else {"": rule}
    rules = ((name, _rule(entry.value, resolver, collector)) for name, entry in tree.entries.items())
    return {name: rule for name, rule in rules if rule is not None}


def _unknown(name: str) -> UnknownDistribution:
    return UnknownDistribution(name=spell(name), suggestion=nearest(name, DISTRIBUTIONS))


def _rule(tree: Tree, resolver: Resolver, collector: Collector) -> Placed | None:
    """One rule: a distribution's name, `{name: arguments}`, a number, or nested lists of numbers."""
    value = resolver.value(tree)
    if value is UNKNOWN:
        return None
    if _is_number(value):
        return Placed(Distribution("constant", {"val": float(value)}), tree)
    if isinstance(value, list):
        return _literal(value, tree, collector)
    if isinstance(value, str):
        return _distribution(value, {}, tree, tree, collector)
    if isinstance(value, dict) and len(value) == 1:
        ((name, given),) = value.items()
        return _distribution(name, given, tree.entries[name].value, tree, collector)
    expected = "a distribution such as xavier_uniform or {normal: {std: 0.01}}, a number, or lists of numbers"
    collector.add(WrongValue(key="init", expected=expected, got=quoted(value), span=tree.span))
    return None


def _distribution(name: str, given: Any, arguments: Tree, tree: Tree, collector: Collector) -> Placed | None:
    """The rule `name` with its arguments `given`, which are written at `arguments`."""
    place = tree.key_span(name) if name in tree.entries else tree.span
    if name not in DISTRIBUTIONS:
        collector.add(_unknown(name).at(place))
        return None
    model = DISTRIBUTIONS[name]
    if not isinstance(given, dict) and given is not None:
        named = named_arguments(model, given)
        positional = PositionalArguments(op=name, got=quoted(given), named=named)
        collector.add(positional.at(arguments.span))
        return None
    try:
        rule = model.model_validate(given or {})
    except ValidationError as error:
        written = arguments if given else None
        collector.extend(argument_faults(name, model, error, written, given or {}, place))
        return None
    drawn = rule.model_dump()
    if name in ("uniform", "trunc_normal") and drawn["a"] > drawn["b"]:
        wrong = WrongValue(
            key="b", expected=f"at least a, which is {spell(drawn['a'])}", got=spell(drawn["b"])
        )
        collector.add(wrong.at(arguments.find(("b",)).span))
        return None
    return Placed(Distribution(name, drawn), tree)


def _literal(value: list[Any], tree: Tree, collector: Collector) -> Placed | None:
    """Nested lists of numbers, all of one length at each level."""
    shape: list[int] = []
    level: Any = value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    if 0 < prod(shape) <= LITERAL_LIMIT:
        numbers = list(_numbers(value, shape))
        if all(map(_is_number, numbers)):
            return Placed(Values(tuple(shape), tuple(map(float, numbers))), tree)
    expected = "numbers in lists of equal lengths, as the parameter's shape has them"
    collector.add(WrongValue(key="init", expected=expected, got=quoted(value), span=tree.span))
    return None


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a double can hold."""
    return type(value) is float or (type(value) is int and abs(value) <= LARGEST_FLOAT)


def _numbers(value: Any, shape: list[int]) -> Iterator[Any]:
    """The innermost items; something else than a list of the right length is given as itself."""
    if not shape:
        yield value
    elif not isinstance(value, list) or len(value) != shape[0]:
        yield None
    else:
        for item in value:
            yield from _numbers(item, shape[1:])
