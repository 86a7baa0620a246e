"""Blocks: their inputs and outputs, what they see; blocks inside blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.language.instances import DEPTH_LIMIT
from tests.language.spec_text import checked, codes, faults, graph, reads, shapes, spec, texts, values

# Inputs and outputs

TWO = """
blocks:
  Two:
    inputs: [left, right]
    outputs: {sum: s, kept: left}
    layers:
      - {Sub: , from: [left, right]}
      - {Add: , from: [prev, right], name: s}
  First: {inputs: [x, y], layers: [{Tanh: , from: y}]}
"""


def test_several_inputs_in_order_and_by_name() -> None:
    network = graph(
        """
        - {ReLU: , name: a}
        - {Tanh: , name: b}
        - {Two: , from: [a, b]}
        - {Two: , from: {right: a, left: b}}
        - {First: , from: [a, prev], name: last}
        """,
        more=TWO,
    )
    assert reads(network) == {
        "a": ["image"],
        "b": ["a"],
        "two_1.sub_1": ["a", "b"],
        "two_1.s": ["two_1.sub_1", "b"],
        "two_2.sub_1": ["b", "a"],
        "two_2.s": ["two_2.sub_1", "a"],
        "last.tanh_1": ["two_2.s"],
    }


def test_outputs_are_ports_and_the_first_is_meant_by_the_name_alone() -> None:
    network = graph(
        "- {Two: , from: [image, image], name: t}\n- {Mul: , from: [t, t.sum, t.kept, prev]}", more=TWO
    )
    assert reads(network)["mul_1"] == ["t.s", "t.s", "image", "t.s"]


def test_a_list_of_outputs_names_the_ports() -> None:
    layers = "- {A: , name: a}\n- {Mul: , from: [a, a.x, a.y]}"
    more = """
    blocks:
      A:
        outputs: [y, x, pool.indices]
        layers:
          - {ReLU: , name: x}
          - {Tanh: , name: y}
          - {MaxPool2d: {kernel_size: 2, return_indices: true}, name: pool}
    """
    network = checked(spec(layers, more=more) + "outputs: {y: prev, where: a.pool_indices}\n").graph
    assert reads(network)["mul_1"] == ["a.y", "a.x", "a.y"]
    assert values(network) == {"y": "mul_1", "where": "a.pool.indices"}


def test_a_block_may_pass_on_its_input_or_have_none() -> None:
    network = graph(
        "- {Both: , name: both}\n- Table\n- Table\n- {Add: , from: [prev, both, both.given, table_1]}",
        more="""
        blocks:
          Both: {outputs: {made: prev, given: in}, layers: [ReLU]}
          Table: {inputs: [], layers: [{Parameter: {shape: [1, 3, 1, 1]}}, Tanh]}
        """,
    )
    assert reads(network)["add_1"] == ["table_2.tanh_1", "both.relu_1", "image", "table_1.tanh_1"]


def test_an_empty_block_is_the_identity() -> None:
    network = graph(
        "- ReLU\n- Nothing\n- Nothing:\n  repeat: 2\n- Tanh", more="blocks: {Nothing: {layers: []}}"
    )
    assert reads(network) == {"relu_1": ["image"], "tanh_1": ["relu_1"]}


def test_a_port_of_a_block_may_be_an_output_of_the_file() -> None:
    layers = "- {Two: , from: [image, image], name: t}"
    network = checked(spec(layers, more=TWO) + "outputs: {a: t.sum, b: t.kept, c: t}\n").graph
    assert values(network) == {"a": "t.s", "b": "image", "c": "t.s"}


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("{Two: }", "NS216"),
        ("{Two: , from: image}", "NS216"),
        ("{Two: , from: [image, image, image]}", "NS216"),
        ("{Two: , from: {left: image}}", "NS245"),
        ("{Two: , from: {left: image, middle: image}}", "NS232"),
        ("{ReLU: , from: two_1.nothing}", "NS215"),
        ("{ReLU: , from: two_1.sub_1}", "NS215"),
    ],
)
def test_inputs_and_outputs_that_are_refused(step: str, code: str) -> None:
    layers = f"- {{Two: , from: [image, image]}}\n- {step}"
    assert codes(faults(layers, more=TWO)) == [code]


def test_only_outputs_of_a_block_are_seen() -> None:
    (fault,) = faults(
        "- {A: , name: a}\n- {ReLU: , from: a.x}", more="blocks: {A: {layers: [{ReLU: , name: x}]}}"
    )
    assert fault.help == "of a block only its outputs are visible: list {port} in its `outputs`"


def test_labels_belong_to_outputs_of_the_file() -> None:
    more = "blocks: {A: {outputs: {y: {from: prev, labels: [a]}}, layers: [ReLU]}}"
    assert codes(faults("- A", more=more)) == ["NS202"]


@pytest.mark.parametrize("key", ["init: zeros", "parametrize: weight_norm"])
def test_a_block_has_no_weights_of_its_own(key: str) -> None:
    more = "params: {b: A}\nblocks: {A: {layers: [{Linear: {out_features: 3}}]}}"
    assert codes(faults(f"- A:\n  {key}", more=more)) == ["NS202"]
    assert codes(faults(f"- $b:\n  {key}", more=more)) == ["NS202"]


# What a block sees


def test_a_block_sees_its_parameters_and_inputs_alone() -> None:
    found = faults(
        """
        - {ReLU: , name: stem}
        - for: {i: [1]}
          do: [Closed]
        """,
        more="""
        params: {n: 8}
        blocks:
          Closed:
            layers:
              - Conv2d: {out_channels: $n, kernel_size: 1}
              - Conv2d: {out_channels: $i, kernel_size: 1}
              - Conv2d: {out_channels: $stem.channels, kernel_size: 1}
              - Conv2d: {out_channels: $image.channels, kernel_size: 1}
              - {ReLU: , from: stem}
              - {ReLU: , from: image}
              - {ReLU: , from: for_1}
        """,
    )
    assert codes(found) == ["NS147"] * 4 + ["NS212"] * 3


def test_a_block_with_several_inputs_has_no_in() -> None:
    more = "blocks: {A: {inputs: [x, y], layers: [{Add: , from: [x, y]}, {Mul: , from: [in, prev]}]}}"
    assert codes(faults("- {A: , from: [image, image]}", more=more)) == ["NS214"]
    more = more.replace("{Mul: , from: [in, prev]}", "{Conv2d: {out_channels: $in.channels, kernel_size: 1}}")
    assert codes(faults("- {A: , from: [image, image]}", more=more)) == ["NS147"]


def test_the_types_of_inputs_have_their_names() -> None:
    network = graph(
        "- Conv2d: {out_channels: 5, kernel_size: 1}\n- {A: , from: [image, prev]}",
        more="""
        blocks:
          A:
            inputs: [x, y]
            layers: [{Conv2d: {out_channels: 10 * $x.channels + $y.channels, kernel_size: 1}, from: y}]
        """,
    )
    assert shapes(network)["a_1.conv2d_1"] == "(batch, 35, 32, 32)"


def test_symbolic_dimensions_are_seen_everywhere() -> None:
    network = graph(
        "- A",
        inputs="{x: [batch, 3, H, 8]}",
        more="blocks: {A: {layers: [{Reshape: {shape: [batch, -1, H]}}]}}",
    )
    assert shapes(network)["a_1.reshape_1"] == "(batch, 24, H)"


# Blocks inside blocks


LEVELS = """
blocks:
  Level:
    params: {depth: int}
    layers:
      - Conv2d: {out_channels: $in.channels, kernel_size: 1}
      - Level: {depth: $depth - 1}
        if: $depth > 1
