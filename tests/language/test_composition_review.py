"""Compositions that are easily got wrong: sharing of unlike instances, names in names, what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.pipeline import check
from tests.language.spec_text import checked, codes, faults, graph, spec

CONV = "Conv2d: {out_channels: 3, kernel_size: 1}"


def reads(network: object) -> dict[str, list[str]]:
    return {node.name: [value.name for value in node.inputs] for node in network}  # type: ignore[attr-defined]


# Sharing: one module must be able to be both instances


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (f"[{{{CONV}}}, {{ReLU: , if: $first}}]", "only a has relu_1"),
        (f"[{{{CONV}}}, {{ReLU: , if: not $first}}]", "only b has relu_1"),
        (
            f"[{{if: $first, then: [{{{CONV}, name: c}}, {{ReLU: , name: r}}], "
            f"else: [{{ReLU: , name: r}}, {{{CONV}, name: c}}]}}]",
            "not in the same order",
        ),
        (
            f"[{{{CONV}, name: c}}, {{ReLU: , name: r}}, "
            "{if: $first, then: [{Add: , from: [c, in], name: s}], else: [{Add: , from: [c, r], name: s}]}]",
            "s does not read the same in both",
        ),
    ],
)
def test_instances_of_other_layers_cannot_share(layers: str, reason: str) -> None:
    (fault,) = faults(
        """
        - B: {first: true}
          name: a
        - B: {first: false}
          name: b
          share: a
        """,
        more=f"blocks: {{B: {{params: {{first: bool}}, layers: {layers}}}}}",
    )
    assert fault.code == "NS249"
    assert reason in fault.text
    assert "made of the same layers" in fault.fill(fault.help)


TWO_INPUTS = "blocks: {B: {inputs: [p, q], layers: [{ReLU: , from: p, name: r}, {Sub: , from: [r, q]}]}}"


def test_a_module_that_reads_one_tensor_twice_cannot_read_two() -> None:
    (fault,) = faults(
        """
        - {Tanh: , name: t}
        - {B: , from: [t, t], name: a}
        - {B: , from: [t, image], name: b, share: a}
        """,
        more=TWO_INPUTS,
    )
    assert fault.code == "NS249"
    assert "a reads t for two of its inputs" in fault.text


def test_a_module_of_two_inputs_can_read_one_tensor_twice() -> None:
    network = graph(
        """
        - {Tanh: , name: t}
        - {B: , from: [t, image], name: a}
        - {B: , from: [a, a], name: b, share: a}
        """,
        more=TWO_INPUTS,
    )
    assert [node.shares for node in network] == [None, None, None, "a.r", "a.sub_1"]


def test_modules_that_are_made_for_a_rank_or_an_element_type_cannot_be_shared() -> None:
    (fault,) = faults(
        """
        - {Softmax: , name: s}
        - Flatten: {start_dim: 2}
        - {Softmax: , share: s}
        """
    )
    assert fault.code == "NS249"


@pytest.mark.parametrize(
    ("share", "advice"),
    [("prev", ""), ("b.c", "a block is shared with all"), ("b.relu_1", "a block is shared")],
)
def test_what_cannot_be_shared(share: str, advice: str) -> None:
    (fault,) = faults(
        f"- {{B: , name: b}}\n- {{{CONV}, share: {share}}}",
        more=f"blocks: {{B: {{layers: [{{{CONV}, name: c}}, ReLU], outputs: [c]}}}}",
    )
    assert fault.code == "NS204"
    assert advice in fault.fill(fault.help)


# Names


def test_a_name_stands_once_in_each_list_of_a_choice() -> None:
    (fault,) = faults(
        """
        - if: $in.channels == 3
          then: [{ReLU: , name: c}]
          else: [{ReLU: , name: c}, {Tanh: , name: c}]
        """
    )
    assert fault.code == "NS211"


def test_a_name_of_nested_choices_stands_once_too() -> None:
    choice = "{{if: $in.channels == 3, then: [{a}], else: [{b}]}}"
    once = choice.format(a="{ReLU: , name: c}", b=choice.format(a="{ReLU: , name: c}", b="{Tanh: , name: c}"))
    assert reads(graph(f"- {once}")) == {"c": ["image"]}
    again = once[:-2] + ", {ReLU: , name: c}]}"
    assert codes(faults(f"- {again}")) == ["NS211"]


def test_in_is_the_input_whatever_a_branch_calls_its_steps() -> None:
    network = graph(
        """
        - branches:
            a:
              - {Tanh: , name: image}
              - {Sub: , from: [image, in]}
            b: []
          merge: Add
        """
    )
    assert reads(network)["a.sub_1"] == ["a.image", "image"]


def test_expressions_mean_the_innermost_layer_of_a_name_as_references_do() -> None:
    network = graph(
        """
        - {Conv2d: {out_channels: 5, kernel_size: 1}, name: c}
        - branches:
            a:
              - {Conv2d: {out_channels: 7, kernel_size: 1}, name: c}
              - {Conv2d: {out_channels: $c.channels, kernel_size: 1}, from: c}
            b: []
          merge: Concat
        - Conv2d: {out_channels: $c.channels, kernel_size: 1}
        """
    )
    channels = {node.name: node.output.type.known[1] for node in network}
    assert channels == {"c": 5, "a.c": 7, "a.conv2d_2": 7, "concat_1": 12, "conv2d_2": 5}


def test_a_parameter_is_hidden_by_no_layer() -> None:
    network = graph(
        "- {Tanh: , name: width}\n- Conv2d: {out_channels: $width, kernel_size: 1}", more="params: {width: 9}"
    )
    assert network.outputs[0].value.type.known[1] == 9


def test_outputs_of_a_block_have_different_names() -> None:
    found = faults(
        "- B",
        more="""
        blocks:
          B:
            layers:
              - {ReLU: , name: a_c}
              - {for: {i: [1]}, name: a, do: [{Tanh: , name: c}]}
            outputs: [a_c, a.0.c, a_c]
        """,
    )
    assert codes(found) == ["NS211"]


LAST_INSIDE = """
- {Tanh: , name: stage_0_c}
- if: $in.channels == 3
  then:
    - {for: {i: [1]}, name: stage, do: [{ReLU: , name: c}]}
