"""Every command and every option: what is printed where, and the code to leave with."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

import netspec as package
from tests.command_line import LENET, SPECS, files, netspec, tiny

COMMANDS = ["check", "show", "expand", "eject", "build", "train", "verify", "ops", "schema", "doctor"]


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
        (["build", LENET, "--weights-map", "name"], "--weights-map is for --weights"),
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


# --- schema, doctor ------------------------------------------------------------------------------------


def test_schema_is_the_one_that_is_checked_in():
    assert netspec("schema").out == (SPECS.parent / "netspec.schema.json").read_text(encoding="utf-8")


def test_doctor():
    outcome = netspec("doctor")
    assert "onnxruntime" in outcome.out
    report = netspec("doctor", "--format", "json")
    assert report.code == outcome.code
    assert report.data
