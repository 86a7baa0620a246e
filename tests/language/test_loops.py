"""Loops: columns and rows, what stands between, their names, paths with `*`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.language.spec_text import codes, faults, graph, reads, shapes, texts, values

WIDTHS = "- for: {columns}\n  name: s\n  do: [{{Conv2d: {{out_channels: $w, kernel_size: 1}}, name: c}}]"


def widths(columns: str, more: str = "") -> list[int]:
    """The channels after each iteration of a loop over these values."""
    network = graph(WIDTHS.format(columns=columns), more=more)
    channels = [node.output.type.known[1] for node in network]
    assert all(isinstance(number, int) for number in channels)
    return channels  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("{w: [4, 5]}", [4, 5]),
        ("{w: $several}", [4, 5, 6]),
        ("{w: range($n)}", [1, 2]),
        ("{w: [$n, 2 * $n, $prev.channels]}", [3, 6, 3]),
        ("{w: [4, 5], unused: [[1, 2], ReLU]}", [4, 5]),
        ("{w: '[$n, $n + 1]'}", [3, 4]),
        ("{w: '$several[1:]'}", None),
        ("[{w: 4}, {w: $n}]", [4, 3]),
        ("[{w: 4, v: 1}, {v: 2, w: 5}]", [4, 5]),
        ("{w: []}", []),
        ("{}", []),
        ("[]", []),
        ("{w: range($n - 3)}", []),
    ],
)
def test_columns_and_rows(columns: str, expected: list[int] | None) -> None:
    more = "params: {n: 3, several: [4, 5, 6]}"
    if expected is None:
        assert codes(faults(WIDTHS.format(columns=columns), more=more)) != []
    elif columns == "{w: range($n)}":
        assert widths("{w: 'range(1, $n)'}", more) == expected
    else:
        assert widths(columns, more) == expected


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), max_size=5))
def test_columns_are_rows_in_step(rows: list[tuple[int, int]]) -> None:
    do = "do: [{Conv2d: {out_channels: $w, kernel_size: $k, padding: $k // 2}, name: c}]"
    columns = f"{{w: {[w for w, _ in rows]}, k: {[k for _, k in rows]}}}"
    listed = "[" + ", ".join(f"{{k: {k}, w: {w}}}" for w, k in rows) + "]"
    one, other = (graph(f"- for: {values}\n  name: s\n  {do}\n- ReLU") for values in (columns, listed))
    assert shapes(one) == shapes(other)
    assert len(one.nodes) == len(rows) + 1


def test_values_are_taken_before_the_first_iteration() -> None:
    """`$prev` among them is what the loop reads, in every iteration."""
    do = "do: [{Conv2d: {out_channels: $w, kernel_size: 1}}]"
    network = graph(f"- for: {{w: [2 * $prev.channels, 2 * $prev.channels]}}\n  {do}")
    assert [node.output.type.known[1] for node in network] == [6, 6]


def test_a_loop_without_iterations_is_the_identity() -> None:
    layers = "- Tanh\n- for: {i: []}\n  name: s\n  do: [ReLU]\n  between: [Sigmoid]\n"
    layers += "- Add:\n  from: [prev, s, image]"
    assert reads(graph(layers)) == {"tanh_1": ["image"], "add_1": ["tanh_1", "tanh_1", "image"]}
    layers = "- Tanh\n- for: {i: []}\n  from: image\n  do: []\n- ReLU"
    assert reads(graph(layers))["relu_1"] == ["image"]


def test_between_comes_before_each_iteration_but_the_first_with_its_variables() -> None:
    network = graph(
        """
        - for: {w: [4, 5, 6]}
          name: s
          do:
            - {Conv2d: {out_channels: $w, kernel_size: 1}, name: wide}
          between:
            - {Conv2d: {out_channels: 10 * $w, kernel_size: 1}, name: thin}
            - ReLU
        """
    )
    assert {name: shape.split(", ")[1] for name, shape in shapes(network).items()} == {
        "s.0.wide": "4",
        "s.1.thin": "50",
        "s.1.relu_1": "50",
        "s.1.wide": "5",
        "s.2.thin": "60",
        "s.2.relu_1": "60",
        "s.2.wide": "6",
    }
    assert reads(network)["s.1.thin"] == ["s.0.wide"]


def test_between_shares_its_names_with_the_iteration() -> None:
    network = graph(
        "- for: {i: [0, 1]}\n  name: s\n  do: [ReLU, {Add: , from: [prev, in]}]\n  between: [ReLU]"
    )
    assert list(network.by_name) == ["s.0.relu_1", "s.0.add_1", "s.1.relu_2", "s.1.relu_1", "s.1.add_1"]
    assert codes(faults("- for: {i: [0]}\n  do: [{ReLU: , name: x}]\n  between: [{ReLU: , name: x}]")) == [
        "NS211"
    ]


def test_one_iteration_has_nothing_between() -> None:
    assert list(graph("- for: {i: [0]}\n  do: [ReLU]\n  between: [Tanh]").by_name) == ["for_1.0.relu_1"]


# Loops in loops


def test_loops_in_loops() -> None:
    network = graph(
        """
        - for: {i: [1, 2]}
          name: s
          do:
            - for: {j: range($i)}
              name: t
              do: [{Conv2d: {out_channels: 10 * $i + $j, kernel_size: 1}, name: c}]
        - Concat:
          from: [s.*.t.*.c, s.1.t.*, s.0, s.1.t]
        """
    )
    assert reads(network) == {
        "s.0.t.0.c": ["image"],
        "s.1.t.0.c": ["s.0.t.0.c"],
        "s.1.t.1.c": ["s.1.t.0.c"],
        "concat_1": [
            *("s.0.t.0.c", "s.1.t.0.c", "s.1.t.1.c"),
            *("s.1.t.0.c", "s.1.t.1.c", "s.0.t.0.c", "s.1.t.1.c"),
        ],
    }
    assert shapes(network)["s.1.t.1.c"] == "(batch, 21, 32, 32)"


def test_a_repeated_loop() -> None:
    network = graph(
        "- for: {i: [0, 1]}\n  name: s\n  do: [ReLU]\n  repeat: 2\n"
        "- Concat:\n  from: [s, s.0, s.0.1, s.*.0, s.*.*.relu_1]"
    )
    assert reads(network) == {
        "s.0.0.relu_1": ["image"],
        "s.0.1.relu_1": ["s.0.0.relu_1"],
        "s.1.0.relu_1": ["s.0.1.relu_1"],
        "s.1.1.relu_1": ["s.1.0.relu_1"],
        "concat_1": [
            *("s.1.1.relu_1", "s.0.1.relu_1", "s.0.1.relu_1", "s.0.0.relu_1", "s.1.0.relu_1"),
            *("s.0.0.relu_1", "s.0.1.relu_1", "s.1.0.relu_1", "s.1.1.relu_1"),
        ],
    }


def test_a_loop_over_operations_and_blocks() -> None:
    network = graph(
        """
        - for: {act: [ReLU, {LeakyReLU: {negative_slope: $slope}}, Two, {Two: {n: 2}}]}
          name: s
          do: [$act, $act: {}]
        """,
        more="params: {slope: 0.1}\nblocks: {Two: {params: {n: 1}, layers: [{ELU: {alpha: $n}}]}}",
    )
    assert list(network.by_name) == [
        *("s.0.act_1", "s.0.act_2", "s.1.act_1", "s.1.act_2"),
        *("s.2.act_1.elu_1", "s.2.act_2.elu_1", "s.3.act_1.elu_1", "s.3.act_2.elu_1"),
    ]
    assert network.by_name["s.3.act_1.elu_1"].op.model_dump()["alpha"] == 2


# Paths


SCALES = """
- for: {i: [0, 1, 2]}
  name: s
  do:
    - ReLU
    - branches:
        up: [{Tanh: , name: t}]
        skip: []
      merge: {Add: , name: sum}
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s.*", ["s.0.sum", "s.1.sum", "s.2.sum"]),
        ("s.*.sum", ["s.0.sum", "s.1.sum", "s.2.sum"]),
        ("s.*.up.t", ["s.0.up.t", "s.1.up.t", "s.2.up.t"]),
        ("s.*.skip", ["s.0.relu_1", "s.1.relu_1", "s.2.relu_1"]),
        ("s.1.up", ["s.1.up.t"]),
        ("s", ["s.2.sum"]),
    ],
)
def test_paths_into_a_loop(path: str, expected: list[str]) -> None:
    for source in (path, f"[{path}]", f"[{path}, image]"):
        network = graph(f"{SCALES}\n- Concat:\n  from: {source}")
        image = ["image"] if "image" in source else []
        assert reads(network)["concat_1"] == expected + image


