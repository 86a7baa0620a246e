"""Symbolic shapes through whole networks: bounds, counterexamples, cures that cure, silence after errors."""

from __future__ import annotations

import re

import pytest

from tests.language.spec_text import codes, faults, graph, shapes

HW = "{image: [batch, 3, H, W]}"

TWO_PATHS = """
- AvgPool2d: {kernel_size: 2}
  name: floor
- Conv2d: {out_channels: 3, kernel_size: 3, stride: 2, padding: 1}
  from: image
  name: ceil
- Add:
  from: [floor, ceil]
"""


def test_symbols_run_through() -> None:
    network = graph(
        """
        - Conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
        - MaxPool2d: {kernel_size: 2}
        - Conv2d: {out_channels: 8, kernel_size: 3, padding: same}
        - AdaptiveAvgPool2d: {output_size: [1, 2]}
        - Flatten
        - Linear: {out_features: 5}
        """,
        inputs=HW,
    )
    at = {"batch": 2, "H": 33, "W": 40}
    assert [node.output.type.bind(at) for node in network] == [
        (2, 8, 17, 20),
        (2, 8, 8, 10),
        (2, 8, 8, 10),
        (2, 8, 1, 2),
        (2, 16),
        (2, 5),
    ]


@pytest.mark.parametrize(
    ("layers", "least"),
    [
        ("- Conv2d: {out_channels: 1, kernel_size: 5}", 5),
        ("- Conv2d: {out_channels: 1, kernel_size: 5, padding: 1}", 3),
        ("- Conv2d: {out_channels: 1, kernel_size: 5, padding: 2}", 1),
        ("- Conv2d: {out_channels: 1, kernel_size: 3, dilation: 4}", 9),
        ("- Conv2d: {out_channels: 1, kernel_size: 5}\n  repeat: 3", 13),
        ("- MaxPool2d: {kernel_size: 2}\n  repeat: 5", 32),
        ("- MaxPool2d: {kernel_size: 2, ceil_mode: true}\n  repeat: 5", 1),
        ("- AvgPool2d: {kernel_size: 3, stride: 2}\n- Conv2d: {out_channels: 1, kernel_size: 4}", 9),
    ],
)
def test_lower_bounds_are_inferred(layers: str, least: int) -> None:
    network = graph(layers, inputs="{image: [batch, 3, H, 64]}")
    assert network.bounds["H"].least == least
    assert network.bounds["batch"].least == 1
    fixed = "{{image: [batch, 3, {}, 64]}}"
    graph(layers, inputs=fixed.format(least))
    if least > 1:
        assert "NS302" in codes(faults(layers, inputs=fixed.format(least - 1)))


def test_a_declared_minimum_that_is_enough() -> None:
    network = graph(
        "- Conv2d: {out_channels: 1, kernel_size: 5}", inputs=HW, more="dims: {H: {min: 5}, W: {min: 9}}"
    )
    assert (network.bounds["H"].least, network.bounds["W"].least) == (5, 9)


def test_a_declared_minimum_that_is_too_small() -> None:
    """One message for a dimension, at the layer that needs most; its cure cures."""
    layers = "- Conv2d: {out_channels: 1, kernel_size: 5}\n  repeat: 3\n- ReLU"
    (found,) = faults(layers, inputs=HW, more="dims: {H: {min: 4}}")
    assert found.code == "NS318"
    cure = found.fill(found.help).removeprefix("write ")
    assert cure == "dims: {H: {min: 13}}"
    graph(layers, inputs=HW, more=cure)


def test_a_maximum_that_no_layer_can_take() -> None:
    (found,) = faults("- Conv2d: {out_channels: 1, kernel_size: 5}", inputs=HW, more="dims: {H: {max: 4}}")
    assert found.code == "NS302"
    assert "dims allows H up to 4" in [note.text for note in found.notes]


def test_odd_sizes_have_a_counterexample_and_a_cure() -> None:
    (found,) = faults(TWO_PATHS, inputs=HW)
    assert found.code == "NS303"
    notes = [note.text for note in found.notes]
    at = [re.fullmatch(r"at ([HW]) = (\d+) the sizes are (\d+) and (\d+)", note) for note in notes]
    examples = [match for match in at if match]
    assert {match[1] for match in examples} == {"H", "W"}
    for match in examples:
        size = int(match[2])
        assert (size // 2, (size - 1) // 2 + 1) == (int(match[3]), int(match[4]))
        assert match[3] != match[4]
    cure = next(
        re.fullmatch(r"with (dims: .*) they are always equal", note) for note in notes if "dims" in note
    )
    assert cure is not None
    network = graph(TWO_PATHS, inputs=HW, more=cure[1])
    assert network.by_name["add_1"].output.type.bind({"batch": 1, "H": 6, "W": 10}) == (1, 3, 3, 5)


def test_equal_chains_are_equal_without_help() -> None:
    layers = """
    - Conv2d: {out_channels: 3, kernel_size: 3, stride: 2, padding: 1}
      repeat: 2
      name: twice
    - Conv2d: {out_channels: 3, kernel_size: 1, stride: 4}
      from: image
      name: once
    - Add:
      from: [twice, once]
    """
    assert shapes(graph(layers, inputs=HW))["add_1"] == "(batch, 3, (H + 3) // 4, (W + 3) // 4)"


def test_different_symbols_are_different() -> None:
    inputs = "{a: [batch, n], b: [batch, m]}"
    assert codes(faults("- Add:\n  from: [a, b]", inputs=inputs)) == ["NS303"]
    graph("- Concat:\n  from: [a, b]", inputs=inputs)


def test_comparisons_in_conditions_see_the_bounds() -> None:
    layers = '- Conv2d: {out_channels: "8 if $in.height >= 32 else 4", kernel_size: 1}'
    assert codes(faults(layers, inputs=HW)) == ["NS155"]
    assert shapes(graph(layers, inputs=HW, more="dims: {H: {min: 32}}")) == {"conv2d_1": "(batch, 8, H, W)"}


@pytest.mark.parametrize(
    "bad",
    [
        "Conv2d: {out_channels: 8, kernel_size: 99}",
        "Conv2d: {out_channels: 0, kernel_size: 3}",
        "Conv2d: {kernel_size: 3}",
        "Conv2d: {out_channels: $nothing, kernel_size: 3}",
        "Conv2D: {out_channels: 8, kernel_size: 3}",
        "Linear: {out_features: 3, in_features: 7}",
        "Conv2d: 8",
        "$op",
        "Softmax: {dim: 9}",
    ],
)
def test_one_error_has_no_echo(bad: str) -> None:
    found = faults(
        f"""
        - {bad}
        - Conv2d: {{out_channels: 16, kernel_size: 3}}
        - BatchNorm2d: {{num_features: 16}}
        - Add:
          from: [prev, prev]
        - Flatten
        - Linear: {{out_features: 10}}
        - Softmax: {{dim: 1}}
        """,
        inputs="{image: [batch, 3, 64, 64]}",
    )
    assert len(found) == 1


def test_a_wrong_declaration_still_checks_what_follows() -> None:
    layers = "- Conv2d: {in_channels: 9, out_channels: 4, kernel_size: 3}\n- BatchNorm2d: {num_features: 5}"
    assert codes(faults(layers)) == ["NS305", "NS305"]


def test_a_chain_of_many_layers_keeps_small_sizes() -> None:
    steps = "- Conv2d: {out_channels: 3, kernel_size: 3, stride: 2, padding: 1}\n  repeat: 40"
    assert len(str(graph(steps, inputs=HW).outputs[0].value.type)) < 100
