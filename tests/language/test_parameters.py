"""Parameters: defaults fix their types, `--set` changes them, expressions read them everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.diagnostics import Collector
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Distribution
from netspec.language.parameters import load_parameters
from netspec.language.source import parse
from tests.language.spec_text import checked, codes, faults, graph, shapes, spec

LINEAR = "- Flatten\n- Linear: {out_features: $n}"


def values(params: str, **overrides: str) -> dict[str, object]:
    """The parameters of a file with this section."""
    collector = Collector()
    found = load_parameters(parse(f"params: {params}", "net.yaml", "yaml"), overrides, collector)
    collector.raise_if_failed()
    return dict(found.values)


def test_defaults() -> None:
    assert values("{a: 1, b: 0.5, c: true, d: word, e: [1, 2]}") == {
        "a": 1,
        "b": 0.5,
        "c": True,
        "d": "word",
        "e": [1, 2],
    }


def test_a_default_may_use_those_above_it() -> None:
    assert values("{width: 8, wide: $width * 4, both: ['$width', '$wide']}") == {
        "width": 8,
        "wide": 32,
        "both": [8, 32],
    }


def test_an_override_reaches_the_defaults_below_it() -> None:
    assert values("{width: 8, wide: $width * 4}", width="2") == {"width": 2, "wide": 8}


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        ("1", "47", 47),
        ("1", "-3", -3),
        ("1", " 5 ", 5),
        ("0.5", "1", 1.0),
        ("0.5", "1e-4", 1e-4),
        ("true", "false", False),
        ("word", "47", "47"),
        ("word", "", ""),
        ("word", "a: {b", "a: {b"),
        ("word", "$n + 1", "$n + 1"),
        ("[1]", "[]", []),
        ("[1]", "[a, [2]]", ["a", [2]]),
    ],
)
def test_overrides(default: str, text: str, value: object) -> None:
    found = values(f"{{p: {default}}}", p=text)["p"]
    assert found == value
    assert type(found) is type(value)


@given(st.integers(-(10**9), 10**9))
def test_any_integer_can_be_set(number: int) -> None:
    assert values("{p: 1}", p=str(number)) == {"p": number}


@pytest.mark.parametrize("text", ["1.5", "true", "x", "", "[1]", "{", "1 2", "1e3", ".inf", "null"])
def test_an_integer_stays_an_integer(text: str) -> None:
    assert codes(faults(LINEAR, more="params: {n: 3}", n=text)) == ["NS220"]


def test_expressions_stand_wherever_values_do() -> None:
    network = graph(
        """
        - Conv2d: {out_channels: $n * 2, kernel_size: ["$n - 2", 1], bias: $flag}
          repeat: $n - 1
          name: features
          init: {weight: {normal: {std: $rate}}}
        """,
        inputs="{image: [batch, $n, H, $n * 8]}",
        more="""
        params: {n: 3, rate: 0.5, flag: false}
        dims: {H: {min: $n * 2}}
        """,
    )
    assert shapes(network) == {"features.0": "(batch, 6, H, 24)", "features.1": "(batch, 6, H, 24)"}
    assert network.bounds["H"].min == 6
    assert network.nodes[0].init == {"weight": Distribution("normal", {"mean": 0.0, "std": 0.5})}
    assert network.nodes[0].op.model_dump()["bias"] is False


def test_prev_is_what_the_step_before_gave() -> None:
    network = graph(
        """
        - Conv2d: {out_channels: 5, kernel_size: 1}
        - Conv2d: {out_channels: $prev.channels * 2, kernel_size: 1}
          repeat: 3
        - Conv2d: {out_channels: $conv2d_1.channels + $in.channels + $image.channels, kernel_size: 1}
        """
    )
    channels = [node.output.type.known[1] for node in network]
    assert channels == [5, 10, 20, 40, 11]


def test_a_set_parameter_stands_in_the_resolved_spec() -> None:
    text = spec(LINEAR, more="params: {n: 10}")
    resolved = checked(text, n="47").graph.resolved
    assert resolved["params"] == {"n": 47}
    assert graph_hash(checked(text, n="47").graph) != graph_hash(checked(text).graph)


def test_a_wrong_override_is_no_echo_where_it_is_used() -> None:
    assert codes(faults(LINEAR, more="params: {n: 10}", n="many")) == ["NS220"]
