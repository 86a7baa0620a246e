"""`netspec build` and `netspec verify`: what appears, what does not, and the code to leave with."""

from __future__ import annotations

import json
import os
import re
import resource
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from netspec.ops.average_pooling import AvgPool2d
from tests.command_line import IMAGES, LENET, files, netspec, tiny

POOL = """\
netspec: 1
name: pooled
inputs: {x: [batch, 1, 6, 6]}
layers:
  - AvgPool2d: {kernel_size: 3}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


# --- build ---------------------------------------------------------------------------------------------


def test_build_writes_a_model_that_runs_and_a_certificate(tmp_path):
    outcome = netspec("build", LENET, "--samples", IMAGES)
    assert (outcome.code, outcome.err) == (0, "")
    assert files(tmp_path) == ["exports", "exports/lenet.cert.json", "exports/lenet.onnx"]
    first, *gates = outcome.out.splitlines()
    assert re.fullmatch(r"exports/lenet\.onnx: passed, 2\d\d KB, opset 18, untrained weights", first)
    assert [gate.split()[:2] for gate in gates] == [
        ["passed", gate] for gate in ("consistency", "semantic", "rounding,", "rounding,")
    ]
    assert "real samples" in gates[2]
    certificate = json.loads((tmp_path / "exports" / "lenet.cert.json").read_text())
    assert certificate["verdict"] == "passed"
    session = onnxruntime.InferenceSession(
        tmp_path / "exports" / "lenet.onnx", providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(None, {"image": np.zeros((2, 1, 28, 28), np.float32)})
    assert logits.shape == (2, 10)


def test_a_network_without_weights(tmp_path):
    (tmp_path / "pooled.yaml").write_text(POOL)
    outcome = netspec("build", "pooled.yaml", "--save-weights", "none.st")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0].endswith("opset 18, no weights")
    assert netspec("build", "pooled.yaml", "--weights", "none.st").code == 0


def test_build_fits_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = netspec("build", LENET, "--samples", IMAGES).out
    assert max(map(len, out.splitlines())) <= 80


def test_build_is_reproducible_and_follows_the_seed(tmp_path):
    spec = tiny(tmp_path)
    for out, seed in ("a", 0), ("b", 0), ("c", 1):
        assert netspec("build", spec, "--out", out, "--seed", seed).code == 0
    a, b, c = ((tmp_path / out / "tiny.onnx").read_bytes() for out in "abc")
    assert a == b != c
    certificates = [(tmp_path / out / "tiny.cert.json").read_bytes() for out in "ab"]
    assert certificates[0] == certificates[1]


def test_build_json(tmp_path):
    spec, bad = tiny(tmp_path), tiny(tmp_path, "bad", "Tahn")
    outcome = netspec("build", spec, bad, "--format", "json", "--opset", "20")
    assert outcome.code == 1
    good, report = outcome.data
    assert good["spec"] == str(spec)
    assert (good["verdict"], good["model"], good["rejected"]) == ("passed", "exports/tiny.onnx", None)
    assert (good["opset"], good["bytes"]) == (20, (tmp_path / "exports" / "tiny.onnx").stat().st_size)
    assert good["certificate"]["verdict"] == "passed"
    assert good["diagnostics"] == []
    assert good.keys() == report.keys()
    assert (report["spec"], report["verdict"], report["model"]) == (str(bad), None, None)
    assert report["diagnostics"][0]["line"] == 6


def test_build_goes_on_after_a_bad_spec(tmp_path):
    outcome = netspec("build", tiny(tmp_path, "bad", "Tahn"), "absent.yaml", tiny(tmp_path, "good"))
    assert outcome.code == 1
    assert files(tmp_path / "exports") == ["good.cert.json", "good.onnx"]
    assert "did you mean Tanh?" in outcome.err
    assert "absent.yaml" in outcome.err


def test_two_specs_of_one_name_do_not_replace_each_other(tmp_path):
    one = tiny(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(one.read_text())
    outcome = netspec("build", one, one, other)
    assert outcome.code == 1
    assert outcome.out.count("passed, ") == 1
    assert f"error[NS580]: the network tiny of {other} would replace that of {one}" in outcome.err


@pytest.mark.parametrize("opset", [17, 18, 21])
def test_build_at_an_opset(opset, tmp_path):
    assert netspec("build", tiny(tmp_path), "--opset", opset).code == 0
    model = onnx.load(tmp_path / "exports" / "tiny.onnx")
    assert [entry.version for entry in model.opset_import] == [opset]


@pytest.mark.parametrize("opset", [-1, 0, 16, 99])
def test_build_at_an_opset_that_cannot_be(opset, tmp_path):
    outcome = netspec("build", tiny(tmp_path), "--opset", opset)
    assert outcome.code == 1
    assert f"opset {opset} cannot be exported" in outcome.err
    assert not (tmp_path / "exports").exists()


def test_weights_are_saved_and_taken_again(tmp_path):
    spec = tiny(tmp_path)
    assert netspec("build", spec, "--seed", 5, "--save-weights", "w/tiny.st", "--out", "a").code == 0
    outcome = netspec("build", spec, "--weights", "w/tiny.st", "--out", "b")
    assert outcome.out.splitlines()[0].endswith("given weights")
    assert (tmp_path / "a" / "tiny.onnx").read_bytes() == (tmp_path / "b" / "tiny.onnx").read_bytes()
    other = tiny(tmp_path, "other", "Sigmoid")
    assert "error[NS572]" in netspec("build", other, "--weights", "w/tiny.st").err
    assert netspec("build", other, "--weights", "w/tiny.st", "--weights-map", "name").code == 0


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--weights", "absent", "NS570"),
        ("--weights", "tiny.yaml", "NS570"),
        ("--weights", ".", "NS570"),
        ("--samples", "absent", "NS550"),
        ("--samples", ".", "NS550"),
        ("--samples", "tiny.yaml", "NS551"),
        ("--samples", str(IMAGES), "NS55"),
        ("--out", "tiny.yaml", "NS511"),
        ("--out", "tiny.yaml/below", "NS511"),
        ("--save-weights", ".", "NS511"),
        ("--save-weights", "tiny.yaml/below", "NS511"),
    ],
)
def test_what_is_given_to_build_is_at_fault(option, value, code, tmp_path):
    outcome = netspec("build", tiny(tmp_path), option, value)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"error[{code}" in outcome.err
    assert outcome.err.endswith("\n1 error\n")
    assert files(tmp_path) in (["tiny.yaml"], ["exports", "tiny.yaml"])


def test_nothing_replaces_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    outcome = netspec("build", tiny(tmp_path), "--save-weights", "pipe")
    assert (outcome.code, "error[NS511]" in outcome.err) == (1, True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_in_the_place_of_the_model(tmp_path):
    (tmp_path / "exports" / "tiny.onnx").mkdir(parents=True)
    outcome = netspec("build", tiny(tmp_path))
    assert (outcome.code, "error[NS511]" in outcome.err) == (1, True)
    assert files(tmp_path / "exports") == ["tiny.onnx"]


@pytest.mark.parametrize("limit", [0, 1000, 200_000, 249_700])
def test_a_disk_that_fills(limit, tmp_path):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "lenet.onnx").write_text("older")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        outcome = netspec("build", LENET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    if outcome.code == 0:  # the file may come out smaller than it was when this was written
        assert limit > 200_000
        return
    assert (outcome.code, outcome.out) == (1, "")
    assert "error[NS511]: cannot write exports/" in outcome.err
    assert files(tmp_path / "exports") == ["lenet.onnx"]
    assert (tmp_path / "exports" / "lenet.onnx").read_text() == "older"


# --- verdicts ------------------------------------------------------------------------------------------


@pytest.fixture
def wrong_divisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lowering of AvgPool2d that divides by 10 where 9 is right."""
    right = AvgPool2d.lower

    def wrong(self: AvgPool2d, graph, x, weights):
        return right(self.model_copy(update={"divisor_override": 10}), graph, x, weights=weights)

    monkeypatch.setattr(AvgPool2d, "lower", wrong)


