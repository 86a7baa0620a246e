"""How an ejected network draws its weights where the spec's `init` says more than torch does."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import nn

from netspec.ir.graph import Distribution, Graph, InitRule, Node, Values
from netspec.ir.tensor import DType
from netspec.ops.base import Weight
from netspec.torch_backend.dtypes import torch_dtype
from netspec.torch_backend.eject.expressions import Argument, Call, Callee, Expr, Literal, Module, Name
from netspec.torch_backend.eject.layers import Writer
from netspec.torch_backend.eject.layout import INDENT, document, lines, module_text

BODY = 2  # steps to the right
FEW = 3  # parameters that are drawn one by one; more of them in a loop


def drawing(graph: Graph, writer: Writer) -> list[str]:
    """The lines at the end of the network's constructor that draw weights by the spec's rules."""
    owners: dict[Callee, list[Node]] = {}
    inner: set[type] = set()
    for node in graph:
        written = writer.written(node)
        if node.shares is None and written.callee is not None:
            owners.setdefault(written.callee, []).append(node)
            inner |= written.inner
    classes = {callee.cls for callee in owners if callee.cls is not None}
    whole: list[_Drawn] = []
    for callee, nodes in owners.items():
        # Linear, say, is inside of MultiheadAttention too, whose own weights no rule speaks of.
        others = inner | (classes - {callee.cls})
        if callee.cls is not None and not any(issubclass(cls, callee.cls) for cls in others):
            whole += _whole(callee.name, nodes)
    whole = _of_several(whole, {callee.name: len(nodes) for callee, nodes in owners.items()})
    known = {(drawn.callee, drawn.parameter) for drawn in whole}
    alone: dict[str, list[tuple[InitRule, Node, str]]] = {}
    for callee, nodes in owners.items():
        for node in nodes:
            for parameter, rule in node.init.items():
                if _is_computed(node, parameter) or (callee.name, parameter) not in known:
                    alone.setdefault(repr(rule), []).append((rule, node, parameter))
    found = list(_by_class(whole))
    for places in alone.values():
        found += _by_name(places[0][0], [(node, parameter) for _, node, parameter in places])
    return found


def _is_computed(node: Node, parameter: str) -> bool:
    """Whether a parameter is computed from others, to which what it is set to must be handed on."""
    return bool(node.parametrize) and parameter == "weight"


class _Drawn(NamedTuple):
    """A parameter that all modules of a class have drawn by one rule; `guarded` where some lack it."""

    callee: str
    parameter: str
    rule: Distribution
    guarded: bool


def _whole(callee: str, nodes: Sequence[Node]) -> Iterator[_Drawn]:
    """What all layers of one class have drawn by one rule."""
    names = [{weight.name for weight in node.op.weights(*node.input_types)} for node in nodes]
    for parameter in dict.fromkeys(parameter for node in nodes for parameter in node.init):
        having = [node for node, own in zip(nodes, names, strict=True) if parameter in own]
        rules = [node.init.get(parameter) for node in having]
        guarded = len(having) < len(nodes)
        rule = rules[0]
        if not isinstance(rule, Distribution) or any(other != rule for other in rules):
            continue
        if not guarded or parameter in ("weight", "bias"):  # which torch has as None
            yield _Drawn(callee, parameter, rule, guarded)


def _of_several(whole: Sequence[_Drawn], counts: Mapping[str, int]) -> list[_Drawn]:
    """Those that are for several modules, of one class or of classes of one treatment."""
    treatments: dict[str, list[object]] = {}
    for drawn in whole:
        treatments.setdefault(drawn.callee, []).append(repr(drawn[1:]))
    together: Counter[str] = Counter()
    for callee, treatment in treatments.items():
        together[repr(treatment)] += counts[callee]
    return [drawn for drawn in whole if together[repr(treatments[drawn.callee])] > 1]


def _by_class(whole: Sequence[_Drawn]) -> Iterator[str]:
    """A loop over all modules that draws those of some classes; classes of one treatment go together."""
    treatments: dict[str, list[str]] = {}
    for callee, parameter, rule, guarded in whole:
        target = f"module.{parameter}"
        treatment = treatments.setdefault(callee, [])
        if guarded:
            treatment.append(f"{INDENT * (BODY + 2)}if {target} is not None:")
        treatment += lines(document(_drawn(rule, Name(target))), BODY + 2 + guarded)
    together: dict[tuple[str, ...], list[str]] = {}
    for callee, treatment in treatments.items():
        together.setdefault(tuple(treatment), []).append(callee)
    if together:
        yield f"{INDENT * BODY}for module in self.modules():"
    for text, callees in together.items():
        yield f"{INDENT * (BODY + 1)}if isinstance(module, {' | '.join(callees)}):"
        yield from text


def _by_name(rule: InitRule, places: Sequence[tuple[Node, str]]) -> Iterator[str]:
    """The parameters of a rule, one by one."""
    drawn = [] if isinstance(rule, Values) else [place for place in places if not _is_computed(*place)]
    if len(drawn) > FEW:
        assert isinstance(rule, Distribution)
        names = Literal(tuple(f"{node.name}.{parameter}" for node, parameter in drawn))
        yield from lines(document(names), BODY, "for name in ", ":")
        yield from lines(document(_drawn(rule, Name("self.get_parameter(name)"))), BODY + 1)
    for node, parameter in places:
        target = f"{module_text(Module(node.name))}.{parameter}"
        if (node, parameter) not in drawn:
            weight = next(w for w in node.op.weights(*node.input_types) if w.name == parameter)
            yield from _assigned(rule, target, weight, _is_computed(node, parameter))
        elif len(drawn) <= FEW:
            assert isinstance(rule, Distribution)
            yield from lines(document(_drawn(rule, Name(target))), BODY)


def _assigned(rule: InitRule, target: str, weight: Weight, computed: bool) -> Iterator[str]:
    """A parameter that gets other numbers; one that is computed hands them to what it is computed from."""
    dtype = () if weight.dtype is DType.FLOAT32 else (Argument("dtype", Literal(torch_dtype(weight.dtype))),)
    if isinstance(rule, Values):
        numbers = Literal(_nested(rule.numbers, rule.shape))
        value = Call(Name("torch.tensor"), (Argument("", numbers), *dtype))
    else:
        assert isinstance(rule, Distribution)
        value = _drawn(rule, Call(Name("torch.empty"), (Argument("", Literal(weight.shape)), *dtype)))
    if not computed:
        value = Call(Name("nn.Parameter"), (Argument("", value),))
    yield from lines(document(value), BODY, f"{target} = ")


def _drawn(rule: Distribution, target: Expr) -> Call:
    """The call of torch.nn.init, without arguments that say nothing."""
    function: Callable[..., object] = getattr(nn.init, f"{rule.name}_")
    parameters = inspect.signature(function).parameters
    given = tuple(
        Argument(name, Literal(value))
        for name, value in rule.arguments.items()
        if parameters[name].default != value
    )
    return Call(Name(f"nn.init.{rule.name}_"), (Argument("", target), *given))


def _nested(numbers: Sequence[float], shape: Sequence[int]) -> object:
    if not shape:
        return float(numbers[0])
    step = len(numbers) // shape[0] if shape[0] else 0
    return [_nested(numbers[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
