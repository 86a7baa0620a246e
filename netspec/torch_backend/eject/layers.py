"""One layer in Python: the call that makes its module, if it has one, and what its forward gives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.graph import Node
from netspec.torch_backend import sources
from netspec.torch_backend.eject import plain
from netspec.torch_backend.eject.copied import copied
from netspec.torch_backend.eject.expressions import (
    NONE,
    Argument,
    Call,
    Callee,
    Expr,
    Input,
    Item,
    Itself,
    Literal,
    Name,
    Size,
    Tuple,
)
from netspec.torch_backend.eject.recorded import Made, made, undrawn
from netspec.torch_backend.eject.traced import Untraceable, traced

SIZE = "size"
SIZES = frozenset(
    {
        "d_model",
        "embed_dim",
        "embedding_dim",
        "hidden_size",
        "in1_features",
        "in2_features",
        "in_channels",
        "in_features",
        "input_size",
        "normalized_shape",
        "num_channels",
        "num_features",
        "out_channels",
        "out_features",
    }
)
"""Arguments that are numbers of channels or features."""

LEADING = SIZES | {"num_embeddings", "num_groups", "num_heads", "num_parameters", "output_size", "shape"}
"""Arguments that are commonly given without their names."""

SQUARE = frozenset({"dilation", "kernel_size", "output_padding", "output_size", "padding", "stride"})
"""Arguments for which one number stands for equal ones along every axis."""

SHAPES = frozenset({"normalized_shape", "shape", "unflattened_size"})
"""Arguments whose items are sizes of their own."""


class CannotEject(Diagnostic):
    """An operation of a plugin whose module cannot be written as plain PyTorch."""

    code = "NS590"
    message = "cannot write {what} as plain PyTorch: {reason}"

    what: str
    reason: str

    @property
    def help(self) -> str:
        return "let the operation build a module of torch.nn, or of a class in a file that uses torch alone"


@dataclass(frozen=True)
class Written:
    """A layer in Python: `construct` makes its module, None where it needs none; `outputs` has its ports.

    In `outputs`, Input stands for its inputs and Itself for its module. `inner` are the classes of the
    modules inside of that.
    """

    construct: Expr | None
    outputs: tuple[Expr, ...]
    inner: frozenset[type] = frozenset()

    @property
    def callee(self) -> Callee | None:
        """The class of its module."""
        made = self.construct
        while isinstance(made, Call) and not isinstance(made.function, Callee):
            made = made.arguments[0].value  # a parametrization
        return made.function if isinstance(made, Call) and isinstance(made.function, Callee) else None


class Writer:
    """Writes layers, equal ones once."""

    def __init__(self) -> None:
        self._callees: dict[type, Callee] = {}
        self._known: dict[object, Written] = {}

    def written(self, node: Node) -> Written:
        """A layer in Python.

        Errors: NS590.
        """
        rules = tuple((rule, *arguments.items()) for rule, arguments in node.parametrize.items())
        key = repr((type(node.op).__name__, node.op, node.input_types, len(node.outputs), rules))
        if key not in self._known:
            try:
                self._known[key] = self._write(node)
            except (Untraceable, TypeError) as error:
                fault = CannotEject(what=f"layer {node.name}", reason=str(error))
                raise DiagnosticError(fault.at(node.span)) from error
        return self._known[key]

    def _write(self, node: Node) -> Written:
        with undrawn():
            found = made(lambda: node.op.build(*node.input_types))
        written = self._plain(node, found) or self._traced(node, found) or self._copied(node, found)
        inner = frozenset(type(part) for part in found.module.modules() if part is not found.module)
        construct = written.construct
        if construct is not None:
            construct = _parametrized(construct, node.parametrize)
        return Written(construct, written.outputs, inner)

    def _plain(self, node: Node, found: Made) -> Written | None:
        """A module of torch.nn, which is called with the inputs."""
        cls = type(found.module)
        if not _is_torch(cls):
            return None
        return Written(self._call(cls, found), _ports(node, _call_itself(node, ())))

    def _traced(self, node: Node, found: Made) -> Written | None:
        """A forward that calls functions of torch alone; or that of a class of torch, and functions."""
        module = found.module
        base = next(cls for cls in type(module).__mro__ if _is_torch(cls))
        owns = next(module.buffers(), next(module.parameters(), None)) is not None
        if base is nn.Module and owns:
            return None
        kept = None if base is nn.Module else base
        if kept is not None and not _is_like(found, kept):
            return None
        sizes = node.op.sizes(*node.input_types)
        try:
            outputs = traced(module, node.input_types, sizes, len(node.outputs), kept)
        except Untraceable:
            return None
        return Written(None if kept is None else self._call(kept, found), outputs)

    def _copied(self, node: Node, found: Made) -> Written:
        """Any other module: its class comes along."""
        cls: type = type(found.module)
        names = list(inspect.signature(cls.forward).parameters)[1:]  # type: ignore[attr-defined]
        outputs = _ports(node, _call_itself(node, names))
        _, given, _ = found.arguments(cls)
        if cls is sources.Constant:
            return Written(self._constant(given["dtype"], given["value"]), outputs)
        if cls is sources.Parameter:
            return Written(self._parameter(given["dtype"], given["shape"]), outputs)
        if cls not in self._callees:
            copied([cls])  # fails here, where the layer is known, if at all
        return Written(self._call(cls, found, along=True), outputs)

    def _parameter(self, dtype: torch.dtype, shape: Sequence[int]) -> Call:
        callee = self._callee(plain.Parameter, {"dtype": None}, along=True)
        sizes = (Argument("", Literal(size), "shape") for size in shape)
        return Call(callee, (*sizes, Argument("dtype", _value("dtype", dtype), "dtype")))

    def _constant(self, dtype: torch.dtype, value: Any) -> Call:
        tensor = sources.Constant(value, dtype).value.cpu()
        exact = tensor.tolist()
        short = _shortened(exact)
        numbers = short if torch.equal(torch.tensor(short, dtype=dtype), tensor) else exact
        arguments = [Argument("", Literal(numbers), "value")]
        if torch.tensor(numbers).dtype is not dtype:
            arguments.append(Argument("dtype", Literal(dtype), "dtype"))
        return Call(self._callee(plain.Constant, {"dtype": None}, along=True), tuple(arguments))

    def _call(self, cls: type, found: Made, *, along: bool = False) -> Call:
        """The call that makes a module of a class, all its arguments given."""
        unnamed, named, defaults = found.arguments(cls)
        callee = self._callee(cls, defaults, tuple(named), along=along)
        arguments = [Argument("", Literal(value)) for value in unnamed]
        for name, value in named.items():
            if name in ("kdim", "vdim") and value == named["embed_dim"]:
                value = None
            if name not in ("device", "_weight", "_freeze"):
                arguments.append(Argument(name, _value(name, value), SIZE if name in SIZES else name))
        return Call(callee, tuple(arguments))

    def _callee(
        self, cls: type, defaults: Mapping[str, Any], names: Sequence[str] = (), *, along: bool = False
    ) -> Callee:
        if cls not in self._callees:
            name = cls.__name__ if along else f"nn.{cls.__name__}"
            known = {name: _value(name, value) for name, value in defaults.items() if _has_literal(value)}
            leading = takewhile(lambda name: name in LEADING and name not in defaults, names)
            self._callees[cls] = Callee(name, known, tuple(leading), cls, along)
        return self._callees[cls]


def _has_literal(value: Any) -> bool:
    plain_value = value is None or isinstance(value, bool | int | float | str | tuple | torch.dtype)
    return plain_value or _is_function(value)


def _is_function(value: Any) -> bool:
    return callable(value) and getattr(F, getattr(value, "__name__", ""), None) is value


def _is_torch(cls: type) -> bool:
    """Whether a class is torch.nn's own, under its own name."""
    return getattr(nn, cls.__name__, None) is cls


