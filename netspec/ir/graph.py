"""The Graph: typed, flat, frozen; what every stage after the language reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from netspec.diagnostics.span import Span
from netspec.ir.dim import Bounds
from netspec.ir.tensor import TensorType

if TYPE_CHECKING:
    from netspec.ir.training import Training
    from netspec.ops.base import Op

T = TypeVar("T")
U = TypeVar("U")


class Value(NamedTuple):
    """One tensor that flows: a graph's input, or a port of a node.

    `name` is unique in the graph and is the tensor's name in the ONNX file: a node's only or first port
    bears the node's name, the others `NODE.PORT`.
    """

    name: str
    type: TensorType


class Preprocess(NamedTuple):
    """How raw data becomes an input: resize to (height, width), times `scale`, minus `mean`, over `std`.

    `mean` and `std` hold one number for all channels, or one a channel.
    """

    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: tuple[int, int] | None = None


class GraphInput(NamedTuple):
    """A named input of the network."""

    value: Value
    span: Span
    preprocess: Preprocess | None = None

    @property
    def name(self) -> str:
        return self.value.name


class GraphOutput(NamedTuple):
    """A named output: which value it gives, and its labels if it has any (one a class)."""

    name: str
    value: Value
    span: Span
    labels: tuple[str, ...] | None = None


class Distribution(NamedTuple):
    """Draw a parameter by torch.nn.init's function `name` (without its last underscore)."""

    name: str
    arguments: Mapping[str, Any]


class Values(NamedTuple):
    """Set a parameter to literal numbers, in the order of its elements."""

    shape: tuple[int, ...]
    numbers: tuple[float, ...]


InitRule = Distribution | Values


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One layer: an operation, what it reads, what it gives.

    `name` is its path in the module tree, joined by dots (`stage.0.conv2d_1`). `init` gives the rule of
    each parameter that the spec speaks of, by the parameter's name. `slots` says which of the operation's
    arguments each input is, where some before the last are left out. `shares` is the name of the earlier
    layer whose module, and so whose weights, this one uses; it has none of its own. `parametrize` names the
    parametrizations of its weight, in the order in which they are applied.
    """

    name: str
    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span
    init: Mapping[str, InitRule] = field(default_factory=dict)
    slots: tuple[int, ...] | None = None
    shares: str | None = None
    parametrize: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The layer that owns the weights: this one, or that whose weights it shares."""
        return self.shares or self.name

    def but(self, **changes: Any) -> Node:
        """The same with some of it changed."""
        return replace(self, **changes) if changes else self

    def arranged(self, items: Sequence[T], absent: U) -> tuple[T | U, ...]:
        """One item an input, in the places of the operation's arguments, `absent` where one is left out."""
        if self.slots is None:
            return tuple(items)
        places: list[T | U] = [absent] * (self.slots[-1] + 1)
        for slot, item in zip(self.slots, items, strict=True):
            places[slot] = item
        return tuple(places)

    @property
    def output(self) -> Value:
        """The first port: what `NODE` alone means in `from`."""
        return self.outputs[0]

    @property
    def input_types(self) -> tuple[Any, ...]:
        """What the operation's rules are called with: a TensorType an argument, None for one left out."""
        return self.arranged([value.type for value in self.inputs], None)


class Scope(NamedTuple):
    """A named part of the network with the nodes whose names begin with its own.

    A `block` is the instance of one, with the values that it gets and gives, by the names that the block has
    for them; a `list` has numbered parts, as loops and repetitions do; all else is a `group`: a branch, one
    iteration. A scope that `shares` has the module of an earlier instance of its block, and none of its own.
    """

    name: str
    kind: Literal["block", "list", "group"]
    span: Span
    block: str = ""
    inputs: Mapping[str, Value] = MappingProxyType({})
    outputs: Mapping[str, Value] = MappingProxyType({})
    shares: str | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A checked network: its nodes in the order of the spec, which is an order of evaluation.

    `scopes` are the parts that have names, each after the scope that it is in. `bounds` holds the declared
    and inferred range of every symbolic dimension. `resolved` is the spec as plain data with its parameters
    set, the text from which the same graph is made again. `training` says how the network is trained, if the
    spec does; it is no part of what the graph computes.
    """

    name: str
    inputs: tuple[GraphInput, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[GraphOutput, ...]
    bounds: Mapping[str, Bounds]
    resolved: Mapping[str, Any]
    scopes: tuple[Scope, ...] = ()
    training: Training | None = None

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbolic dimensions, in the order in which the inputs name them."""
        return tuple(self.bounds)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
