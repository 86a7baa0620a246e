"""Every command and every option: what is printed where, and the code to leave with."""

from __future__ import annotations

import csv
import io
import json
import re
import resource
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import netspec as package
from netspec.ops.catalogue import catalogue
from netspec.ops.pooling import AvgPool2d
from tests.command_line import IMAGES, LENET, SPECS, files, netspec

COMMANDS = ["check", "show", "build", "verify", "ops", "schema", "doctor"]

TINY = """\
netspec: 1
name: {name}
inputs: {{x: [batch, 4]}}
layers:
  - Linear: {{out_features: 3}}
  - {last}
"""

POOL = """\
netspec: 1
name: pooled
inputs: {x: [batch, 1, 6, 6]}
layers:
  - AvgPool2d: {kernel_size: 3}
"""


def tiny(folder: Path, name: str = "tiny", last: str = "Tanh") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(TINY.format(name=name, last=last), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


# --- help, version, usage ------------------------------------------------------------------------------


def test_without_arguments_there_is_help():
    outcome = netspec()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == netspec("--help").out
    listed = re.findall(r"^  (\w+) {2,}\S", outcome.out.partition("Commands:")[2], flags=re.MULTILINE)
    assert listed == COMMANDS


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)])
def test_help_is_whole_on_80_columns_and_ends_with_an_example_that_exists(arguments):
    text = netspec(*arguments, "--help").out
    assert netspec(*arguments, "-h").out == text
    assert text.startswith(" ".join(["Usage: netspec", *arguments]))
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.replace("[ARGS]...", "").replace("{SPEC}...", "")
    example = re.search(r"Example: netspec (\w+)( .*)?$", text, flags=re.MULTILINE)
    assert example
    assert example[1] in COMMANDS
    assert [example[1]] == arguments or not arguments
    for option in re.findall(r"--[a-z-]+", example[2] or ""):
        assert option in text


