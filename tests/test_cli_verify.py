"""`netspec verify`: what it shows beyond the verdict."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.command_line import LENET, files, netspec

POOL = """\
netspec: 1
name: pooled
inputs: {x: [batch, 1, 6, 6]}
layers:
  - AvgPool2d: {kernel_size: 3, divisor_override: 7}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def pooled(tmp_path: Path) -> None:
    (tmp_path / "pooled.yaml").write_text(POOL)
    assert netspec("build", "pooled.yaml").code == 0


def spoil(tmp_path: Path) -> None:
    """Divide by a tenth more than is right."""
    path = tmp_path / "exports" / "pooled.onnx"
    model = onnx.load(path)
    (divide,) = [node for node in model.graph.node if node.op_type == "Div"]
    (count,) = [tensor for tensor in model.graph.initializer if tensor.name == divide.input[1]]
    values = onnx.numpy_helper.to_array(count) * 1.1
    count.CopyFrom(onnx.numpy_helper.from_array(values.astype("float32"), count.name))
    onnx.save(model, path)


def test_per_layer_shows_every_layer_in_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    netspec("build", LENET)
    outcome = netspec("verify", "exports/lenet.onnx", "--per-layer")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 80
    table = [line.split() for line in lines if line.startswith(" conv2d_1 ")]
    assert [row[:2] for row in table] == [["conv2d_1", "Conv2d"]]
    (head,) = [line for line in lines if "operation" in line]
    assert head.split() == ["layer", "operation", "semantic", "cpu", "unoptimised", "cpu"]
    data = netspec("verify", "exports/lenet.onnx", "--per-layer", "--format", "json").data
    assert [row["layer"] for row in data["layers"]][:2] == ["conv2d_1", "sigmoid_1"]
    assert netspec("verify", "exports/lenet.onnx", "--format", "json").data["layers"] == []


def test_a_failure_names_the_layer_and_writes_it(tmp_path):
    pooled(tmp_path)
    spoil(tmp_path)
    outcome = netspec("verify", "exports/pooled.onnx", "--repro", "alone")
    assert outcome.code == 3
    assert "error[NS543]: layer avg_pool2d_1 (AvgPool2d) is at fault" in outcome.err
    assert "alone/pooled.avg_pool2d_1.onnx is this layer alone" in " ".join(outcome.err.split())
    assert '"AvgPool2d": {' in outcome.err  # the line of the spec in the file's metadata
    assert files(tmp_path / "alone") == [f"pooled.avg_pool2d_1.{end}" for end in ("npz", "onnx", "py")]
    shown = netspec("verify", "exports/pooled.onnx", "--per-layer").out
    assert [line.split()[:2] for line in shown.splitlines() if "AvgPool2d" in line] == [
        ["avg_pool2d_1", "AvgPool2d"]
    ]


def test_a_report_is_written(tmp_path):
    pooled(tmp_path)
    outcome = netspec("verify", "exports/pooled.onnx", "--report", "report.md")
    assert (outcome.code, outcome.err) == (0, "")
    assert {"report.md", "report.png"} <= set(files(tmp_path))
    assert netspec("verify", "exports/pooled.onnx", "--report", "report.png").code == 2
    assert "error[NS511]" in netspec("verify", "exports/pooled.onnx", "--report", "exports").err


def test_the_schema_of_certificates():
    printed = json.loads(netspec("schema", "--certificate").out)
    assert printed["title"] == "netspec certificate"
    assert "netspec_certificate" in printed["properties"]
