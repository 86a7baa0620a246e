"""The layer table: closed forms, torch's counts, symbols, and the JSON that programs read."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import netspec
from netspec.analysis.table import Table, tabulate
from netspec.ir.tensor import evaluate
from netspec.torch_backend.build import build
from netspec.torch_backend.dtypes import torch_dtype

SPECS = Path(__file__).parents[2] / "specs"


def table_of(text: str, folder: Path) -> Table:
    path = folder / "spec.yaml"
    path.write_text(textwrap.dedent(text))
    return tabulate(netspec.check(path).graph)


@pytest.mark.parametrize(
    ("spec", "params", "macs"),
    [
        ("lenet", 61706, 416520),
        ("lenet_bn", 44878, 281640),
        ("alexnet", 46764746, 938146176),
        ("simple_convnet", 433890, 865000),
        ("edge_detector", 2, 84),
    ],
)
def test_totals_of_the_specs(spec, params, macs):
    table = tabulate(netspec.check(SPECS / f"{spec}.yaml").graph)
    assert (table.params, table.macs) == (params, macs)


SIZES = {"batch": 3, "H": 64, "W": 96, "length": 5, "samples": 4_000}
UNCOUNTED = {"gru", "lstm"}
"""What torch's counter sees nothing of."""


@pytest.mark.parametrize("spec", sorted(path.stem for path in SPECS.glob("*.yaml")))
def test_the_specs_against_torch(spec):
    graph = netspec.check(SPECS / f"{spec}.yaml").graph
    table = tabulate(graph)
    module = build(graph, device="meta").eval()
    assert table.params == sum(p.numel() for p in module.parameters())
    types = [item.value.type for item in graph.inputs]
    feeds = [torch.zeros(type.bind(SIZES), dtype=torch_dtype(type.dtype), device="meta") for type in types]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*feeds)
    if spec not in UNCOUNTED:
        assert evaluate(table.macs, SIZES) == counter.get_total_flops() / 2 / SIZES["batch"]


SYMBOLIC = """
    netspec: 1
    inputs: {image: [batch, 3, H, W]}
    layers:
      - {Conv2d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1}, name: conv}
      - BatchNorm2d
      - {Conv2d: {out_channels: 8, kernel_size: [1, 3], groups: 2, bias: false}, name: grouped}
      - {AdaptiveAvgPool2d: {output_size: 1}, name: pool}
      - Flatten
      - {Linear: {out_features: 5}, name: last}
"""


@pytest.mark.parametrize("sizes", [{"H": 7, "W": 9}, {"H": 32, "W": 33}])
def test_symbolic_sizes(sizes, tmp_path):
    table = table_of(SYMBOLIC, tmp_path)
    rows = {row.name: row for row in table.rows}
    height, width = (sizes["H"] + 1) // 2, (sizes["W"] + 1) // 2
    expected = {
        "conv": 4 * 3 * 3 * 3 * height * width,
        "batch_norm2d_1": 0,
        "grouped": 8 * 2 * 1 * 3 * height * (width - 2),
        "pool": 0,
        "flatten_1": 0,
        "last": 8 * 5,
    }
    assert {name: evaluate(row.macs, sizes) for name, row in rows.items()} == expected
    assert evaluate(table.macs, sizes) == sum(expected.values())
    assert [row.params for row in table.rows] == [4 * 3 * 9 + 4, 8, 8 * 2 * 3, 0, 0, 8 * 5 + 5]
    fixed = table_of(SYMBOLIC.replace("H, W", f"{sizes['H']}, {sizes['W']}"), tmp_path)
    assert fixed.macs == sum(expected.values())


@pytest.mark.parametrize("batch", ["4", "batch", "1"])
def test_multiply_adds_are_a_sample_s_whatever_the_batch(batch, tmp_path):
    table = table_of(SYMBOLIC.replace("batch, 3, H, W", f"{batch}, 3, 8, 8"), tmp_path)
    assert table.rows[0].macs == 4 * 3 * 9 * 4 * 4
    assert table.rows[-1].macs == 40


def test_a_batch_in_multiples(tmp_path):
    text = SYMBOLIC.replace("layers:", "dims: {batch: {multiple_of: 8}}\n    layers:")
    assert table_of(text, tmp_path).rows[-1].macs == 40


def test_statistics_are_no_parameters(tmp_path):
    text = "{netspec: 1, inputs: {x: [batch, 6]}, layers: [BatchNorm1d, {BatchNorm1d: {affine: false}}]}"
    assert [row.params for row in table_of(text, tmp_path).rows] == [12, 0]


def test_json_as_programs_read_it(tmp_path):
    data = table_of(SYMBOLIC.replace("netspec: 1", "netspec: 1\n    name: net"), tmp_path).to_json()
    assert list(data) == ["name", "inputs", "outputs", "dims", "totals", "layers"]
    assert data["name"] == "net"
    assert data["inputs"] == {"image": {"shape": ["batch", 3, "H", "W"], "dtype": "float32"}}
    ((_, output),) = data["outputs"].items()
    assert output == {"shape": ["batch", 5], "dtype": "float32"}
    assert data["dims"]["W"] == {"min": 5, "max": None, "multiple_of": 1}
    assert set(data["totals"]) == {"params", "macs"}
    conv = data["layers"][0]
    assert list(conv) == ["name", "op", "output_shape", "params", "macs", "receptive_field"]
    assert (conv["name"], conv["op"], conv["params"]) == ("conv", "Conv2d", 112)
    assert conv["output_shape"] == ["batch", 4, "(H + 1) // 2", "(W + 1) // 2"]
    assert isinstance(conv["macs"], str)
    assert conv["receptive_field"] == [{"size": 3, "stride": 2, "padding": 1}] * 2
    assert [layer["receptive_field"] is None for layer in data["layers"]] == [False] * 3 + [True] * 3


def numbers(data: Any) -> list[Any]:
    """All numbers in JSON data."""
    if isinstance(data, dict):
        return [number for value in data.values() for number in numbers(value)]
    if isinstance(data, list):
        return [number for value in data for number in numbers(value)]
    return [data] if isinstance(data, (int, float)) else []


def test_fixed_sizes_are_integers(tmp_path):
    data = table_of(SYMBOLIC.replace("batch, 3, H, W", "2, 3, 8, 8"), tmp_path).to_json()
    assert all(type(number) is int for number in numbers(data))
    assert isinstance(data["totals"]["macs"], int)
    assert data["dims"] == {}