@pytest.mark.usefixtures("wrong_divisor")
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("keep", [False, True])
def test_a_wrong_lowering_is_rejected(keep, form, tmp_path):
    (tmp_path / "pooled.yaml").write_text(POOL)
    (tmp_path / "exports").mkdir()
    for name in ("pooled.onnx", "pooled.cert.json"):
        (tmp_path / "exports" / name).write_text("good")
    outcome = netspec("build", "pooled.yaml", "--format", form, *["--keep-rejected"] * keep)
    assert outcome.code == 3
    assert "error[NS5" in outcome.err
    kept = ["pooled.rejected.onnx"] if keep else []
    assert files(tmp_path / "exports") == sorted(["pooled.cert.json", "pooled.onnx", *kept])
    assert (tmp_path / "exports" / "pooled.onnx").read_text() == "good"
    assert (tmp_path / "exports" / "pooled.cert.json").read_text() == "good"
    if form == "json":
        (report,) = outcome.data
        assert (report["verdict"], report["model"]) == ("failed", None)
        assert report["rejected"] == ("exports/pooled.rejected.onnx" if keep else None)
        assert report["diagnostics"]
    else:
        assert outcome.out.startswith("pooled: failed, so no model was written\n")
        assert ("the rejected file is exports/pooled.rejected.onnx" in outcome.out) == keep
    if keep:
        onnx.checker.check_model(tmp_path / "exports" / "pooled.rejected.onnx", full_check=True)
        assert netspec("verify", "exports/pooled.rejected.onnx").code == 3


