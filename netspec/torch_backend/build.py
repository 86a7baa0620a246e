"""A Graph to a torch module whose tree, state dict and repr bear the names of the spec."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.dim import Dim
from netspec.ir.graph import Graph, Node
from netspec.torch_backend.initialise import drawn, reproducible
from netspec.torch_backend.network import Network, assemble


class CannotBuild(Diagnostic):
    """A layer that torch refuses to make, as a rule since it is too large for the memory."""

    code = "NS573"
    message = "torch cannot make layer {layer}: {reason}"

    layer: str
    reason: str

    @property
    def help(self) -> str:
        return "make the layer smaller, or use a machine with more memory"


def build(graph: Graph, *, seed: int = 0, device: str = "cpu") -> nn.Module:
    """The network as a module in training mode: takes the graph's inputs in order, gives its outputs.

    One output is returned as it is, several as a tuple in the order of the spec. Weights are drawn as the
    spec's `init` says, otherwise as torch does; each layer's from `seed` and its own name, so that the same
    seed gives the same weights on every device, and a new layer leaves the others' as they were. torch's own
    random state stays as it is. On the device `meta` nothing is allocated or drawn.

    Errors: NS573 where torch refuses a layer; NS574 where it refuses to draw one's weights.
    """
    with reproducible():
        layers = {node.name: _layer(node, seed, device) for node in graph if node.shares is None}
    module = Network(assemble(layers), _traced(graph), class_name(graph.name))
    return module if device in ("cpu", "meta") else module.to(device)


def class_name(name: str) -> str:
    """The module's class, after the network: `lenet_bn` is LenetBn."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_")) or "Network"


def _layer(node: Node, seed: int, device: str) -> nn.Module:
    try:
        if device != "meta":
            return drawn(node, seed)
        with torch.device("meta"):
            return node.op.build(*node.input_types)
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "out of memory"
        raise DiagnosticError(CannotBuild(layer=node.name, reason=reason).at(node.span)) from error


def _traced(graph: Graph) -> fx.Graph:
    """The calls of the layers, as torch.fx writes them down."""
    traced = fx.Graph()
    tensors = {item.name: traced.placeholder(item.name) for item in graph.inputs}
    sizes = _sizes(graph)
    for node in graph:
        inputs = node.arranged([tensors[value.name] for value in node.inputs], None)
        named: dict[str, Any] = {symbol: _size(traced, tensors, *sizes[symbol]) for symbol in node.op.symbols}
        result = traced.call_module(node.owner, inputs, named)
        if len(node.outputs) == 1:
            tensors[node.output.name] = result
            continue
        for number, value in enumerate(node.outputs):
            tensors[value.name] = traced.call_function(operator.getitem, (result, number))
    outputs = tuple(tensors[output.value.name] for output in graph.outputs)
    traced.output(outputs[0] if len(outputs) == 1 else outputs)
    return traced


def _sizes(graph: Graph) -> dict[str, tuple[str, int]]:
    """For each symbolic dimension an input and its axis that has this size."""
    found: dict[str, tuple[str, int]] = {}
    for item in graph.inputs:
        for axis, size in enumerate(item.value.type.known):
            if isinstance(size, Dim):
                found.setdefault(str(size), (item.name, axis))
    return found


def _size(traced: fx.Graph, tensors: Mapping[str, fx.Node], name: str, axis: int) -> fx.Node:
    return traced.call_method("size", (tensors[name], axis))
