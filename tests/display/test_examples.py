"""The examples of operations: every one holds, is small, and can be read; mistakes in one are told."""

from __future__ import annotations

import itertools

import pytest
import yaml

from netspec.diagnostics import DiagnosticError
from netspec.display.documentation import LABELS, documentation
from netspec.display.examples import Example, example
from netspec.onnx_backend.opset import OLDEST_OPSET, newest_opset
from netspec.ops.base import Op
from netspec.ops.catalogue import FAMILIES, catalogue
from netspec.pipeline import check_text

every_operation = pytest.mark.parametrize("name", catalogue())


def operation(name: str) -> type[Op]:
    return catalogue()[name]


def shown(name: str) -> Example:
    return example(name, documentation(operation(name)).sections["Example"])


@every_operation
def test_the_example_is_a_spec_that_gives_what_it_says(name: str) -> None:
    told = shown(name)
    checked = check_text(told.spec, name, format="yaml")
    assert checked.warnings == ()
    assert type(told.layer.op).__name__ == name
    graph = checked.graph
    assert [output.value.type for output in graph.outputs] == [type for _, type in told.outputs]
    assert (
        list(yaml.safe_load(told.spec))
        == ["netspec", "inputs", "layers", "outputs"][: 3 + (len(told.outputs) > 1)]
    )
    assert max(map(len, told.spec.splitlines())) <= 76


@every_operation
def test_the_example_is_lowered_at_every_opset(name: str) -> None:
    lowering = shown(name).lowering
    assert (lowering[0].first, lowering[-1].last) == (OLDEST_OPSET, newest_opset(None))
    assert all(before.last + 1 == after.first for before, after in itertools.pairwise(lowering))
    assert lowering[0].operators or FAMILIES[name] in ("dropout", "sources") or name == "Identity"


@every_operation
def test_the_sections_stand_in_their_order(name: str) -> None:
    told = documentation(operation(name))
    assert list(told.sections) == [label for label in LABELS if label in told.sections]
    assert "Source" in told.sections


@every_operation
def test_an_operation_of_several_ports_names_them(name: str) -> None:
    told = documentation(operation(name))
    assert ("Ports" in told.sections) == (operation(name).ports is not Op.ports)
    for port, _ in shown(name).outputs:
        assert port == "output" or port.isdecimal() or port in told.sections["Ports"]


def test_steps_read_what_is_unread() -> None:
    unpool = shown("MaxUnpool2d")
    assert "    from: [prev, max_pool2d_1.indices]" in unpool.spec.splitlines()
    assert unpool.layer.name == "max_unpool2d_1"
    parameter = shown("Parameter")
    assert "    from: [x, prev]" in parameter.spec.splitlines()
    assert parameter.layer.name == "parameter_1"


def test_inputs_bear_the_names_of_arguments() -> None:
    assert "    from: {query: query, attn_mask: attn_mask}" in shown("MultiheadAttention").spec
    assert "inputs: {a: [N, 64, H, W], b: [N, 32, H, W]}" in shown("Concat").spec
    assert "inputs: {input: [N, 64], other: [N, 64]}" in shown("Less").spec
    assert "inputs: {x: {shape: [N, T], dtype: int64}}" in shown("Embedding").spec


def test_outputs_are_called_as_their_ports() -> None:
    assert "outputs: {output: lstm_1, h_n: lstm_1.h_n, c_n: lstm_1.c_n}" in shown("LSTM").spec
    assert "outputs: {part_0: split_1.0, part_1: split_1.1}" in shown("Split").spec


def test_operators_are_those_of_the_layer_alone() -> None:
    conv = "(N, 3, 8, 8) -> Conv2d: {out_channels: 4, kernel_size: 3} -> ReLU -> (N, 4, 6, 6)"
    assert [item.operators for item in example("Conv2d", conv).lowering] == [("Conv",)]
    assert [item.operators for item in example("ReLU", conv).lowering] == [("Relu",)]


def test_where_the_operators_change_the_opset_is_told() -> None:
    assert [item[:2] for item in shown("GELU").lowering] == [(17, 19), (20, newest_opset(None))]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("(N, 8) -> (N, 8)", "NS398", "it is not INPUTS -> STEP -> OUTPUTS"),
        ("N, 8 -> ReLU -> (N, 8)", "NS398", "it is not INPUTS -> STEP -> OUTPUTS"),
        ("(N, 8) -> ReLU", "NS398", "it is not INPUTS -> STEP -> OUTPUTS"),
        ("(N, 8) -> ReLU -> (N, 9)", "NS398", "it says (N, 9), and gives (N, 8)"),
        ("(N, 8) -> ReLU -> Cast: {dtype: bool} -> (N, 8)", "NS398", "gives (N, 8) of bool"),
        ("(N, 8) -> Tanh -> (N, 8)", "NS398", "it has no step ReLU"),
        ("(N, 8) -> Relu -> (N, 8)", "NS205", "there is no operation Relu"),
        ("(N, 8) -> ReLU: {slope: 1} -> (N, 8)", "NS206", "ReLU has no argument slope"),
        ("(N, 8), (N, 8) -> ReLU -> (N, 8)", "NS216", "ReLU"),
        ("(N, 8, 8) -> Conv2d: {out_channels: 1, kernel_size: 3} -> (N, 8)", "NS301", "Conv2d"),
    ],
)
def test_an_example_that_does_not_hold_is_told(text: str, code: str, words: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        example("ReLU", text)
    assert caught.value.diagnostics[0].code == code
    assert words in caught.value.diagnostics[0].text
