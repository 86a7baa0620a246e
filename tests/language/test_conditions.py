"""Conditions and repetition: what is taken how often, what is the identity, and what is not there."""

from __future__ import annotations

import pytest

from tests.language.spec_text import checked, codes, faults, graph, reads, shapes, spec, values

# What leaves everything as it is

IDENTITIES = {
    "an operation": "Conv2d: {out_channels: 9, kernel_size: 3}",
    "an operation of several inputs": "Add:",
    "a block": "Wide:",
    "a parameter": "$act:",
    "branches": "branches: {a: [], b: [ReLU]}\n  merge: Add",
    "a loop": "for: {i: [1, 2]}\n  do: [ReLU]",
}


@pytest.mark.parametrize("step", IDENTITIES)
@pytest.mark.parametrize(
    "beside", ["if: false", "repeat: 0", "if: $n > 3", "repeat: $n - 2", "if: false\n  repeat: 3"]
)
@pytest.mark.parametrize("source", ["", "\n  from: stem"])
def test_a_step_that_is_not_taken_is_the_identity(step: str, beside: str, source: str) -> None:
    written = IDENTITIES[step]
    if written == "Add:":
        source = f"\n  from: [{'stem' if source else 'prev'}, image]"
    layers = f"- {{ReLU: , name: stem}}\n- Tanh\n- {written}\n  {beside}{source}\n  name: gone\n- Sigmoid"
    more = "params: {n: 2, act: ReLU}\nblocks: {Wide: {layers: [ReLU, ReLU]}}"
    network = checked(spec(layers, more=more)).graph
    assert list(network.by_name) == ["stem", "tanh_1", "sigmoid_1"]
    passed = "stem" if "stem" in source else "tanh_1"
    assert reads(network)["sigmoid_1"] == [passed]
    behind = graph(f"{layers}\n- Mul:\n  from: [prev, gone]", more=more)
    assert reads(behind)["mul_1"] == ["sigmoid_1", passed]


def test_a_choice_of_nothing_is_the_identity() -> None:
    network = graph("- ReLU\n- if: false\n  then: [Tanh]\n  from: image\n- Sigmoid\n- if: true\n  then: []")
    assert reads(network) == {"relu_1": ["image"], "sigmoid_1": ["image"]}
    assert values(network) == {"sigmoid_1": "sigmoid_1"}


def test_repetition_reads_what_came_before() -> None:
    network = graph(
        """
        - {Tanh: , name: stem}
        - branches: {a: [ReLU], b: [{Conv2d: {out_channels: $prev.channels, kernel_size: 1}}]}
          merge: Concat
          repeat: 2
          from: image
          name: twice
        - if: true
          then: [{Conv2d: {out_channels: $prev.channels // 2, kernel_size: 1}}]
          repeat: 2
        - Join:
          repeat: 2
          from: [prev, stem]
        """,
        more="blocks: {Join: {inputs: [a, b], layers: [{Concat: , from: [a, b]}]}}",
    )
    assert reads(network) == {
        "stem": ["image"],
        "twice.0.a.relu_1": ["image"],
        "twice.0.b.conv2d_1": ["image"],
        "twice.0.concat_1": ["twice.0.a.relu_1", "twice.0.b.conv2d_1"],
        "twice.1.a.relu_1": ["twice.0.concat_1"],
        "twice.1.b.conv2d_1": ["twice.0.concat_1"],
        "twice.1.concat_1": ["twice.1.a.relu_1", "twice.1.b.conv2d_1"],
        "if_1.0.conv2d_1": ["twice.1.concat_1"],
        "if_1.1.conv2d_1": ["if_1.0.conv2d_1"],
        "join_1.0.concat_1": ["if_1.1.conv2d_1", "stem"],
        "join_1.1.concat_1": ["join_1.0.concat_1", "stem"],
    }
    assert shapes(network)["twice.1.concat_1"] == "(batch, 12, 32, 32)"
    assert shapes(network)["if_1.1.conv2d_1"] == "(batch, 3, 32, 32)"


def test_the_condition_is_asked_before_the_repetition() -> None:
    assert graph("- ReLU:\n  repeat: 2\n  if: true").by_name.keys() == {"relu_1.0", "relu_1.1"}


# What is not there


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ("- if: false\n  then: [{ReLU: , name: x}]\n- Add:\n  from: [image, x]", "x is not there: the `if`"),
        ("- if: true\n  then: []\n  else: [ReLU]\n- Add:\n  from: [image, relu_1]", "relu_1 is not there"),
        (
            "- if: false\n  name: c\n  then: [{ReLU: , name: x}]\n- Add:\n  from: [image, c.x]",
            "c.x is not there: the `if`",
        ),
        (
            "- branches: {a: [ReLU], b: []}\n  merge: Add\n  if: false\n- Add:\n  from: [image, a]",
            "a is not there: the `if`",
        ),
        (
            "- branches: {a: [], b: []}\n  merge: Add\n  if: false\n  name: x\n- Add:\n  from: [image, x.a]",
            "x.a is not there: the `if`",
        ),
        (
            "- MaxPool2d: {kernel_size: 2, return_indices: true}\n  if: false\n  name: p\n"
            "- Add:\n  from: [image, p.indices]",
            "p.indices is not there: the `if`",
        ),
        (
            "- ReLU:\n  repeat: 0\n  name: r\n- Add:\n  from: [image, r.0]",
            "r.0 is not there: the step is repeated 0",
        ),
        (
            "- for: {i: [1]}\n  name: s\n  do: [ReLU]\n  if: false\n- Add:\n  from: [image, s.0]",
            "s.0 is not there",
        ),
        (
            "- for: {i: []}\n  name: s\n  do: [ReLU]\n- Add:\n  from: [image, s.0]",
            "s.0 is not there: its loop has no",
        ),
        (
            "- Parameter: {shape: [3]}\n  if: false\n  name: p\n- Add:\n  from: [image, p]",
            "p is not there: the `if`",
        ),
    ],
)
def test_what_a_condition_leaves_out_is_not_there(layers: str, told: str) -> None:
    found = faults(layers)
    assert codes(found) == ["NS243"]
    assert found[0].text.startswith(told)


def test_a_condition_that_is_not_known_silences_what_depends_on_it() -> None:
    found = faults(
        """
        - if: $missing > 3
          then:
            - Conv2d: {out_channels: 5, kernel_size: 1}
              name: inside
          else:
            - branches: {left: [ReLU], right: []}
              merge: {Add: , name: sum}
        - Linear: {out_features: $inside.channels}
        - Conv2d: {out_channels: $prev.channels, kernel_size: 99}
        - Add:
          from: [inside, inside.anything, left.relu_1, sum, conv2d_2]
        - ReLU:
          if: $prev.channels > 3
        - for: {i: range($inside.channels)}
          do: [ReLU]
        """
    )
    assert codes(found) == ["NS147"]


def test_steps_that_are_not_taken_hold_no_errors() -> None:
    """What they would be depends on values that they do not have."""
    layers = "- Conv2d: {out_channels: 3, kernel_size: 99}\n  if: $image.height > 99\n- ReLU"
    assert list(graph(layers).by_name) == ["relu_1"]