def test_paths_into_repetitions() -> None:
    network = graph(
        "- ReLU:\n  repeat: 3\n  name: r\n- {Join: , from: [r.*]}\n- Concat:\n  from: r.*",
        more="""
        blocks: {Join: {inputs: [a, b, c], layers: [{Add: , from: [c, b, a]}]}}
    """,
    )
    assert reads(network)["join_1.add_1"] == ["r.2", "r.1", "r.0"]
    assert reads(network)["concat_1"] == ["r.0", "r.1", "r.2"]


def test_a_path_into_no_repetition_gives_nothing() -> None:
    for step in (
        "ReLU:\n  repeat: 0",
        "for: {i: []}\n  do: [ReLU]",
        "for: {i: [1]}\n  do: [ReLU]\n  if: false",
    ):
        network = graph(f"- {step}\n  name: r\n- Concat:\n  from: [image, r.*]")
        assert reads(network) == {"concat_1": ["image"]}


def test_an_iteration_may_read_earlier_ones() -> None:
    network = graph("- for: {i: [0, 1, 2]}\n  name: s\n  do: [{Concat: , from: [image, s.*]}]")
    assert reads(network)["s.2.concat_1"] == ["image", "s.0.concat_1", "s.1.concat_1"]
    (fault,) = faults("- for: {i: [0, 1]}\n  name: s\n  do: [{Add: , from: [image, s.0]}]")
    assert (fault.code, fault.text) == ("NS213", "s.0 comes later: a step reads what is above it")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("image.*", "NS244"),
        ("x.*", "NS244"),
        ("nothing.*", "NS212"),
        ("s.*.nothing", "NS215"),
        ("s.3", "NS215"),
        ("s.*.0", "NS215"),
        ("s.0.*", "NS244"),
        ("*", "NS212"),
        ("*.sum", "NS212"),
    ],
)
def test_paths_that_lead_nowhere(path: str, code: str) -> None:
    found = faults(f"- {{ReLU: , name: x}}{SCALES}\n- Concat:\n  from: ['{path}']")
    assert codes(found) == [code]