def _is_like(found: Made, base: type[nn.Module]) -> bool:
    """Whether a module is one of its base class, but for attributes that the base does not have."""
    unnamed, named, _ = found.arguments(base)
    with undrawn():
        fresh = base(*unnamed, **named)
    own = vars(found.module)
    return all(
        own.get(name) == value
        for name, value in vars(fresh).items()
        if isinstance(value, bool | int | float | str | tuple | None)
    )


def _value(name: str, value: Any) -> Expr:
    if value is torch.float32 and name == "dtype":
        return NONE  # torch's own default
    if _is_function(value):
        return Name(f"F.{value.__name__}")
    if isinstance(value, list):
        value = tuple(value)
    if (
        isinstance(value, tuple)
        and name in SQUARE
        and set(map(type, value)) == {int}
        and len(set(value)) == 1
    ):
        value = value[0]
    if isinstance(value, tuple) and name in SHAPES:
        if name == "normalized_shape" and len(value) == 1:
            return Literal(value[0])
        return Tuple(tuple(map(Literal, value)))
    return Literal(value)


def _call_itself(node: Node, names: Sequence[str]) -> Call:
    """The call of a layer's module; what stands behind an input that is left out is given by name."""
    arguments: list[Argument] = []
    skipped = False
    for number, type in enumerate(node.input_types):
        if type is None:
            skipped = True
        else:
            name = (names[number] if names else node.op.arguments[number]) if skipped else ""
            arguments.append(Argument(name, Input(number)))
    for argument, shape in node.op.sizes(*node.input_types).items():
        items = tuple(Literal(size) if isinstance(size, int) else Size(size) for size in shape)  # type: ignore[arg-type]
        arguments.append(Argument(argument, Tuple(items)))
    return Call(Itself(), tuple(arguments))


def _ports(node: Node, call: Call) -> tuple[Expr, ...]:
    count = len(node.outputs)
    return (call,) if count == 1 else tuple(Item(call, port) for port in range(count))


def _parametrized(construct: Expr, rules: Mapping[str, Mapping[str, Any]]) -> Expr:
    for rule, arguments in rules.items():
        named = (Argument(name, Literal(value), name) for name, value in arguments.items())
        function = Name(f"parametrizations.{rule}")
        construct = Call(function, (Argument("", construct), *named))
    return construct


def _shortened(value: Any) -> Any:
    """Numbers with as few digits as float32 needs."""
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value