"""


@pytest.mark.parametrize("outputs", ["", "outputs: [prev, stage_0_c]\n"])
def test_the_last_step_gives_its_output_a_name_that_no_layer_has(outputs: str) -> None:
    network = checked(spec(LAST_INSIDE) + outputs).graph
    assert (network.outputs[0].name, network.outputs[0].value.name) == ("stage_0_c_out", "stage.0.c")


def test_the_second_branch_of_a_name_tells_how_it_is_called() -> None:
    branches = "- branches: {main: [ReLU], skip: []}\n  merge: Add\n"
    (fault,) = faults("- {ReLU: , name: main_2}\n" + branches + branches)
    assert fault.code == "NS211"
    assert fault.fill(fault.label) == "this is called main_2, because it has no name of its own"


# What is left out


@pytest.mark.parametrize("left_out", ["if: false", "repeat: 0"])
def test_a_step_without_inputs_that_is_left_out_passes_on_what_is_before_it(left_out: str) -> None:
    network = graph(f"- Tanh\n- {{Parameter: {{shape: [3]}}, {left_out}, name: p}}\n- ReLU")
    assert reads(network) == {"tanh_1": ["image"], "relu_1": ["tanh_1"]}
    found = faults(
        f"- Tanh\n- {{Parameter: {{shape: [3]}}, {left_out}, name: p}}\n- {{Add: , from: [prev, p]}}"
    )
    assert codes(found) == ["NS243"]


# Messages


@pytest.mark.parametrize(
    ("step", "help"),
    [
        ("- branches: {a: [ReLU], b: []}", "for example merge: Add"),
        ("- for: {i: [1]}", "for example do: [ReLU]"),
        ("- else: [ReLU]\n  if: true", "for example then: [ReLU]"),
    ],
)
def test_a_part_that_is_missing_is_shown(step: str, help: str) -> None:
    (fault,) = faults(step)
    assert (fault.code, fault.fill(fault.help)) == ("NS203", help)


def test_a_merge_is_no_list() -> None:
    (fault,) = faults("- branches: {a: [ReLU], b: []}\n  merge: [Add]")
    assert (fault.code, fault.text) == ("NS204", "merge must be an operation or a block, not [Add]")


def test_a_block_that_is_called_as_an_operation_is_not_unfolded() -> None:
    assert codes(faults("- ReLU", more="blocks: {ReLU: {layers: [ReLU]}}")) == ["NS236"]


# Files


def used(folder: Path, use: str) -> list[str]:
    """The codes of what is wrong with a spec in a folder that uses files there."""
    (folder / "block.yaml").write_text("netspec: 1\nblocks: {B: {layers: [ReLU]}}\n")
    path = folder / "net.yaml"
    path.write_text(f"netspec: 1\nname: net\ninputs: {{x: [batch, 3]}}\nuse: {use}\nlayers: [B]\n")
    try:
        check(path)
    except DiagnosticError as error:
        return codes(list(error.diagnostics))
    return []


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("[block.yaml, ./block.yaml]", []),
        ("block.yaml", ["NS204"]),
        ("[net.yaml]", ["NS240"]),
        (r'["block\0.yaml"]', ["NS239"]),
    ],
)
def test_use(tmp_path: Path, use: str, expected: list[str]) -> None:
    assert used(tmp_path, use) == expected


def test_a_link_to_a_used_file_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to("block.yaml")
    assert used(tmp_path, "[link.yaml, block.yaml]") == []
