"""Sections of a spec file, and that every way to write the same network gives the same graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.ir.fingerprint import canonical_json, graph_hash, spec_hash
from netspec.language.source import parse
from netspec.pipeline import check, check_text
from tests.language.spec_text import checked, codes, spec

ROOT = Path(__file__).parent.parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
BAD = sorted((ROOT / "tests" / "errors").glob("*_*.yaml"))

HEAVY = {"torch", "onnx", "onnxruntime", "numpy"}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_resolved_spec_gives_the_same_graph_again(path: Path) -> None:
    first = check(path).graph
    again = check_text(canonical_json(first.resolved), "again.json").graph
    assert graph_hash(again) == graph_hash(first)
    assert spec_hash(again.resolved) == spec_hash(first.resolved)
    assert again.name == first.name


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_json_is_yaml_s_equal(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    as_json = json.dumps(parse(text, str(path), "yaml").value)
    assert graph_hash(check_text(as_json, "spec.json").graph) == graph_hash(check(path).graph)


def test_a_resolved_spec_has_its_parameters_set() -> None:
    graph = check(ROOT / "specs" / "lenet.yaml", settings={"classes": "47"}).graph
    again = check_text(canonical_json(graph.resolved), "again.json").graph
    assert str(again.outputs[0].value.type) == "(batch, 47)"


def test_the_schema_s_address_is_for_editors_alone() -> None:
    plain = parse((ROOT / "specs" / "lenet.yaml").read_text(encoding="utf-8"), "lenet.yaml", "yaml").value
    addressed = {"$schema": "../netspec.schema.json", **plain}
    graph = check_text(json.dumps(addressed), "lenet.json").graph
    assert graph.resolved == check_text(json.dumps(plain), "lenet.json").graph.resolved


def test_the_name_is_the_file_s_where_none_is_given(tmp_path: Path) -> None:
    path = tmp_path / "my_net.yaml"
    path.write_text(spec("- ReLU").replace("name: net\n", ""))
    assert check(path).graph.name == "my_net"


def test_a_file_s_name_that_is_no_name(tmp_path: Path) -> None:
    path = tmp_path / "my-net.v2.yaml"
    path.write_text(spec("- ReLU").replace("name: net\n", ""))
    with pytest.raises(DiagnosticError) as caught:
        check(path)
    assert codes(list(caught.value.diagnostics)) == ["NS210"]
    path.write_text(spec("- ReLU"))
    assert check(path).graph.name == "net"


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("dims: {H: {min: 1}}", "NS225"),
        ("dims: {batch: {min: 5, max: 4}}", "NS226"),
        ("dims: {batch: {min: 5, max: 6, multiple_of: 4}}", "NS226"),
        ("dims: {batch: {max: 3, multiple_of: 4}}", "NS226"),
        ("dims: {batch: {mni: 5}}", "NS202"),
        ("dims: {batch: {min: 0}}", "NS204"),
        ("dims: {batch: 3}", "NS204"),
        ("dims: [batch]", "NS204"),
        ("params: {a: }", "NS204"),
        ("params: {a: {}}", "NS204"),
        ("params: {class: 1}", "NS201"),
        ("params: {a: $b}", "NS147"),
        ("outputs: relu_1", "NS204"),
        ("outputs: []", "NS208"),
        ("outputs: {}", "NS208"),
        ("trains: {}", "NS202"),
        ("init: 3x", "NS223"),
    ],
)
def test_sections_that_are_refused(section: str, code: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        checked(spec("- ReLU", more=section))
    assert codes(list(caught.value.diagnostics)) == [code]


@pytest.mark.parametrize(
    ("preprocess", "problem"),
    [
        ("{scale: 0.1, mean: 0.5, std: 0.5, resize: 32}", None),
        ("{mean: [1, 2, 3], std: [1, 2, 3], resize: [32, 32]}", None),
        ("{mean: [1, 2]}", "mean"),
        ("{mean: [1]}", "mean"),
        ("{std: [1, 2, 3, 4]}", "std"),
        ("{std: 0}", "std"),
        ("{std: [1, 0.0, 1]}", "std"),
        ("{std: -0.5}", "std"),
        ("{scale: 0}", "scale"),
        ("{resize: 31}", "resize"),
        ("{resize: [32, 31]}", "resize"),
    ],
)
def test_preprocess(preprocess: str, problem: str | None) -> None:
    text = spec("- ReLU", inputs=f"{{image: {{shape: [batch, 3, 32, 32], preprocess: {preprocess}}}}}")
    if problem is None:
        assert checked(text).graph.inputs[0].preprocess is not None
        return
    with pytest.raises(DiagnosticError) as caught:
        checked(text)
    (found,) = caught.value.diagnostics
    assert found.code == "NS227"
    assert found.text.startswith(f"{problem} of image")


@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        ("{}", True),
        ("{min: 32}", False),
        ("{max: 27}", False),
        ("{multiple_of: 14}", True),
        ("{multiple_of: 3}", False),
    ],
)
def test_resize_must_be_a_size_that_dims_allows(limits: str, holds: bool) -> None:
    inputs = "{image: {shape: [batch, 3, H, 28], preprocess: {resize: 28}}}"
    text = spec("- ReLU", inputs=inputs, more=f"dims: {{H: {limits}}}")
    if holds:
        checked(text)
    else:
        with pytest.raises(DiagnosticError, match="which dims does not allow for H"):
            checked(text)


@pytest.mark.parametrize("format", ["text", "json", "github"])
@pytest.mark.parametrize("paths", [SPECS, BAD[::5]], ids=["good", "bad"])
def test_checking_imports_nothing_heavy(paths: list[Path], format: str) -> None:
    """A whole process, told to say what it has loaded when it ends."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('LOADED', *sys.modules, file=sys.__stderr__))\n"
        "from netspec.cli import main\n"
        f"sys.argv = ['netspec', 'check', '--format', {format!r}, *{[str(path) for path in paths]!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == (0 if paths is SPECS else 1), done.stderr
    loaded = set(done.stderr.rpartition("LOADED")[2].split())
    assert "netspec.language.elaborate" in loaded
    assert not loaded & HEAVY
