"""The module of a network: torch.fx's GraphModule, made to read, copy and pickle as a hand-written one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from torch import fx, nn

GRAPH = "_graph"


class Network(fx.GraphModule):
    """A module that calls its layers as a traced graph says; its class bears the network's name.

    A GraphModule prints its generated code, and loses hooks, attributes, ModuleLists and the name of its
    class when it is copied or unpickled; this one prints its layers and keeps them all. `code` has the code.
    """

    def __init__(self, root: nn.Module, graph: fx.Graph, class_name: str) -> None:
        super().__init__(root, graph, class_name)
        # fx copies the layers that the graph calls and makes plain modules of the scopes around them.
        self.__dict__["_modules"] = root._modules
        type(self).__qualname__, type(self).__module__ = class_name, __name__

    def __str__(self) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name != GRAPH}
        return _revived, (_ownerless(self.graph), type(self).__name__, state)

    def __copy__(self) -> Network:
        revive, arguments = self.__reduce__()
        copied = revive(*arguments)
        assert isinstance(copied, Network)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        revive, arguments = self.__reduce__()
        copied = revive(*copy.deepcopy(arguments, memo))
        assert isinstance(copied, Network)
        return copied


def _ownerless(graph: fx.Graph) -> fx.Graph:
    """A copy that does not lead back to the module."""
    plain = fx.Graph()
    plain.output(plain.graph_copy(graph, {}))
    return plain


def _revived(graph: fx.Graph, class_name: str, state: dict[str, Any]) -> Network:
    root = nn.Module()
    root.__dict__.update(state)
    network = Network(root, graph, class_name)
    network.__dict__.update(state)
    return network


def assemble(layers: Mapping[str, nn.Module], containers: Iterable[str] = ()) -> nn.Module:
    """A tree of the layers under their dotted names, in their order; a numbered scope is a ModuleList.

    `containers` are scopes that may be empty: an iteration without layers has its place in the list too.
    """
    root = nn.Module()
    scopes: dict[str, nn.Module] = {"": root}
    for name, layer in layers.items():
        scope, _, own = name.rpartition(".")
        _opened(scope, own, scopes).add_module(own, layer)
    for name in containers:
        outer, _, own = name.rpartition(".")
        numbers = scopes.get(outer)
        if isinstance(numbers, nn.ModuleList) and own not in numbers._modules:
            numbers.add_module(own, nn.Module())
            numbers._modules = dict(sorted(numbers._modules.items(), key=lambda item: int(item[0])))
    return root


def _opened(scope: str, child: str, scopes: dict[str, nn.Module]) -> nn.Module:
    """The module of a scope, made when its first child comes; that child's name tells what it is."""
    if scope not in scopes:
        outer, _, own = scope.rpartition(".")
        scopes[scope] = nn.ModuleList() if child.isdigit() else nn.Module()
        _opened(outer, own, scopes).add_module(own, scopes[scope])
    return scopes[scope]
