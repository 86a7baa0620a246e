"""Graphs as ejected files, and both modules with the same weights."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from netspec.ir.graph import Graph
from netspec.torch_backend.build import build
from netspec.torch_backend.eject import eject
from netspec.torch_backend.eject.recorded import undrawn

NUMBERS = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))


def ejected_network(text: str) -> Any:
    """The network of an ejected file."""
    names: dict[str, Any] = {"__name__": "ejected"}
    exec(compile(text, "ejected.py", "exec"), names)
    return names[network_of(text)]()


def network_of(text: str) -> str:
    """The name of a file's last class."""
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)][-1]


def imports(text: str) -> set[str]:
    """The packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def weights(module: nn.Module) -> dict[str, Tensor]:
    """Other numbers for everything that a module's state dict has; variances are positive."""
    found = {}
    for place, (name, tensor) in enumerate(module.state_dict().items()):
        if not tensor.is_floating_point():
            found[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
            continue
        start, count = 31 * place, tensor.numel()
        numbers = NUMBERS[start : start + count]
        if len(numbers) < count:
            numbers = NUMBERS.repeat(-(-count // len(NUMBERS)))[:count]
        numbers = numbers.reshape(tensor.shape).to(tensor.dtype)
        found[name] = numbers.abs() + 0.5 if name.endswith("running_var") else 0.1 * numbers
    return found


def pair(graph: Graph, *, drawn: bool = True) -> tuple[nn.Module, nn.Module]:
    """netspec's module and the ejected one with the same weights, in evaluation mode.

    If not `drawn`, both are made on no device first, which for large networks is quicker.
    """
    text = eject(graph)
    assert imports(text) <= {"torch", "collections", "typing", "math"}
    with nullcontext() if drawn else undrawn():
        own = build(graph, device="cpu" if drawn else "meta")
        ejected = ejected_network(text)
    assert types(ejected) == types(own)
    known = weights(own)
    for module in (own, ejected):
        module.load_state_dict({name: tensor.clone() for name, tensor in known.items()}, assign=not drawn)
    return own.eval(), ejected.eval()


def types(module: nn.Module) -> list[tuple[str, tuple[int, ...], torch.dtype]]:
    """The state dict's names in their order, with shapes and types."""
    return [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in module.state_dict().items()]


def feeds(graph: Graph, sizes: Mapping[str, int]) -> list[Tensor]:
    """Inputs of these sizes; integers are small, truth values mixed."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for item in graph.inputs:
        shape = item.value.type.bind(sizes)
        dtype = getattr(torch, item.value.type.dtype.value)
        if dtype.is_floating_point:
            found.append(torch.randn(shape, generator=generator).to(dtype))
        else:
            numbers = torch.randint(0, 2 if dtype is torch.bool else 9, shape, generator=generator)
            numbers[..., :1] = 0  # a mask leaves something
            found.append(numbers.to(dtype))
    return found


def outputs(module: nn.Module, given: list[Tensor]) -> list[Tensor]:
    """What a module gives, its random numbers always the same."""
    torch.manual_seed(0)
    with torch.no_grad():
        result = module(*(tensor.clone() for tensor in given))
    return list(result) if isinstance(result, tuple) else [result]


def assert_same(own: nn.Module, ejected: nn.Module, given: list[Tensor]) -> None:
    """Both give the very same, NaN included."""
    for expected, found in zip(outputs(own, given), outputs(ejected, given), strict=True):
        assert expected.dtype == found.dtype
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
