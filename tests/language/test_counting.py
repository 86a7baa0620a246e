"""The least number of layers, counted without making them, against the layers that are made."""

from __future__ import annotations

import pytest

from netspec.diagnostics import Collector
from netspec.language.counting import BUDGET, Counting
from netspec.language.document import load
from netspec.language.source import parse
from tests.language.spec_text import codes, faults, graph, spec

BLOCKS = """
params: {depth: 3, width: 32, act: ReLU}
blocks:
  Twice:
    params: {n: int, act: op}
    layers:
      - if: $n > 0
        then: [{Twice: {n: $n - 1, act: $act}, repeat: 2}]
        else: [$act]
  Residual:
    params: {channels: int, skip: false}
    layers:
      - branches:
          main: [{Conv2d: {out_channels: $channels, kernel_size: 1}}, {ReLU: , if: $skip}]
          shortcut: [{Conv2d: {out_channels: $channels, kernel_size: 1}, if: $in.channels != $channels}]
        merge: Add
"""


def counted(layers: str) -> int:
    """The least number of layers of a spec."""
    collector = Collector()
    document = load(parse(spec(layers, more=BLOCKS), "net.yaml", "yaml"), {}, collector)
    assert document is not None
    assert not collector.failed, collector.diagnostics
    counting = Counting(document.callables)
    return sum(counting.step(step, document.parameters.values) for step in document.body)


@pytest.mark.parametrize(
    "layers",
    [
        "- ReLU\n- {ReLU: , if: false}\n- {ReLU: , repeat: $depth}\n- {ReLU: , repeat: 0}",
        "- Twice: {n: 5, act: ReLU}",
        "- Twice: {n: $depth, act: {LeakyReLU: {negative_slope: 0.1}}}",
        "- {Twice: {n: 2, act: Tanh}, repeat: 3}\n- $act",
        "- for: {i: range($depth)}\n  do: [{Twice: {n: $i, act: ReLU}}]\n  between: [ReLU, Tanh]",
        "- for: [{i: 1, f: ReLU}, {i: 2, f: {ELU: {alpha: 0.5}}}]\n  do: [{$f: , repeat: $i}]\n  repeat: 2",
        "- for: {i: []}\n  do: [ReLU]\n- ReLU",
        "- for: {i: range(500 * $depth)}\n  do: [Identity, ReLU]\n  between: [Tanh]",
        "- if: $width > 3\n  then: [ReLU, ReLU]\n  else: [ReLU]",
        "- {branches: {a: [ReLU, ReLU], b: []}, merge: Add, repeat: 2, name: b}",
        "- Residual: {channels: 3, skip: true}",
    ],
)
def test_what_parameters_decide_is_counted_as_it_comes(layers: str) -> None:
    assert counted(layers) == len(graph(layers, more=BLOCKS).nodes)


@pytest.mark.parametrize(
    ("layers", "least"),
    [
        ("- Residual: {channels: 8}", 2),  # and a convolution where the channels change
        ("- {ReLU: , repeat: $in.channels}", 0),
        ("- if: $in.channels > 2\n  then: [ReLU, ReLU]\n  else: [ReLU]", 1),
        ("- if: $image.channels > 2\n  then: [ReLU, ReLU]", 0),
        ("- Twice: {n: $in.channels, act: ReLU}", 0),
        ("- for: {i: range(500 * $depth)}\n  do: [ReLU, {ReLU: , if: $i > 9}]", 1500),
    ],
)
def test_what_shapes_decide_is_counted_the_smaller_way(layers: str, least: int) -> None:
    assert counted(layers) == least <= len(graph(layers, more=BLOCKS).nodes)


def test_no_more_is_looked_at_than_is_worth_it() -> None:
    nested = "- ReLU"
    for number in range(4):
        nested = f"- for: {{i{number}: range(10 * $depth)}}\n  do:\n" + "".join(
            f"    {line}\n" for line in nested.splitlines()
        )
    assert 0 < counted(nested) < BUDGET


@pytest.mark.parametrize(
    "layers",
    [
        "- Twice: {n: 40, act: ReLU}",
        "- Twice: {n: 40, act: {LeakyReLU: {negative_slope: 0.1}}}",
        "- ReLU\n- {Residual: {channels: 3}, repeat: 600000}",
        "- for: {i: range(3000 * $depth)}\n  do: [{Residual: {channels: 3}, repeat: 100}]",
    ],
)
def test_too_many_layers_are_seen_early(layers: str) -> None:
    found = faults(layers, more=BLOCKS)
    assert codes(found) == ["NS221"]
    assert not found[0].notes  # it is no fault of the step that was just taken
