"""`netspec show`: the table of a composed network, at given sizes and to a given depth."""

from __future__ import annotations

import json

import pytest

from tests.command_line import netspec
from tests.pages import ROOT

RESNET = ROOT / "specs" / "resnet.yaml"
AT = ("--at", "H=224", "--at", "W=224")


def rows(text: str) -> list[str]:
    """The first column of the table, without what was folded."""
    return [line.split("  (")[0].rstrip() for line in text.splitlines() if "  (" in line]


def test_blocks_stand_before_what_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    shown = rows(netspec("show", RESNET, "--variant", "resnet18", *AT).out)
    assert shown[:9] == [
        "stem: Conv",
        "  conv2d_1",
        "  batch_norm2d_1",
        "relu_1",
        "max_pool2d_1",
        "stage.0.block_1: Basic",
        "  main.conv_1: Conv",
        "    conv2d_1",
        "    batch_norm2d_1",
    ]


def test_deeper_blocks_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    outcome = netspec("show", RESNET, "--variant", "resnet50", *AT, "--depth", "1")
    shown = rows(outcome.out)
    assert len(shown) == 3 + 16 + 3
    assert not any(row.startswith(" ") for row in shown)
    line = next(line for line in outcome.out.splitlines() if line.startswith("stage.3.block_1"))
    assert "6,039,552" in line
    assert "(batch, 2048, 7, 7)" in line
    assert "25,557,032" in outcome.out.splitlines()[-1]


def test_sizes_are_numbers_where_they_are_given() -> None:
    table = netspec("show", RESNET, *AT, "--format", "json").data
    assert table["layers"][0]["output_shape"] == ["batch", 64, 112, 112]
    assert table["totals"]["macs"] == 4_089_184_256
    half = netspec("show", RESNET, "--at", "H=224", "--format", "json").data
    assert half["layers"][0]["output_shape"] == ["batch", 64, 112, "(W + 1) // 2"]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("H", "NAME=SIZE"),
        ("H=big", "NAME=SIZE"),
        ("depth=3", "the symbolic dimensions of this spec are batch, H, W"),
        ("H=33", "a multiple of 16"),
        ("H=0", "H >= 16"),
    ],
)
def test_sizes_that_the_network_does_not_take_are_refused(at: str, words: str) -> None:
    outcome = netspec("show", ROOT / "specs" / "unet.yaml", "--at", at)
    assert outcome.code == 2
    assert words in " ".join(outcome.err.replace("│", " ").split())


def test_a_shared_block_says_so(tmp_path) -> None:
    path = tmp_path / "shared.yaml"
    path.write_text(
        json.dumps(
            {
                "netspec": 1,
                "inputs": {"x": ["batch", 8]},
                "blocks": {"Layer": {"layers": [{"Linear": {"out_features": 8}}, "ReLU"]}},
                "layers": [{"Layer": {}, "name": "first"}, {"Layer": {}, "share": "first"}],
            }
        )
    )
    shown = netspec("show", path).out
    assert "layer_2: Layer (shares first)" in shown
    assert shown.splitlines()[-1].split()[1] == "72"
