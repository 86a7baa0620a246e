"""A Graph to a torch module whose tree, state dict and repr bear the names of the spec."""

from __future__ import annotations

import operator
from collections.abc import Iterable

import torch
from torch import fx, nn

from netspec.ir.graph import Graph, Node
from netspec.torch_backend.initialise import initialise, seeded


def build(graph: Graph, *, seed: int = 0, device: str = "cpu") -> nn.Module:
    """The network as a module in training mode: takes the graph's inputs in order, gives its outputs.

    One output is returned as it is, several as a tuple in the order of the spec. Weights are drawn as the
    spec's `init` says, otherwise as torch does; each layer's from `seed` and its own name, so that the same
    seed gives the same weights and a new layer leaves the others' as they were. On the device `meta` nothing
    is allocated or drawn.
    """
    modules: dict[str, nn.Module] = {}
    with seeded():
        for node in graph:
            modules[node.name] = _module(node, seed, device)
    traced = fx.Graph()
    tensors: dict[str, fx.Node] = {}
    for graph_input in graph.inputs:
        tensors[graph_input.name] = traced.placeholder(graph_input.name)
    for node in graph:
        arguments = tuple(tensors[value.name] for value in node.inputs)
        result = traced.call_module(node.name, arguments)
        if len(node.outputs) == 1:
            tensors[node.output.name] = result
        else:
            for number, value in enumerate(node.outputs):
                tensors[value.name] = traced.call_function(operator.getitem, (result, number))
    outputs = tuple(tensors[output.value.name] for output in graph.outputs)
    traced.output(outputs[0] if len(outputs) == 1 else outputs)
    module = fx.GraphModule(modules, traced, class_name=class_name(graph.name))
    _restore_lists(module, modules)
    return module


def class_name(name: str) -> str:
    """The module's class, after the network: `lenet_bn` is LenetBn."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_")) or "Network"


def _module(node: Node, seed: int, device: str) -> nn.Module:
    with torch.device(device):
        if device == "meta":
            return node.op.build(*node.input_types)
        return initialise(node, seed)


def _restore_lists(module: nn.Module, names: Iterable[str]) -> None:
    """Make a ModuleList of every scope whose children are numbered; fx leaves plain modules there."""
    scopes = {name.rpartition(".")[0] for name in names if name.rpartition(".")[2].isdigit()}
    for scope in sorted(scopes, key=lambda scope: scope.count("."), reverse=True):
        parent_name, _, child = scope.rpartition(".")
        children = module.get_submodule(scope)
        parent = module.get_submodule(parent_name)
        setattr(parent, child, nn.ModuleList(children.children()))
