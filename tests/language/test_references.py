"""`from` and `outputs`: names, lists, mappings, ports, paths into repetitions, several inputs and outputs."""

from __future__ import annotations

import pytest

from tests.language.spec_text import checked, codes, faults, graph, reads, spec

POOLED = """
- MaxPool2d: {kernel_size: 2, return_indices: true}
  name: pool
- ReLU
"""


def test_a_name_a_list_and_a_mapping() -> None:
    network = graph(
        """
        - ReLU:
          name: a
        - Sigmoid:
          from: image
          name: b
        - Tanh:
          from: {input: a}
          name: c
        - Add:
          from: [a, b, c, prev, in, image]
        """
    )
    assert reads(network) == {
        "a": ["image"],
        "b": ["image"],
        "c": ["a"],
        "add_1": ["a", "b", "c", "c", "image", "image"],
    }


def test_ports() -> None:
    network = checked(
        spec(POOLED) + "outputs: {values: pool, same: pool.output, where: pool.indices, end: prev}\n"
    ).graph
    assert [(output.name, output.value.name) for output in network.outputs] == [
        ("values", "pool"),
        ("same", "pool"),
        ("where", "pool.indices"),
        ("end", "relu_1"),
    ]
    assert network.outputs[2].value.type.dtype == "int64"


def test_paths_into_repetitions() -> None:
    network = graph(
        """
        - ReLU:
          repeat: 3
          name: hidden
        - Add:
          from: [hidden.0, hidden.1, hidden.2, hidden, hidden.1.output]
        """
    )
    assert reads(network)["add_1"] == ["hidden.0", "hidden.1", "hidden.2", "hidden.2", "hidden.1"]
    assert reads(network)["hidden.2"] == ["hidden.1"]


def test_the_first_entry_of_from_becomes_the_previous_result() -> None:
    network = graph(
        """
        - Add:
          from: [image, image]
          repeat: 3
        """
    )
    assert reads(network) == {
        "add_1.0": ["image", "image"],
        "add_1.1": ["add_1.0", "image"],
        "add_1.2": ["add_1.1", "image"],
    }


@pytest.mark.parametrize("times", [0, "$n - 1", "0 * $n"])
def test_no_repetition_is_the_identity(times: object) -> None:
    network = graph(
        f"""
        - Conv2d: {{out_channels: 8, kernel_size: 3}}
          name: none
          repeat: {times}
        - ReLU:
          from: none
        """,
        more="params: {n: 1}",
    )
    assert reads(network) == {"relu_1": ["image"]}
    assert str(network.outputs[0].value.type) == "(batch, 3, 32, 32)"


def test_one_repetition_is_a_scope_too() -> None:
    assert list(graph("- ReLU:\n  repeat: 1").by_name) == ["relu_1.0"]


def test_the_last_layer_is_the_output_where_none_is_named() -> None:
    network = graph("- ReLU\n- ReLU:\n  repeat: 2\n  name: end")
    assert [(output.name, output.value.name) for output in network.outputs] == [("end", "end.1")]


def test_several_inputs() -> None:
    network = graph(
        """
        - Linear: {out_features: 4}
          from: left
        - Add:
          from: [prev, right]
        """,
        inputs="{left: [batch, 8], right: [batch, 4]}",
    )
    assert [item.name for item in network.inputs] == ["left", "right"]
    assert reads(network) == {"linear_1": ["left"], "add_1": ["linear_1", "right"]}


@pytest.mark.parametrize("layers", ["- ReLU", "- ReLU:\n  from: prev", "- ReLU:\n  from: in"])
def test_several_inputs_have_no_previous(layers: str) -> None:
    found = faults(layers + "\n- Add:\n  from: [a, b]", inputs="{a: [n, 1], b: [n, 1]}")
    assert codes(found) == ["NS214"]


def test_an_output_may_have_the_name_of_its_layer() -> None:
    network = checked(spec(POOLED) + "outputs: {pool: pool}\n").graph
    assert network.outputs[0].name == "pool"


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ("[nowhere]", "NS212"),
        ("[pool.nothing]", "NS215"),
        ("[pool.indices]", "NS222"),
        ("[image]", "NS222"),
        ("[in]", "NS222"),
        ("[pool, pool]", "NS211"),
        ("{relu_1: pool}", "NS211"),
        ("{image: pool}", "NS211"),
        ("{image: image}", "NS211"),
        ("{x: {from: pool, labels: [a]}}", "NS224"),
    ],
)
def test_outputs_that_are_refused(outputs: str, code: str) -> None:
    text = spec(POOLED) + f"outputs: {outputs}\n"
    with pytest.raises(Exception, match=r".") as caught:
        checked(text)
    assert codes(list(caught.value.diagnostics)) == [code]  # type: ignore[attr-defined]


def test_labels_are_kept() -> None:
    network = checked(
        spec("- Flatten\n- Linear: {out_features: 2}\n  name: logits")
        + "outputs: {logits: {from: logits, labels: [cat, dog]}}\n"
    ).graph
    assert network.outputs[0].labels == ("cat", "dog")


def test_unused_layers_are_warnings() -> None:
    text = spec("- ReLU\n- Sigmoid:\n  from: image\n- Tanh") + "outputs: [relu_1]\n"
    assert [(found.code, found.severity) for found in checked(text).warnings] == [("NS218", "warning")] * 2


def test_layers_that_only_another_port_needs_are_used() -> None:
    text = spec("- ReLU\n- MaxPool2d: {kernel_size: 2, return_indices: true}\n  name: pool")
    assert not checked(text + "outputs: {where: pool.indices}\n").warnings


def test_a_wide_name_reaches_only_back() -> None:
    assert codes(faults("- Add:\n  from: [image, b]\n- ReLU:\n  name: b")) == ["NS213"]
    assert codes(faults("- Add:\n  from: [image, b]\n  name: b")) == ["NS213"]


def test_errors_in_a_step_silence_what_reads_it() -> None:
    found = faults(
        """
        - Conv2d: {out_channels: 8}
          name: bad
        - Linear: {out_features: 3}
        - Add:
          from: [bad, image, bad.0, bad.anything]
        - Conv2d: {out_channels: $bad.channels, kernel_size: 99}
        """
    )
    assert codes(found) == ["NS207"]
