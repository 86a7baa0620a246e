"""Branches, choices and what is inside of them: names, what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.ir.graph import Graph
from netspec.pipeline import check_text
from tests.language.compositions import compositions
from tests.language.spec_text import codes, faults, graph, reads, shapes

# Names


NAMES = {
    "branches": (
        "- branches: {main: [ReLU, ReLU], other: [ReLU]}\n  merge: Add",
        ["main.relu_1", "main.relu_2", "other.relu_1", "add_1"],
    ),
    "the same branches again": (
        """
        - branches: {main: [ReLU], other: []}
          merge: Add
        - branches: {main: [ReLU], other: []}
          merge: Add
        """,
        ["main.relu_1", "add_1", "main_2.relu_1", "add_2"],
    ),
    "branches in branches": (
        "- branches: {a: [{branches: {a: [ReLU], b: []}, merge: Add}], b: []}\n  merge: Add",
        ["a.a.relu_1", "a.add_1", "add_1"],
    ),
    "branches with a name": (
        "- branches: {a: [ReLU], b: []}\n  merge: Add\n  name: both\n- ReLU",
        ["both.a.relu_1", "both.add_1", "relu_1"],
    ),
    "a merge with a name": (
        "- branches: {a: [ReLU], b: []}\n  merge: {Concat: {dim: 2}, name: both}\n- Concat",
        ["a.relu_1", "both", "concat_2"],
    ),
    "repeated branches": (
        "- branches: {a: [ReLU], b: []}\n  merge: Add\n  repeat: 2",
        ["branches_1.0.a.relu_1", "branches_1.0.add_1", "branches_1.1.a.relu_1", "branches_1.1.add_1"],
    ),
    "a choice adds no scope": (
        "- if: $yes\n  then: [ReLU]\n  else: [ReLU, ReLU]\n- ReLU",
        ["relu_1", "relu_4"],
    ),
    "the other choice": ("- if: not $yes\n  then: [ReLU]\n  else: [ReLU]\n- ReLU", ["relu_2", "relu_3"]),
    "a choice with a name": (
        "- if: $yes\n  name: chosen\n  then: [ReLU]\n  else: [ReLU]\n- ReLU",
        ["chosen.relu_1", "relu_1"],
    ),
    "a repeated choice": (
        "- if: $yes\n  then: [ReLU]\n  repeat: 2\n- ReLU",
        ["if_1.0.relu_1", "if_1.1.relu_1", "relu_1"],
    ),
    "a choice in a branch": (
        "- branches: {a: [{if: $yes, then: [ReLU]}, ReLU], b: []}\n  merge: Add",
        ["a.relu_1", "a.relu_2", "add_1"],
    ),
    "an untaken step": ("- ReLU:\n  if: not $yes\n- ReLU", ["relu_2"]),
    "a repeated step": ("- ReLU:\n  repeat: 2\n- ReLU", ["relu_1.0", "relu_1.1", "relu_2"]),
    "loops": (
        "- for: {i: [1, 2]}\n  do: [ReLU]\n- for: {i: [1]}\n  do: [ReLU]\n- ReLU",
        ["for_1.0.relu_1", "for_1.1.relu_1", "for_2.0.relu_1", "relu_1"],
    ),
    "blocks": ("- Two\n- Two:\n  name: own", ["two_1.relu_1", "two_1.relu_2", "own.relu_1", "own.relu_2"]),
    "repeated blocks": (
        "- Two:\n  repeat: 2",
        ["two_1.0.relu_1", "two_1.0.relu_2", "two_1.1.relu_1", "two_1.1.relu_2"],
    ),
    "a block as a merge": (
        "- branches: {a: [], b: []}\n  merge: Total\n- Two",
        ["total_1.add_1", "two_1.relu_1", "two_1.relu_2"],
    ),
    "a parameter": ("- $act\n- ReLU\n- $act: {}", ["act_1", "relu_1", "act_2"]),
    "an expression": ("- \"$act if $yes else 'Tanh'\"", ["act_1"]),
    "names with dots": (
        "- {ReLU: , name: stage.0.main}\n- {ReLU: , name: stage.1.main}\n- ReLU",
        ["stage.0.main", "stage.1.main", "relu_3"],
    ),
}

MORE = """
params: {yes: true, act: Tanh, n: 2}
blocks:
  Two: {layers: [ReLU, ReLU]}
  Total: {inputs: [a, b], layers: [{Add: , from: [a, b]}]}
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", NAMES)
def test_names(case: str) -> None:
    layers, expected = NAMES[case]
    assert [node.name for node in graph(layers, more=MORE)] == expected


def nodes(network: Graph) -> dict[str, str]:
    return {node.name: str(node.op.model_dump()) for node in network}


def conditional(body: Any) -> Any:
    """The body with every list of steps for a false condition taken out."""
    if isinstance(body, dict):
        return {key: conditional(item) for key, item in body.items() if key != "else"}
    return [conditional(item) for item in body] if isinstance(body, list) else body