def test_version():
    assert netspec("--version").out == f"netspec {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["buidl"], "Did you mean 'build'?"),
        (["check"], "Missing argument 'SPEC'"),
        (["build", LENET, "--sample", "x"], "--samples"),
        (["check", LENET, "--format", "xml"], "'text', 'json', 'github'"),
        (["build", LENET, "--seed", "-1"], "--seed"),
        (["build", LENET, "--opset", "new"], "--opset"),
        (["check", LENET, "--set", "classes"], "--set takes NAME=VALUE, not 'classes'"),
        (["check", LENET, "--set", "=3"], "--set takes NAME=VALUE, not '=3'"),
        (["build", LENET, SPECS / "lenet5.yaml", "--weights", "w"], "one spec at a time"),
        (["build", LENET, SPECS / "lenet5.yaml", "--save-weights", "w"], "one spec at a time"),
        (["build", LENET, "--any-graph"], "--any-graph is for --weights"),
        (["verify"], "Missing argument 'MODEL'"),
    ],
)
def test_usage_errors(arguments, message, tmp_path):
    outcome = netspec(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: netspec ")
    assert message in outcome.err
    assert files(tmp_path) == []


# --- check ---------------------------------------------------------------------------------------------


def test_check_says_what_it_found():
    outcome = netspec("check", LENET)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{LENET}: ok, 12 layers, (batch, 1, 28, 28) -> (batch, 10)\n"


def test_check_with_another_parameter():
    assert netspec("check", LENET, "--set", "classes=47").out.endswith("-> (batch, 47)\n")
    assert netspec("check", LENET, "--set", "classes=1", "--set", "classes=7").out.endswith("(batch, 7)\n")


@pytest.mark.parametrize(("setting", "code"), [("class=3", "NS219"), ("classes=three", "NS220")])
def test_check_of_a_wrong_parameter_is_the_spec_s_fault(setting, code):
    outcome = netspec("check", LENET, "--set", setting)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"error[{code}]" in outcome.err


def test_check_tells_what_dimensions_need(tmp_path):
    path = tmp_path / "conv.yaml"
    path.write_text(
        "{netspec: 1, inputs: {x: [batch, 1, H, 8]}, layers: [{Conv2d: {out_channels: 1, kernel_size: 5}}]}"
    )
    assert netspec("check", path).out == (
        f"{path}: ok, 1 layer, (batch, 1, H, 8) -> (batch, 1, H - 4, 4), H >= 5\n"
    )


def test_check_of_several_goes_on_after_a_bad_one(tmp_path):
    bad = tiny(tmp_path, last="Tahn")
    outcome = netspec("check", bad, LENET, "absent.yaml")
    assert outcome.code == 1
    assert outcome.out.startswith(f"{LENET}: ok")
    assert f"{bad}:6:5: error" in outcome.err
    assert "did you mean Tanh?" in outcome.err
    assert "there is no file absent.yaml" in outcome.err
    assert outcome.err.endswith("\n2 errors\n")


def test_check_json(tmp_path):
    bad = tiny(tmp_path, last="Tahn")
    outcome = netspec("check", LENET, bad, "--format", "json")
    assert (outcome.code, outcome.err) == (1, "")
    good, report = outcome.data
    assert good == {"file": str(LENET), "ok": True, "diagnostics": []}
    assert (report["file"], report["ok"]) == (str(bad), False)
    (diagnostic,) = report["diagnostics"]
    assert (diagnostic["file"], diagnostic["line"], diagnostic["column"]) == (str(bad), 6, 5)
    assert netspec("check", LENET, "--format", "json").code == 0


def test_check_github(tmp_path):
    bad = tiny(tmp_path, last="Tahn")
    outcome = netspec("check", bad, "--format", "github")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.startswith(f"::error file={bad},line=6,")


def test_a_warning_is_no_failure(tmp_path):
    path = tmp_path / "unused.yaml"
    path.write_text(
        "{netspec: 1, inputs: {x: [batch, 4]},"
        " layers: [{Tanh: {}, name: a}, {Sigmoid: {}, from: x, name: b}]}"
    )
    for command in ("check", "show"):
        outcome = netspec(command, path)
        assert outcome.code == 0
        assert "warning" in outcome.err
        assert outcome.out


def test_a_spec_from_standard_input(tmp_path):
    text = tiny(tmp_path).read_text()
    assert "ok, 2 layers" in netspec("check", "-", stdin=text).out
    assert netspec("show", "-", stdin=text).out.startswith("tiny: x (batch, 4)")
    assert netspec("build", "-", stdin=text).code == 0
    assert (tmp_path / "exports" / "tiny.onnx").is_file()
    assert netspec("check", "-", stdin="").code == 1


@pytest.mark.parametrize("name", ["with spaces", "naïve ☃ 模型", "a'b\"c", "-dash"])
def test_paths_of_all_kinds(name, tmp_path):
    path = tmp_path / name / "spec.yaml"
    path.parent.mkdir()
    path.write_text(tiny(tmp_path).read_text(), encoding="utf-8")
    assert netspec("check", path).out.startswith(f"{path}: ok")
    assert netspec("build", path, "--out", tmp_path / name / "out").code == 0
    assert netspec("verify", tmp_path / name / "out" / "tiny.onnx").code == 0


# --- show ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("spec", ["lenet", "alexnet"])
def test_show_fits_the_terminal(spec, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = netspec("show", SPECS / f"{spec}.yaml")
    lines = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert lines[0].startswith(f"{spec}: image (batch, 1, ")
    assert max(map(len, lines)) <= columns
    assert not any(line.endswith(" ") for line in lines)
    numbers = re.findall(r" (\d[\d,]+)\b(?! \()", outcome.out)  # whole, however narrow the terminal
    wide = netspec("show", SPECS / f"{spec}.yaml", "--format", "json").data
    assert f"{wide['totals']['macs']:,}" in numbers
    assert {f"{layer['params']:,}" for layer in wide["layers"] if layer["params"]} <= set(numbers)


def test_show_aligns_whole_numbers_on_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = netspec("show", SPECS / "alexnet.yaml").out.splitlines()
    assert len(lines) == 21 + 6
    assert re.fullmatch(r"conv2d_2 +\(batch, 256, 26, 26\) +614,656 +415,334,400 +51x51 /8", lines[7])
    assert re.fullmatch(r"total +46,764,746 +938,146,176", lines[-1])


def test_show_csv():
    outcome = netspec("show", LENET, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert (outcome.code, outcome.err, len(rows)) == (0, "", 12)
    assert rows[3] == {
        "name": "conv2d_2",
        "op": "Conv2d",
        "output_shape": "batchx16x10x10",
        "params": "2416",
        "macs": "240000",
        "receptive_field": "14/2/2 14/2/2",
    }
    assert sum(int(row["params"]) for row in rows) == 61706
    assert rows[-1]["receptive_field"] == ""


def test_show_json():
    outcome = netspec("show", LENET, "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.data["totals"] == {"params": 61706, "macs": 416520}
    assert len(outcome.data["layers"]) == 12


def test_show_of_a_bad_spec(tmp_path):
    for form in ("text", "json", "csv"):
        outcome = netspec("show", tiny(tmp_path, last="Tahn"), "--format", form)
        assert (outcome.code, outcome.out) == (1, "")
        assert "did you mean Tanh?" in outcome.err


# --- build ---------------------------------------------------------------------------------------------


def test_build_writes_a_model_that_runs_and_a_certificate(tmp_path):
    outcome = netspec("build", LENET, "--samples", IMAGES)
    assert (outcome.code, outcome.err) == (0, "")
    assert files(tmp_path) == ["exports", "exports/lenet.cert.json", "exports/lenet.onnx"]
    first, *gates = outcome.out.splitlines()
    assert re.fullmatch(r"exports/lenet\.onnx: passed, 2\d\d KB, opset 18, untrained weights", first)
    assert [gate.split()[:2] for gate in gates] == [
        ["passed", gate] for gate in ("consistency", "semantic", "rounding")
    ]
    assert "real samples" in gates[2]
    certificate = json.loads((tmp_path / "exports" / "lenet.cert.json").read_text())
    assert certificate["verdict"] == "passed"
    session = onnxruntime.InferenceSession(
        tmp_path / "exports" / "lenet.onnx", providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(None, {"image": np.zeros((2, 1, 28, 28), np.float32)})
    assert logits.shape == (2, 10)


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
    assert netspec("build", other, "--weights", "w/tiny.st", "--any-graph").code == 0


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
    import os

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


# --- ops, schema, doctor -------------------------------------------------------------------------------


def test_ops_lists_all():
    lines = netspec("ops").out.splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue())
    assert max(map(len, lines)) <= 80
    assert [entry["name"] for entry in netspec("ops", "--format", "json").data] == list(catalogue())


@pytest.mark.parametrize("name", catalogue())
def test_ops_explains_one(name):
    text = netspec("ops", name).out
    assert text.startswith(f"{name}\n\n")
    data = netspec("ops", name, "--format", "json").data
    assert data["name"] == name
    assert data["summary"] in text
    for argument in data["arguments"]:
        assert f"\n  {argument['name']} " in text
        assert argument["required"] != ("default" in argument)
        assert argument["expects"]


def test_ops_of_an_unknown_one():
    outcome = netspec("ops", "conv2D")
    assert (outcome.code, outcome.out) == (1, "")
    assert "did you mean Conv2d?" in outcome.err


def test_schema_is_the_one_that_is_checked_in():
    assert netspec("schema").out == (SPECS.parent / "netspec.schema.json").read_text(encoding="utf-8")


def test_doctor():
    outcome = netspec("doctor")
    assert "onnxruntime" in outcome.out
    report = netspec("doctor", "--format", "json")
    assert report.code == outcome.code
    assert report.data
