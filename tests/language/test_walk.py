"""Unfolding: the chain of steps that an error shows, and what unfolds without an end."""

from __future__ import annotations

import pytest

from netspec.language.walk import IDLE_LIMIT
from tests.language.spec_text import codes, faults, texts

# The chain of notes


CHAIN = """
blocks:
  Inner:
    params: {kernel: int}
    layers:
      - Conv2d: {out_channels: 4, kernel_size: $kernel}
  Outer:
    layers:
      - ReLU
      - Inner: {kernel: 99}
"""


def test_an_error_shows_the_chain_of_steps_and_how_often_it_stands() -> None:
    (fault,) = faults("- Outer\n- Outer:\n  from: image\n  repeat: 3\n- Outer:\n  from: image", more=CHAIN)
    assert fault.code == "NS302"
    notes = [note.text for note in fault.notes]
    assert notes[-2:] == ["in Inner, used here", "in Outer, used here"]
    assert fault.times == 3, "of the three that are repeated, two read what is not known"
    span = fault.notes[-1].span
    assert span is not None
    assert span.source.text.splitlines()[span.line - 1].strip() == "- Outer"


def test_wrong_arguments_of_a_block_are_the_fault_of_its_step() -> None:
    (fault,) = faults("- Outer", more=CHAIN.replace("kernel: 99", "kernel: x"))
    assert codes([fault]) == ["NS204"]
    assert [note.text for note in fault.notes] == ["the parameter is declared here", "in Outer, used here"]


def test_different_errors_at_one_place_outside_of_blocks_are_all_told() -> None:
    found = faults("- for: {k: [40, 50]}\n  do: [{Conv2d: {out_channels: 3, kernel_size: $k}, from: image}]")
    assert codes(found) == ["NS302", "NS302"]


# What no network needs


@pytest.mark.parametrize(
    "layers",
    [
        "- for: {i: range($n)}\n  do:\n    - for: {j: range($n)}\n      do: []",
        "- if: false\n  then: []\n  repeat: 1000000",
        "- for: {i: []}\n  do: []\n  repeat: 1000000",
        "- Nothing:\n  repeat: 1000000",
        "- Tree: {depth: 60}",
        "- branches: {a: [], b: []}\n  merge: Second\n  repeat: 1000000",
    ],
)
def test_steps_without_layers_have_an_end(layers: str) -> None:
    more = """
    params: {n: 10000}
    blocks:
      Nothing: {layers: []}
      Second: {inputs: [a, b], outputs: [b], layers: []}
      Tree:
        params: {depth: int}
        layers:
          - if: $depth > 0
            then: [{Tree: {depth: $depth - 1}}, {Tree: {depth: $depth - 1}}]
    """
    found = faults(layers, more=more)
    assert codes(found) == ["NS251"]
    assert f"{IDLE_LIMIT:,}" in found[0].text


def test_after_an_error_the_end_is_silent() -> None:
    found = faults("- Conv2d: {out_channels: 3}\n- ReLU:\n  repeat: 200000\n- Linear: {out_features: 3}")
    assert codes(found) == ["NS207"]


def test_lists_of_steps_deep_inside_one_another_are_refused_by_the_reader() -> None:
    layers = "ReLU"
    for _ in range(40):
        layers = f"{{if: true, then: [{layers}]}}"
    assert codes(faults(f"- {layers}")) == ["NS110"]


def test_a_text_that_grows_is_refused() -> None:
    more = "blocks: {A: {params: {word: str}, layers: [ReLU, {A: {word: $word + $word}}]}}"
    assert codes(faults("- A: {word: abcdefgh}", more=more)) == ["NS153"]
    assert texts(faults("- A: {word: abcdefgh}", more=more)) == ["a string with more than 10000 characters"]
