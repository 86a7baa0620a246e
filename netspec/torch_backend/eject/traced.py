"""A module's forward as expressions: it runs on stand-ins for tensors, and what it does to them is read off.

So an operation need not say how it is written: whatever its forward calls of torch is what it is.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from netspec.ir.dim import Size as Extent
from netspec.ir.tensor import TensorType
from netspec.torch_backend.dtypes import torch_dtype
from netspec.torch_backend.eject.expressions import (
    Argument,
    Attribute,
    Call,
    Expr,
    Infix,
    Input,
    Item,
    Itself,
    Literal,
    Name,
    Size,
    Slice,
    Subscript,
    Tuple,
    rewritten,
)

ITSELF = "itself"
SIZE = "size"


class Untraceable(Exception):
    """What a forward does depends on more than is known of its inputs."""


def traced(
    module: nn.Module,
    types: Sequence[TensorType | None],
    sizes: Mapping[str, Sequence[Extent]],
    ports: int,
    base: type[nn.Module] | None = None,
) -> tuple[Expr, ...]:
    """What a module's forward gives at its ports, the same in training as in evaluation.

    `sizes` are what it gets by keyword. A call of the forward that it inherits from `base` is a call of the
    module itself.

    Errors: Untraceable.
    """
    was = type(module), module.training
    if base is not None:
        module.__class__ = _leading_to(base, type(module))
    try:
        found = [_traced(module.train(training), types, sizes, ports, base) for training in (False, True)]
    except (fx.proxy.TraceError, RuntimeError, TypeError, ValueError) as error:
        raise Untraceable(str(error)) from error
    finally:
        module.__class__ = was[0]
        module.train(was[1])
    if found[0] != found[1]:
        raise Untraceable("it differs in training")
    if any(isinstance(output, Input) for output in found[0]):
        raise Untraceable("it gives what it gets, which with other arguments it will not")
    return found[0]


def _leading_to(base: type[nn.Module], cls: type[nn.Module]) -> type[nn.Module]:
    """A subclass of `cls` in which the forward of `base` is a call that is written down."""

    def forward(self: nn.Module, *arguments: Any, **named: Any) -> Any:
        tensors = [value for value in (*arguments, *named.values()) if isinstance(value, fx.Proxy)]
        return tensors[0].tracer.create_proxy("call_module", ITSELF, arguments, named)

    leaf = type(base.__name__, (base,), {"forward": forward})
    return type(cls.__name__, (cls, leaf), {})


def _traced(
    module: nn.Module,
    types: Sequence[TensorType | None],
    sizes: Mapping[str, Sequence[Extent]],
    ports: int,
    base: type[nn.Module] | None,
) -> tuple[Expr, ...]:
    graph = fx.Graph()
    tracer = _Tracer(graph, ports)
    tensors: list[Any] = []
    for number, type in enumerate(types):
        tensors.append(None if type is None else _Tensor(graph.placeholder(f"input_{number}"), tracer, type))
    extents: list[Extent] = []
    named = {}
    for argument, shape in sizes.items():
        proxies: list[Any] = []
        for size in shape:
            if isinstance(size, int):
                proxies.append(size)
                continue
            proxies.append(fx.Proxy(graph.placeholder(f"{SIZE}_{len(extents)}"), tracer))
            extents.append(size)
        named[argument] = tuple(proxies)
    given: Any = module.forward(*tensors, **named)
    if isinstance(given, fx.Proxy):
        given = tuple(given[port] for port in range(ports)) if ports > 1 else (given,)  # type: ignore[index]
    outputs: Sequence[Any] = given if isinstance(given, tuple | list) else (given,)
    reader = _Reader(extents, base)
    return tuple(reader.read(output.node) for output in outputs[:ports])


class _Tracer(fx.proxy.GraphAppendingTracer):
    """Stand-ins for what calls give; a tuple that is asked for its length has one item a port."""

    def __init__(self, graph: fx.Graph, ports: int) -> None:
        super().__init__(graph)
        self.ports = ports

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Result(node, self)


class _Result(fx.Proxy):
    tracer: _Tracer

    def __len__(self) -> int:
        return self.tracer.ports


class _Tensor(fx.Proxy):
    """The stand-in for an input, whose rank and type of elements are known."""

    def __init__(self, node: fx.Node, tracer: _Tracer, type: TensorType) -> None:
        super().__init__(node, tracer)
        self._type = type

    def dim(self) -> int:
        return self._type.rank

    @property
    def ndim(self) -> int:
        return self._type.rank

    @property
    def dtype(self) -> _DType:
        return _DType(self, torch_dtype(self._type.dtype))


class _DType(fx.proxy.Attribute):
    """A tensor's dtype: what it is can be asked, and it is passed on as the tensor's."""

    def __init__(self, tensor: fx.Proxy, known: torch.dtype) -> None:
        super().__init__(tensor, "dtype")
        self._known = known

    def __eq__(self, other: object) -> bool:
        return self._known == other

    def __ne__(self, other: object) -> bool:
        return self._known != other

    __hash__ = None  # type: ignore[assignment]


INFIX: dict[Callable[..., Any], str] = {
    torch.add: "+",
    torch.sub: "-",
    torch.mul: "*",
    torch.div: "/",
    torch.matmul: "@",
    torch.eq: "==",
    torch.ne: "!=",
    torch.lt: "<",
    torch.le: "<=",
    torch.gt: ">",
    torch.ge: ">=",
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
}
NEUTRAL = {"alpha": (Literal(1), Literal(1.0)), "rounding_mode": (Literal(None),)}
"""Arguments at which a function is what its operator is."""

SPREAD = frozenset({"reshape", "permute", "expand", "flip"})
"""Methods that take a tuple of numbers as so many arguments."""

DEFAULTS: dict[Callable[..., Any], dict[str, Any]] = {
    F.scaled_dot_product_attention: {
        "attn_mask": None,
        "dropout_p": 0.0,
        "is_causal": False,
        "scale": None,
        "enable_gqa": False,
    },
}
"""Of functions whose signatures Python cannot read."""


class _Reader:
    """Reads expressions off the nodes of a trace."""

    def __init__(self, sizes: Sequence[Extent], base: type[nn.Module] | None) -> None:
        self.sizes = sizes
        self.base = base
        self.known: dict[fx.Node, Expr] = {}

    def read(self, node: fx.Node) -> Expr:
        if node not in self.known:
            calls = [user for user in node.users if user.target is not operator.getitem]
            if len(calls) > 1 and node.op == "call_module":
                raise Untraceable("it calls itself once and uses what that gives several times")
            self.known[node] = self._read(node)
        return self.known[node]

    def _read(self, node: fx.Node) -> Expr:
        target: Any = node.target
        if node.op == "placeholder":
            word, _, number = target.rpartition("_")
            if word == SIZE:
                return Size(self.sizes[int(number)])  # type: ignore[arg-type]
            return Input(int(number))
        arguments = [self._value(value) for value in node.args]
        named = {name: self._value(value) for name, value in node.kwargs.items()}
        if node.op == "call_module":
            assert self.base is not None
            parameters = list(inspect.signature(self.base.forward).parameters.values())[1:]
            return Call(Itself(), _needed(parameters, arguments, named))
        if node.op == "call_method":
            function = Attribute(arguments[0], target)
            arguments = arguments[1:]
            if target in SPREAD and len(arguments) == 1 and not named:
                arguments = _spread(arguments[0])
            return Call(function, _arguments(arguments, named))
        assert node.op == "call_function"
        if target is operator.getitem:
            return _item(arguments[0], node.args[1], arguments[1])
        if target is getattr:
            assert isinstance(node.args[1], str)
            return Attribute(arguments[0], node.args[1])
        return _called(target, arguments, named)

    def _value(self, value: Any) -> Expr:
        if isinstance(value, fx.Node):
            return self.read(value)
        if isinstance(value, slice):
            return Slice(*(self._value(part) for part in (value.start, value.stop, value.step)))
        if isinstance(value, tuple | list) and any(map(_is_computed, value)):
            brackets = "[]" if isinstance(value, list) else "()"
            return Tuple(tuple(map(self._value, value)), brackets)
        return Literal(_plain(value))


def _is_computed(value: Any) -> bool:
    return isinstance(value, fx.Node | slice) or (
        isinstance(value, tuple | list) and any(map(_is_computed, value))
    )


def _plain(value: Any) -> Any:
    """fx's immutable lists are lists."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _spread(value: Expr) -> list[Expr]:
    if isinstance(value, Tuple):
        return list(value.items)
    if isinstance(value, Literal) and isinstance(value.value, tuple | list) and value.value:
        return [Literal(item) for item in value.value]
    return [value]