@given(compositions())
def test_a_condition_renames_nothing(written: dict[str, Any]) -> None:
    written = conditional(written)
    text = json.dumps(written).replace("not $flag", "$flag")
    taken, left_out = (
        check_text(text, "drawn.json", settings={"flag": flag}).graph for flag in ("true", "false")
    )
    assert nodes(left_out).items() <= nodes(taken).items()


@given(compositions(), st.integers(0, 9), st.booleans())
def test_a_step_renames_nothing_above_it(written: dict[str, Any], place: int, named: bool) -> None:
    layers = written["layers"]
    place %= len(layers) + 1
    cut = {**written, "layers": layers[:place] or ["Identity"]}
    step = {"Sigmoid": None, "name": "added"} if named else "Sigmoid"
    before = check_text(json.dumps(cut), "drawn.json").graph
    whole = check_text(json.dumps({**written, "layers": [*cut["layers"], step]}), "drawn.json").graph
    assert nodes(before).items() <= nodes(whole).items()
    assert len(whole.nodes) == len(before.nodes) + 1


@given(compositions())
def test_names_are_given_once_and_stand_in_their_scopes(written: dict[str, Any]) -> None:
    network = check_text(json.dumps(written), "drawn.json").graph
    scopes = [scope.name for scope in network.scopes]
    assert len(set(scopes)) == len(scopes)
    assert len(network.by_name) == len(network.nodes)
    assert not set(scopes) & set(network.by_name)
    for name in [*network.by_name, *scopes]:
        around = name.rpartition(".")[0]
        assert not around or around in scopes


@pytest.mark.parametrize(
    "layers",
    [
        "- {ReLU: , name: main}\n- branches: {main: [], other: []}\n  merge: Add",
        "- branches: {main: [], other: []}\n  merge: Add\n- {ReLU: , name: main}",
        "- branches: {main: [], other: []}\n  merge: {Add: , name: main}",
        "- branches: {main: [], main_2: []}\n  merge: Add\n- branches: {main: [], other: []}\n  merge: Add",
        "- branches: {main: [], image: []}\n  merge: Add",
        "- {ReLU: , name: add_1}\n- branches: {main: [], other: []}\n  merge: Add",
        "- {ReLU: , name: two_1}\n- Two",
        "- {ReLU: , name: for_1}\n- for: {i: [1]}\n  do: [ReLU]",
        "- {ReLU: , name: act_1}\n- $act",
        "- {ReLU: , name: stage.a}\n- for: {i: [1]}\n  name: stage\n  do: [ReLU]",
        "- for: {i: [1]}\n  name: stage\n  do: [ReLU]\n- {ReLU: , name: stage.a}",
        "- {ReLU: , name: pool}\n- {ReLU: , name: pool.indices}",
        "- {ReLU: , name: a.b.c}\n- {ReLU: , name: a.b}",
        "- {ReLU: , name: a.b}\n- {ReLU: , name: a.b}",
        "- if: $yes\n  then: [{ReLU: , name: a}]\n- {ReLU: , name: a}",
        "- if: $yes\n  then: [{ReLU: , name: a}, {ReLU: , name: a}]",
    ],
)
def test_a_name_is_given_once(layers: str) -> None:
    assert codes(faults(layers, more=MORE)) == ["NS211"]


def test_the_two_lists_of_a_choice_may_give_the_same_name() -> None:
    layers = """
    - if: $yes
      then: [{ReLU: , name: act}]
      else: [{Tanh: , name: act}]
    - Add:
      from: [act, image]
    """
    assert type(graph(layers, more=MORE).by_name["act"].op).__name__ == "ReLU"
    assert type(graph(layers, more=MORE, yes="false").by_name["act"].op).__name__ == "Tanh"


@pytest.mark.parametrize(
    "name", ["stage.class.a", "stage.__a", "stage..a", ".a", "a.", "stage.forward", "0.a"]
)
def test_names_with_dots_are_checked_part_by_part(name: str) -> None:
    assert codes(faults(f"- {{ReLU: , name: {name}}}")) == ["NS201"]


# What is read


def test_prev_at_the_head_of_a_branch_is_what_the_step_gets() -> None:
    network = graph(
        """
        - Conv2d: {out_channels: 5, kernel_size: 1}
        - branches:
            a: [{Conv2d: {out_channels: $prev.channels, kernel_size: 1}}]
            b:
              - Conv2d: {out_channels: $in.channels, kernel_size: 1}
              - Conv2d: {out_channels: 5, kernel_size: 1}
            c: []
          merge: Add
        - branches: {a: [ReLU], b: [{Tanh: , from: conv2d_1}]}
          merge: Concat
          from: image
        """
    )
    assert reads(network) == {
        "conv2d_1": ["image"],
        "a.conv2d_1": ["conv2d_1"],
        "b.conv2d_1": ["conv2d_1"],
        "b.conv2d_2": ["b.conv2d_1"],
        "add_1": ["a.conv2d_1", "b.conv2d_2", "conv2d_1"],
        "a_2.relu_1": ["image"],
        "b_2.tanh_1": ["conv2d_1"],
        "concat_1": ["a_2.relu_1", "b_2.tanh_1"],
    }
    assert shapes(network)["a.conv2d_1"] == "(batch, 5, 32, 32)"
    assert shapes(network)["b.conv2d_1"] == "(batch, 3, 32, 32)"


