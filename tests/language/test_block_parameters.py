"""Parameters of blocks: their types and defaults, and operations as their values."""

from __future__ import annotations

import pytest

from netspec.ir.graph import Graph
from tests.language.spec_text import codes, faults, graph, shapes, texts


def op(network: Graph, name: str) -> dict[str, object]:
    """The arguments of a layer that differ from their defaults, and its operation."""
    node = network.by_name[name]
    return {"op": type(node.op).__name__, **node.op.model_dump(exclude_defaults=True)}


# Parameters


def test_defaults_are_expressions_in_the_scope_of_the_block() -> None:
    network = graph(
        "- Wide: {channels: 2 * $n}\n- Wide: {channels: 5, less: 7}",
        more="""
        params: {n: 8}
        blocks:
          Wide:
            params:
              channels: int
              less: $channels // 2
              least: "min($less, $in.channels)"
              kernel: "[$least, 1]"
            layers:
              - Conv2d: {out_channels: $less, kernel_size: $kernel}
              - Conv2d: {out_channels: $channels, kernel_size: 1}
        """,
    )
    assert op(network, "wide_1.conv2d_1") == {"op": "Conv2d", "out_channels": 8, "kernel_size": (3, 1)}
    assert op(network, "wide_1.conv2d_2") == {"op": "Conv2d", "out_channels": 16, "kernel_size": (1, 1)}
    assert op(network, "wide_2.conv2d_1") == {"op": "Conv2d", "out_channels": 7, "kernel_size": (7, 1)}


def test_a_default_sees_nothing_of_the_file_and_nothing_below_it() -> None:
    more = "params: {n: 8}\nblocks: {A: {params: {x: $n, y: $z, z: 1}, layers: [ReLU]}}"
    assert texts(faults("- A", more=more)) == ["there is no `$n` here", "there is no `$z` here"]


def test_arguments_are_expressions_where_the_step_stands() -> None:
    network = graph(
        "- Conv2d: {out_channels: 6, kernel_size: 1}\n- A: {x: $prev.channels + $in.channels + $n}",
        more="""
        params: {n: 1}
        blocks: {A: {params: {x: int}, layers: [ReLU, {B: {x: $x * $prev.channels}}]}
               , B: {params: {x: int}, layers: [{Conv2d: {out_channels: $x, kernel_size: 1}}]}}
        """,
    )
    assert shapes(network)["a_1.b_1.conv2d_1"] == "(batch, 60, 32, 32)"


TYPED = """
blocks:
  A:
    params: {int_: int, float_: float, bool_: bool, str_: str, list_: list, op_: op}
    layers: [{Dropout: {p: $float_}, if: $bool_ and $str_ != 'no'}, {Pad: {pad: $list_}}, $op_]
"""
GIVEN = {"int_": "1", "float_": "0.5", "bool_": "true", "str_": "yes", "list_": "[1, 1]", "op_": "ReLU"}


def called(**changes: str) -> str:
    return "- A: {" + ", ".join(f"{name}: {value}" for name, value in {**GIVEN, **changes}.items()) + "}"


def test_arguments_of_every_type() -> None:
    assert list(graph(called(), more=TYPED).by_name) == ["a_1.dropout_1", "a_1.pad_1", "a_1.op__1"]


def test_a_number_may_be_whole() -> None:
    network = graph(called(float_="0"), more=TYPED)
    assert op(network, "a_1.dropout_1") == {"op": "Dropout", "p": 0.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("int_", value) for value in ("1.0", "true", "x", "[1]", "null", "ReLU", "{ReLU: }")],
        *[("float_", value) for value in ("true", "x", "'1'", "[]", "null")],
        *[("bool_", value) for value in ("1", "0", "'true'", "no", "null")],
        *[("str_", value) for value in ("1", "true", "[a]", "null", "{ReLU: }")],
        *[("list_", value) for value in ("1", "x", "{a: 1}", "null")],
        *[("op_", value) for value in ("relu", "1", "[ReLU]", "null", "{relu: }", "{}")],
    ],
)
def test_types_are_checked(name: str, value: str) -> None:
    found = faults(called(**{name: value}), more=TYPED)
    assert codes(found) == ["NS204"]
    assert found[0].text.startswith(f"{name} must be ")
    assert found[0].notes[0].text == "the parameter is declared here"


def test_a_symbolic_size_is_an_integer() -> None:
    network = graph(
        "- A: {size: '$image.shape[0]'}",
        inputs="{image: [batch, 3]}",
        more="blocks: {A: {params: {size: int}, layers: [{Reshape: {shape: ['$size * 3']}}]}}",
    )
    assert shapes(network)["a_1.reshape_1"] == "(3*batch,)"