def _item(of: Expr, index: Any, written: Expr) -> Expr:
    if type(index) is int:
        return Item(of, index)
    if isinstance(written, Tuple):
        return Subscript(of, written.items)
    return Subscript(of, (written,))


def _called(function: Callable[..., Any], arguments: list[Expr], named: dict[str, Expr]) -> Expr:
    """A call of torch, as an operator where it is one, without arguments that say nothing."""
    rest = {key: value for key, value in named.items() if value not in NEUTRAL.get(key, ())}
    if function in INFIX and len(arguments) + len(rest) == 2:
        left, right = *arguments, *rest.values()
        return Infix(INFIX[function], left, right)
    name = Name(_name(function))
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        known = DEFAULTS.get(function, {}) | {"keepdim": False}
        kept = {
            key: value for key, value in named.items() if key not in known or value != Literal(known[key])
        }
        if "dim" in kept:
            kept["dim"] = _only(kept["dim"])
        return Call(name, _arguments(arguments, kept))
    return Call(name, _needed(parameters, arguments, named))


def _needed(
    parameters: Sequence[inspect.Parameter], arguments: Sequence[Expr], named: Mapping[str, Expr]
) -> tuple[Argument, ...]:
    """Arguments without those that are what is meant when they are left out; required ones go unnamed."""
    bound = dict(zip((parameter.name for parameter in parameters), arguments, strict=False)) | dict(named)
    required = [p.name for p in parameters if p.default is p.empty and p.name in bound]
    given = {
        p.name: bound[p.name]
        for p in parameters
        if p.name in bound and p.name not in required and bound[p.name] != _default(p)
    }
    return _arguments([bound[name] for name in required], given)