"""


@given(st.integers(1, 12))
def test_a_block_may_contain_itself(depth: int) -> None:
    network = graph("- Level: {depth: $n}", more=f"params: {{n: {depth}}}{LEVELS}")
    assert list(network.by_name) == ["level_1." * number + "conv2d_1" for number in range(1, depth + 1)]


def test_blocks_stand_inside_one_another_to_a_depth_of_100() -> None:
    assert DEPTH_LIMIT == 100
    network = graph(f"- Level: {{depth: {DEPTH_LIMIT}}}", more=LEVELS)
    assert len(network.nodes) == DEPTH_LIMIT
    (fault,) = faults(f"- Level: {{depth: {DEPTH_LIMIT + 1}}}", more=LEVELS)
    assert fault.code == "NS250"
    assert fault.text.endswith("Level in Level in … in Level in Level in Level")


def test_depth_is_counted_anew_for_every_step() -> None:
    layers = f"- Level: {{depth: {DEPTH_LIMIT}}}\n" * 3
    assert len(graph(layers, more=LEVELS).nodes) == 3 * DEPTH_LIMIT


def test_blocks_that_contain_one_another() -> None:
    more = """
    blocks:
      Even: {params: {n: int}, layers: [ReLU, {if: $n > 0, then: [{Odd: {n: $n - 1}}]}]}
      Odd: {params: {n: int}, layers: [Tanh, {if: $n > 0, then: [{Even: {n: $n - 1}}]}]}
    """
    network = graph("- Even: {n: 3}", more=more)
    assert [type(node.op).__name__ for node in network] == ["ReLU", "Tanh", "ReLU", "Tanh"]
    endless = "blocks: {A: {layers: [B]}, B: {layers: [A]}}"
    (fault,) = faults("- A", more=endless)
    assert fault.text.endswith("A in B in … in A in B in A")


def test_an_operation_that_grows_with_every_block_ends_too() -> None:
    more = "blocks: {A: {params: {act: op}, layers: [$act, {A: {act: {A: {act: $act}}}}]}}"
    assert codes(faults("- A: {act: ReLU}", more=more)) == ["NS250"]


def test_blocks_may_stand_in_any_order() -> None:
    more = "blocks: {A: {layers: [B]}, B: {layers: [C]}, C: {layers: [ReLU]}}"
    assert list(graph("- A", more=more).by_name) == ["a_1.b_1.c_1.relu_1"]


# The blocks of a file


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ("{ReLU: {layers: []}}", "NS236"),
        ("{small: {layers: []}}", "NS237"),
        ("{A b: {layers: []}}", "NS201"),
        ("{A: [ReLU]}", "NS204"),
        ("{A: {layer: [ReLU]}}", "NS202"),
        ("{A: {layers: ReLU}}", "NS204"),
        ("{A: {params: {class: 1}, layers: []}}", "NS201"),
        ("{A: {params: [x], layers: []}}", "NS204"),
        ("{A: {inputs: [x, x], layers: []}}", "NS204"),
        ("{A: {inputs: [x], params: {x: 1}, layers: []}}", "NS204"),
        ("{A: {inputs: [in], layers: []}}", "NS201"),
        ("{A: {inputs: x, layers: []}}", "NS204"),
        ("{A: {layers: [{ReLU: , name: a}, {ReLU: , name: a}]}}", "NS211"),
        ("{A: {inputs: [x], layers: [{ReLU: , name: x, from: x}]}}", "NS211"),
        ("{A: {layers: [{name: x}]}}", "NS209"),
    ],
)
def test_blocks_that_are_refused(blocks: str, code: str) -> None:
    """Whether or not a step uses them."""
    assert codes(faults("- ReLU", more=f"blocks: {blocks}"))[:1] == [code]


def test_a_block_that_nothing_uses_is_a_warning() -> None:
    more = """
    blocks:
      Used: {layers: [Inner]}
      Inner: {layers: [ReLU]}
      Idle: {layers: [Lost]}
      Lost: {layers: []}
    """
    found = checked(spec("- Used", more=more)).warnings
    assert texts(list(found)) == ["nothing uses the block Idle", "nothing uses the block Lost"]


def test_a_block_that_a_parameter_or_a_variant_names_is_used() -> None:
    more = """
    params: {act: One}
    variants: {other: {act: Two}}
    blocks: {One: {layers: [ReLU]}, Two: {layers: [Tanh]}}
    """
    assert checked(spec("- $act", more=more)).warnings == ()
