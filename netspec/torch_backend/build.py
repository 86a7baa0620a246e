"""A Graph to a torch module whose tree, state dict and repr bear the names of the spec."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.graph import Graph, Node
from netspec.ir.outline import Part, outline
from netspec.torch_backend.initialise import drawn, reproducible
from netspec.torch_backend.network import Network, assemble
from netspec.torch_backend.parametrize import parametrize
from netspec.torch_backend.sizes import measured


class CannotBuild(Diagnostic):
    """A layer that torch refuses to make, as a rule since it is too large for the memory."""

    code = "NS573"
    message = "torch cannot make layer {layer}: {reason}"

    layer: str
    reason: str

    @property
    def help(self) -> str:
        return "make the layer smaller, or use a machine with more memory"


def build(graph: Graph, *, seed: int = 0, device: str = "cpu", parametrized: bool = True) -> nn.Module:
    """The network as a module in training mode: takes the graph's inputs in order, gives its outputs.

    One output is returned as it is, several as a tuple in the order of the spec. Every instance of a block is
    a module with its own forward, loops and repetitions are ModuleLists. Weights are drawn as the spec's
    `init` says, otherwise as torch does; each layer's from `seed` and its own name, so that the same seed
    gives the same weights on every device, and a new layer leaves the others' as they were. torch's own
    random state stays as it is. On the device `meta` nothing is allocated or drawn. If not `parametrized`,
    every layer owns its weight, whatever the spec computes it from.

    Errors: NS573 where torch refuses a layer; NS574 where it refuses to draw one's weights.
    """
    plan = outline(graph)
    with reproducible():
        made = {node.name: _layer(node, seed, device, parametrized) for node in graph if node.shares is None}
        module = _module(plan, made, class_name(graph.name))
    return module if device in ("cpu", "meta") else module.to(device)


def class_name(name: str) -> str:
    """The module's class, after the network: `lenet_bn` is LenetBn."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_")) or "Network"


def _layer(node: Node, seed: int, device: str, parametrized: bool) -> nn.Module:
    try:
        if device != "meta":
            module = drawn(node, seed)
            return parametrize(module, node) if parametrized and node.parametrize else module
        with torch.device("meta"):
            module = node.op.build(*node.input_types)
            return parametrize(module, node) if parametrized and node.parametrize else module
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "out of memory"
        raise DiagnosticError(CannotBuild(layer=node.name, reason=reason).at(node.span)) from error


def _module(part: Part, made: Mapping[str, nn.Module], name: str) -> Network:
    """The module of the network or of one block's instance, and of all inside it."""
    children: dict[str, nn.Module] = {}
    for step in part.steps:
        if step.shares:
            continue
        if isinstance(step, Part):
            children[step.own] = _module(step, made, step.block)
        else:
            children[step.own] = made[step.node.name]
    return Network(assemble(children, part.containers), _traced(part), name)


def _traced(part: Part) -> fx.Graph:
    """The calls of a part's layers and blocks, as torch.fx writes them down."""
    traced = fx.Graph()
    tensors = {value.name: traced.placeholder(name) for name, value in part.inputs.items()}
    sizes = {symbol: _size(traced, tensors, place, symbol) for symbol, place in part.symbols.items()}
    for step in part.steps:
        if isinstance(step, Part):
            named: dict[str, Any] = {symbol: sizes[symbol] for symbol in step.needs}
            inputs: tuple[Any, ...] = tuple(tensors[value.name] for value in step.inputs.values())
            outputs = step.outputs
        else:
            op, types = step.node.op, step.node.input_types
            named = {
                argument: tuple(measured(traced, size, sizes.__getitem__) for size in shape)
                for argument, shape in op.sizes(*types).items()
            }
            inputs = step.node.arranged([tensors[value.name] for value in step.node.inputs], None)
            outputs = step.node.outputs
        result = traced.call_module(step.called, inputs, named)
        if len(outputs) == 1:
            tensors[outputs[0].name] = result
            continue
        for number, value in enumerate(outputs):
            tensors[value.name] = traced.call_function(operator.getitem, (result, number))
    given = tuple(tensors[value.name] for value in part.outputs)
    traced.output(given[0] if len(given) == 1 else given)
    return traced


def _size(
    traced: fx.Graph, tensors: Mapping[str, fx.Node], place: tuple[str, int] | None, symbol: str
) -> fx.Node:
    """A symbolic dimension's size: read from an input of the network, or given to a block."""
    if place is None:
        return traced.placeholder(symbol)
    name, axis = place
    return traced.call_method("size", (tensors[name], axis))
