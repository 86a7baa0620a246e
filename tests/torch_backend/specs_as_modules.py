"""Specs written in a test, as graphs; and a network that has a bit of everything."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import torch

import netspec
from netspec.ir.graph import Graph
from netspec.torch_backend.build import build
from netspec.torch_backend.dtypes import torch_dtype

SPECS = Path(__file__).parents[2] / "specs"

RICH = """
    netspec: 1
    name: rich
    inputs:
      image: [batch, 1, 12, 12]
      other: [batch, 4]
    layers:
      - Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}
        from: image
        name: stem
      - Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}
        name: hidden
        repeat: 11
      - BatchNorm2d
      - MaxPool2d: {kernel_size: 2, return_indices: true}
        name: pool
      - AdaptiveAvgPool2d: {output_size: 1}
      - Flatten
      - Add: {}
        name: both
        from: [prev, other]
      - Dropout
    outputs: {y: prev, where: pool.indices, stemmed: stem}
"""


def graph_of(text: str, folder: Path) -> Graph:
    """The graph of a spec given as text."""
    path = folder / "spec.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return netspec.check(path).graph


def module_of(graph: Graph, **options: Any) -> Any:
    """The graph's module; Any, since to a type checker a module's children could be tensors."""
    return build(graph, **options)


SIZES = {"H": 64, "W": 96, "length": 5, "samples": 4_000}


def feeds(graph: Graph, batch: int = 3) -> tuple[torch.Tensor, ...]:
    """Normal inputs; of integers and truth values zeros and ones."""
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for item in graph.inputs:
        shape = item.value.type.bind(SIZES | {"batch": batch})
        dtype = torch_dtype(item.value.type.dtype)
        if dtype.is_floating_point:
            drawn.append(torch.randn(shape, generator=generator, dtype=dtype))
        else:
            drawn.append(torch.randint(0, 2, shape, generator=generator).to(dtype))
    return tuple(drawn)
