"""`netspec ops`: the list in both its forms, and what is told of one operation, as text and as data."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netspec.display.documentation import documentation
from netspec.display.listing import HEADLINES, show_list
from netspec.display.operations import HEADINGS, described, operation_json, operation_text
from netspec.ops.catalogue import FAMILIES, catalogue
from tests.command_line import netspec

every_operation = pytest.mark.parametrize("name", catalogue())


def text(name: str) -> str:
    return "\n".join(operation_text(described(catalogue()[name])))


def test_the_list_is_a_line_each() -> None:
    lines = netspec("ops").out.splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue())
    assert max(map(len, lines)) <= 79


def test_somebody_who_looks_sees_headlines_and_the_count(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    show_list()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line[:1] not in (" ", "")] == [
        *HEADLINES,
        f"{len(FAMILIES)} operations",
    ]
    assert [line.split()[0] for line in lines if line[:1] == " "] == list(catalogue())
    assert max(map(len, lines)) <= 79


def test_every_family_stands_under_one_headline_in_the_catalogues_order() -> None:
    assert [family for families in HEADLINES.values() for family in families] == list(
        dict.fromkeys(FAMILIES.values())
    )


def test_the_list_as_data_tells_all() -> None:
    entries = netspec("ops", "--format", "json").data
    assert [entry["name"] for entry in entries] == list(catalogue())
    assert all(entry["example"] and entry["lowering"] and entry["has_lowering"] for entry in entries)
    assert {entry["origin"] for entry in entries} == {None}


@every_operation
def test_one_is_explained_in_full(name: str) -> None:
    told, lines = text(name), text(name).splitlines()
    assert lines[0] == name
    assert max(map(len, lines)) <= 79
    assert [line for line in lines if line in HEADINGS][-2:] == ["Example", "Lowering of the example"]
    words = " ".join(told.split())
    documented = documentation(catalogue()[name])
    sections = [
        body.rstrip(".") for label, body in documented.sections.items() if label not in ("Errors", "Example")
    ]
    for part in (documented.summary, *documented.prose, *documented.errors, *sections):
        assert " ".join(part.split()) in words
    for argument in catalogue()[name].model_fields:
        assert f"\n  {argument} " in told


@every_operation
def test_one_as_data_says_the_same(name: str) -> None:
    operation = catalogue()[name]
    data = operation_json(described(operation))
    assert [entry["name"] for entry in data["inputs"]] == list(operation.arguments)
    assert sum(entry["optional"] for entry in data["inputs"]) == operation.optional
    assert [entry["name"] for entry in data["arguments"]] == list(operation.model_fields)
    for argument in data["arguments"]:
        assert argument["required"] != ("default" in argument)
        assert argument["expects"]
    assert data["example"]["text"].endswith(data["example"]["spec"].rpartition("gives ")[2])


def test_conv2d_as_it_is_printed() -> None:
    assert netspec("ops", "Conv2d").out == CONV2D


CONV2D = """\
Conv2d

2-D cross-correlation, (N, C, H, W) -> (N, out_channels, H', W').

Inputs    input
Outputs   output
Shape     H' = (H + p + q - d (k - 1) - 1) // s + 1 with padding p before and q
          after; W' likewise. padding `same` is d (k - 1) in all, the odd one
          behind; it needs stride 1.
Cost      out_channels * C/groups * kh * kw multiply-adds per output pixel.
Errors    NS302 the window exceeds the padded input
          NS304 groups must divide both channel counts
          NS309 same with a stride
          NS310 reflect or circular padding wider than the input
Source    torch.nn.Conv2d; ONNX Conv-11, Pad-13 (Pad-19 for wrap) for the modes
          other than zeros.

Arguments
  in_channels   a positive integer; inferred from the input
  out_channels  a positive integer; required
  kernel_size   a positive integer, or a list of two (height, width); required
  stride        a positive integer, or a list of two (height, width); default 1
  padding       an integer of at least 0, a list of two (height, width), same
                or valid; default 0
  dilation      a positive integer, or a list of two (height, width); default 1
  groups        a positive integer; default 1
  bias          true or false; default true
  padding_mode  zeros, reflect, replicate or circular; default zeros

Example
  netspec: 1
  inputs: {x: [N, 3, 32, 32]}
  layers:
    - Conv2d: {out_channels: 8, kernel_size: 3}
  # gives (N, 8, 30, 30)

Lowering of the example
  opset 17 to 26  Conv
"""


def test_the_lowering_is_told_for_every_opset() -> None:
    assert text("GELU").endswith("opset 17 to 19  Sqrt, Mul x2, Div, Erf, Add\n  opset 20 to 26  Gelu")
    assert text("Dropout").endswith("  opset 17 to 26  no operator")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("conv2d", "Conv2d"),
        ("Relu", "ReLU"),
        ("maxpool", "MaxPool1d, MaxPool2d or MaxPool3d"),
        ("Softmin2d", "Softmin"),
    ],
)
def test_a_near_miss_is_asked_about(name: str, meant: str) -> None:
    outcome = netspec("ops", name)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"did you mean {meant}?" in outcome.err


def test_what_is_far_from_all_leads_to_the_list() -> None:
    assert "netspec ops lists them all" in netspec("ops", "Quux").err


def test_examples_are_lowered_without_loading_an_engine() -> None:
    program = (
        "import sys; from netspec.display.listing import list_json; list_json(); "
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