@pytest.mark.parametrize("keep", [False, True])
def test_a_constant_proves_nothing(keep, tmp_path):
    spec = tiny(tmp_path, last="Mul: {other: 0.0}")
    outcome = netspec("build", spec, *["--keep-rejected"] * keep)
    assert outcome.code == 4
    assert outcome.out.startswith("tiny: inconclusive, so no model was written\n")
    assert outcome.err
    assert files(tmp_path / "exports") == (["tiny.rejected.onnx"] if keep else [])


@pytest.mark.usefixtures("wrong_divisor")
def test_of_several_the_gravest_counts(tmp_path):
    (tmp_path / "pooled.yaml").write_text(POOL)
    good, bad, constant = (
        tiny(tmp_path),
        tiny(tmp_path, "bad", "Tahn"),
        tiny(tmp_path, "c", "Mul: {other: 0}"),
    )
    assert netspec("build", constant, good).code == 4
    assert netspec("build", constant, bad, good).code == 1
    assert netspec("build", "pooled.yaml", constant, bad, good).code == 3
    assert files(tmp_path / "exports") == ["tiny.cert.json", "tiny.onnx"]


# --- verify --------------------------------------------------------------------------------------------


def test_verify(tmp_path):
    netspec("build", LENET)
    outcome = netspec("verify", "exports/lenet.onnx", "--samples", IMAGES, "--seed", 3)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("exports/lenet.onnx: passed\n  passed  consistency ")
    assert "real samples" in outcome.out
    data = netspec("verify", "exports/lenet.onnx", "--format", "json").data
    assert (data["verdict"], data["file"]) == ("passed", "lenet.onnx")
    assert files(tmp_path / "exports") == ["lenet.cert.json", "lenet.onnx"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("absent.onnx", "NS505"), (".", "NS505"), ("empty.onnx", "NS501"), ("text.onnx", "NS501")],
)
def test_verify_of_what_is_no_model(name, code, tmp_path):
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("hello")
    outcome = netspec("verify", name)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"error[{code}]: " in outcome.err