def test_a_default_does_not_fix_the_type() -> None:
    """`kernel_size` may be 1 or [1, 7]; the operation that gets it checks it."""
    more = "blocks: {A: {params: {k: 1}, layers: [{Conv2d: {out_channels: 3, kernel_size: $k}}]}}"
    network = graph("- A\n- A: {k: [1, 7]}", more=more)
    assert shapes(network)["a_2.conv2d_1"] == "(batch, 3, 32, 26)"
    found = faults("- A: {k: wide}", more=more)
    assert codes(found) == ["NS204"]
    assert found[0].text.startswith("kernel_size must be a positive integer")


def test_what_is_missing_unknown_or_has_no_name() -> None:
    more = "blocks: {A: {params: {x: int, y: int, z: 1}, layers: [ReLU]}}"
    assert texts(faults("- A: {z: 3}", more=more)) == ["A needs x and y"]
    assert texts(faults("- A: {x: 1, y: 2, w: 3}", more=more)) == ["A has no argument w"]
    assert texts(faults("- A: 3", more=more)) == ["the arguments of A are named, and 3 has no name"]
    assert codes(faults("- A: {x: 1, yy: 2}", more=more)) == ["NS206"], "the misspelt one is not missing too"


def test_a_broken_call_silences_what_reads_it() -> None:
    layers = "- A:\n  name: a\n- Linear: {out_features: $a.nothing}\n- Add:\n  from: [prev, a, a.port]\n"
    more = "blocks: {A: {params: {x: int}, layers: [ReLU]}}"
    assert codes(faults(layers.replace("$a.nothing", "$a.features"), more=more)) == ["NS207"]


# Operations as parameters

ACT = """
params: {slope: 0.1, act: Tanh}
blocks:
  Act: {params: {act: ReLU}, layers: [$act]}
  Given: {params: {act: op}, layers: [{$act: {negative_slope: 0.7}, name: own}]}
  Outer: {params: {act: op, negative_slope: 0.9}, layers: [{Act: {act: $act}}]}
  Shift: {params: {by: 3}, layers: [{Conv2d: {out_channels: $by, kernel_size: 1}}]}
"""


@pytest.mark.parametrize(
    ("step", "name", "expected"),
    [
        ("Act", "act_1.act_1", {"op": "ReLU"}),
        ("Act: {act: Tanh}", "act_1.act_1", {"op": "Tanh"}),
        ("Act: {act: $act}", "act_1.act_1", {"op": "Tanh"}),
        ("Act: {act: {ELU: }}", "act_1.act_1", {"op": "ELU"}),
        ("Act: {act: {ELU: {}}}", "act_1.act_1", {"op": "ELU"}),
        (
            "Act: {act: {LeakyReLU: {negative_slope: 0.5}}}",
            "act_1.act_1",
            {"op": "LeakyReLU", "negative_slope": 0.5},
        ),
        (
            "Outer: {act: {LeakyReLU: {negative_slope: 2 * $slope}}}",
            "outer_1.act_1.act_1",
            {"op": "LeakyReLU", "negative_slope": 0.2},
        ),
        ("Given: {act: LeakyReLU}", "given_1.own", {"op": "LeakyReLU", "negative_slope": 0.7}),
        (
            "Act: {act: Shift}",
            "act_1.act_1.conv2d_1",
            {"op": "Conv2d", "out_channels": 3, "kernel_size": (1, 1)},
        ),
        (
            "Act: {act: {Shift: {by: 4}}}",
            "act_1.act_1.conv2d_1",
            {"op": "Conv2d", "out_channels": 4, "kernel_size": (1, 1)},
        ),
        ("$act", "act_1", {"op": "Tanh"}),
        ("'$act if $slope > 1 else ''ReLU'''", "act_1", {"op": "ReLU"}),
    ],
)
def test_an_operation_as_a_parameter(step: str, name: str, expected: dict[str, object]) -> None:
    network = graph(f"- {step}", more=ACT)
    assert list(network.by_name) == [name]
    assert op(network, name) == expected


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("Given: {act: {LeakyReLU: {negative_slope: 0.5}}}", "NS204"),  # its arguments are given twice
        ("Act: {act: {LeakyReLU: {slope: 0.5}}}", "NS206"),
        ("Act: {act: {LeakyRelu: {}}}", "NS205"),
        ("Act: {act: 3}", "NS204"),
        ("$slope", "NS204"),
        ("$missing", "NS147"),
        ("$act: 3", "NS230"),
    ],
)
def test_operations_as_parameters_that_are_refused(step: str, code: str) -> None:
    assert codes(faults(f"- {step}", more=ACT)) == [code]


def test_an_automatic_name_is_the_parameters() -> None:
    """So that another operation in its place renames nothing."""
    layers = "- Act: {act: {LeakyReLU: {negative_slope: 0.3}}}\n- Act"
    more = "blocks: {Act: {params: {act: ReLU}, layers: [$act, ReLU, $act]}}"
    assert list(graph(layers, more=more).by_name) == [
        *("act_1.act_1", "act_1.relu_1", "act_1.act_2"),
        *("act_2.act_1", "act_2.relu_1", "act_2.act_2"),
    ]