@pytest.mark.parametrize("path", ["s.*", "s.*.sum"])
def test_a_path_of_several_is_no_single_input(path: str) -> None:
    assert codes(faults(f"{SCALES}\n- ReLU:\n  from: {path}")) == ["NS216"]
    by_name = faults(f"{SCALES}\n- ReLU:\n  from: {{input: {path}}}")
    assert codes(by_name) == ["NS215"]


def test_the_type_of_a_loop_is_that_of_its_last_iteration() -> None:
    network = graph(
        WIDTHS.format(columns="{w: [4, 5]}") + "\n- Conv2d: {out_channels: 2 * $s.channels, kernel_size: 1}"
    )
    assert shapes(network)["conv2d_1"] == "(batch, 10, 32, 32)"


def test_a_loop_may_be_the_output() -> None:
    assert values(graph(WIDTHS.format(columns="{w: [4, 5]}"))) == {"s": "s.1.c"}


# What is refused


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ("{w: [1, 2], v: [1]}", "NS246"),
        ("{w: $several, v: [1]}", "NS246"),
        ("[{w: 1}, {v: 1}]", "NS247"),
        ("[{w: 1}, {}]", "NS204"),
        ("[{}]", "NS204"),
        ("[1]", "NS204"),
        ("3", "NS204"),
        ("null", "NS204"),
        ("range($n)", "NS204"),
        ("{w: 3}", "NS204"),
        ("{w: $n}", "NS204"),
        ("{w: range(3)}", "NS204"),
        ("{w: {a: 1}}", "NS204"),
        ("{w: null}", "NS204"),
        ("{w: [$missing]}", "NS147"),
        ("{n: [1]}", "NS248"),
        ("{image: [1]}", "NS248"),
        ("{batch: [1]}", "NS248"),
        ("{stem: [1]}", "NS248"),
        ("{w: [1], in: [1]}", "NS201"),
        ("{w: [1], prev: [1]}", "NS201"),
        ("{w: [1], w.v: [1]}", "NS201"),
        ("{w: ['$image.shape[0]']}", "NS204"),
    ],
)
def test_values_that_are_refused(columns: str, code: str) -> None:
    layers = "- {ReLU: , name: stem}\n" + WIDTHS.format(columns=columns)
    assert codes(faults(layers, more="params: {n: 3, several: [4, 5, 6]}")) == [code]


def test_to_count_a_range_of_a_parameter_is_written() -> None:
    for column in ("3", "$n", "range(3)"):
        (fault,) = faults(WIDTHS.format(columns=f"{{w: {column}}}"), more="params: {n: 3}")
        assert fault.advice == "to count, write a range of a parameter, such as range($depth)"  # type: ignore[attr-defined]


def test_a_variable_hides_none_of_the_loops_around_it() -> None:
    layers = "- for: {i: [1]}\n  do:\n    - for: {i: [1]}\n      do: [ReLU]"
    assert texts(faults(layers)) == ["the variable i has the name of something else here"]


def test_variables_are_seen_only_inside() -> None:
    loop = "- for: {i: [1]}\n  do: [ReLU]\n"
    layers = loop + "- Conv2d: {out_channels: $i, kernel_size: 1}\n" + loop
    assert codes(faults(layers)) == ["NS147"]


def test_a_wrong_loop_silences_what_reads_it() -> None:
    layers = """
    - for: {w: 3}
      name: s
      do: [{Conv2d: {out_channels: $w, kernel_size: 1}, name: c}]
    - Linear: {out_features: $s.features}
    - Add:
      from: [s.0.c, prev, s.*.c]
    """
    assert codes(faults(layers)) == ["NS204"]


def test_an_error_in_a_loop_is_one_for_each_iteration_that_has_it() -> None:
    layers = "- for: {k: [3, 40, 1]}\n  do: [{Conv2d: {out_channels: 3, kernel_size: $k}, from: image}]"
    (fault,) = faults(layers)
    assert fault.code == "NS302"


# Their length


def test_a_loop_may_be_as_long_as_a_list() -> None:
    assert len(graph("- for: {i: range($n)}\n  do: [ReLU]", more="params: {n: 10000}").nodes) == 10_000
    assert codes(faults("- for: {i: range($n)}\n  do: [ReLU]", more="params: {n: 10001}")) == ["NS153"]