def _default(parameter: inspect.Parameter) -> Expr | None:
    default = parameter.default
    return Literal(default) if default is None or isinstance(default, bool | int | float | str) else None


def _only(dims: Expr) -> Expr:
    """One dimension instead of a tuple of one."""
    if isinstance(dims, Literal) and isinstance(dims.value, tuple | list) and len(dims.value) == 1:
        return Literal(dims.value[0])
    return dims


def _name(function: Callable[..., Any]) -> str:
    """How a function is called, by the names that a file imports."""
    own = getattr(function, "__name__", "")
    for module, prefix in ((torch, "torch"), (F, "F")):
        if getattr(module, own, None) is function:
            return f"{prefix}.{own}"
    raise Untraceable(f"{own} has no name in torch")


def _arguments(unnamed: Iterable[Expr], named: Mapping[str, Expr]) -> tuple[Argument, ...]:
    return (
        *(Argument("", value) for value in unnamed),
        *(Argument(name, value, name) for name, value in named.items()),
    )


def with_inputs(expr: Expr, inputs: Sequence[Expr], itself: Expr) -> Expr:
    """A layer's expression with its inputs and its module in their places."""

    def rule(part: Expr) -> Expr | None:
        if isinstance(part, Input):
            return inputs[part.number]
        return itself if isinstance(part, Itself) else None

    return rewritten(expr, rule)