def test_prev_and_in_everywhere() -> None:
    network = graph(
        """
        - Conv2d: {out_channels: 5, kernel_size: 1}
        - if: $prev.channels == 5 and $in.channels == 3
          then:
            - Conv2d: {out_channels: $prev.channels + 1, kernel_size: 1}
            - Conv2d: {out_channels: $prev.channels + 1, kernel_size: 1}
        - for: {i: [10, 20]}
          name: stage
          do:
            - Conv2d: {out_channels: $prev.channels + $i, kernel_size: 1}
          between:
            - Conv2d: {out_channels: 100 * $prev.channels, kernel_size: 1}
              name: widen
        - Wide: {by: $prev.channels}
        - Conv2d: {out_channels: $stage.channels - $in.channels, kernel_size: 1}
          repeat: $prev.channels - 1719
        """,
        more="""
        blocks:
          Wide:
            params: {by: int}
            layers:
              - ReLU
              - Conv2d: {out_channels: $prev.channels + $in.channels - $by, kernel_size: 1}
              - Add:
                from: [prev, in]
        """,
    )
    channels = {node.name: node.output.type.known[1] for node in network}
    assert channels == {
        "conv2d_1": 5,
        "conv2d_2": 6,
        "conv2d_3": 7,
        "stage.0.conv2d_1": 17,
        "stage.1.widen": 1700,
        "stage.1.conv2d_1": 1720,
        "wide_1.relu_1": 1720,
        "wide_1.conv2d_1": 1720,
        "wide_1.add_1": 1720,
        "conv2d_4.0": 1717,
    }


def test_what_is_inside_is_read_by_its_path() -> None:
    network = graph(
        """
        - branches: {a: [ReLU], b: []}
          merge: {Add: , name: sum}
        - branches: {a: [ReLU, {if: true, then: [Tanh]}], c: []}
          merge: Add
          name: both
        - Concat:
          from: [a, a.relu_1, b, sum, both, both.a, both.a.tanh_1, both.c, both.add_1, prev, in]
        """
    )
    assert reads(network)["concat_1"] == [
        *("a.relu_1", "a.relu_1", "image", "sum", "both.add_1", "both.a.tanh_1", "both.a.tanh_1"),
        *("sum", "both.add_1", "both.add_1", "image"),
    ]


def test_inside_a_branch_the_scopes_around_it_are_seen() -> None:
    network = graph(
        """
        - {ReLU: , name: stem}
        - branches:
            a: [{Tanh: , name: inner}]
            b: [{Add: , from: [stem, a, a.inner, image]}]
          merge: Add
        """
    )
    assert reads(network)["b.add_1"] == ["stem", "a.inner", "a.inner", "image"]


def test_a_name_inside_a_branch_is_not_seen_behind_it() -> None:
    found = faults(
        "- branches: {a: [{Tanh: , name: inner}], b: []}\n  merge: Add\n- Add:\n  from: [prev, inner]"
    )
    assert codes(found) == ["NS212"]


def test_the_merge_has_the_branches_in_their_order_and_its_arguments() -> None:
    network = graph(
        """
        - branches: {b: [ReLU], a: [Tanh], c: []}
          merge: {Concat: {dim: -1}}
        - branches: {left: [], right: [ReLU]}
          merge: Difference
        - branches: {left: [], right: [ReLU]}
          merge: $joint
        """,
        more="""
        params: {joint: Sub}
        blocks: {Difference: {inputs: [x, y], layers: [{Sub: , from: [y, x]}]}}
        """,
    )
    read = reads(network)
    assert read["concat_1"] == ["b.relu_1", "a.tanh_1", "image"]
    assert shapes(network)["concat_1"] == "(batch, 3, 32, 96)"
    assert read["difference_1.sub_1"] == ["right.relu_1", "concat_1"]
    assert read["joint_1"] == ["difference_1.sub_1", "right_2.relu_1"]


def test_a_step_of_branches_takes_one_input() -> None:
    layers = "- branches: {a: [], b: []}\n  merge: Add\n  from: "
    assert codes(faults(layers + "[image, image]")) == ["NS216"]
    assert codes(faults(layers + "{input: image}")) == ["NS216"]


def test_branches_of_a_file_with_several_inputs() -> None:
    layers = "- branches: {a: [{ReLU: , from: x}], b: [{ReLU: , from: y}]}\n  merge: Add"
    network = graph(layers, inputs="{x: [n, 3], y: [n, 3]}")
    assert reads(network)["add_1"] == ["a.relu_1", "b.relu_1"]
    empty = "- branches: {a: [{ReLU: , from: x}, {Add: , from: [prev, y]}], b: []}\n  merge: Add"
    assert codes(faults(empty, inputs="{x: [n, 3], y: [n, 3]}")) == ["NS214"]
