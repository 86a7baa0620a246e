"""Operations from outside: found, checked, built, exported by their own lowering or torch's, or refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netspec import DiagnosticError, build, check
from netspec.ops import catalogue, plugins
from netspec.verify.certificate import Verdict
from tests.command_line import netspec
from tests.pages import ROOT

PACKAGE = ROOT / "tests" / "plugins"
FILE = PACKAGE / "netspec_sample_ops.py"

SPEC = """
netspec: 1
name: outside
inputs: {x: [batch, length, 6]}
layers:
  - Gated: {out_features: 5}
  - Snake: {frequency: 1.7}
    repeat: 2
  - Linear: {out_features: 4}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "outside.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Every test begins without plugins, and with the installed packages as they then are."""

    def clear() -> None:
        catalogue._added.clear()
        for cached in (catalogue.find, catalogue.offered, plugins.entries):
            cached.cache_clear()

    clear()
    yield
    clear()
    for name in [name for name in sys.modules if name.startswith(("netspec_plugin_", "netspec_sample_ops"))]:
        del sys.modules[name]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample package is on the path, with the metadata of an installed one."""
    monkeypatch.syspath_prepend(str(PACKAGE))


def test_without_the_package_its_operations_are_unknown(spec: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        check(spec)
    assert {found.code for found in caught.value.diagnostics} == {"NS205"}


@pytest.mark.usefixtures("installed")
def test_an_installed_package_is_found_when_its_operation_is_named(spec: Path) -> None:
    graph = check(spec).graph
    assert [node.name for node in graph] == ["gated_1", "snake_1.0", "snake_1.1", "linear_1"]
    assert str(graph.outputs[0].value.type) == "(batch, length, 4)"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("opset", [18, 20])
def test_one_without_a_lowering_goes_through_torchs_exporter_and_the_certificate_says_so(
    spec: Path, tmp_path: Path, opset: int
) -> None:
    built = build(spec, out=tmp_path / "out", opset=opset)
    assert built.certificate.verdict is Verdict.PASSED
    assert built.certificate_path is not None
    certificate = json.loads(built.certificate_path.read_text(encoding="utf-8"))
    assert certificate["exported_by_torch"] == ["gated_1"]
    lenet = build(ROOT / "specs" / "edge_detector.yaml", out=tmp_path / "out")
    assert lenet.certificate.to_data()["exported_by_torch"] == []


@pytest.mark.usefixtures("installed")
def test_torchs_exporter_writes_no_opset_17(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        build(spec, out=tmp_path / "out", opset=17)
    (found,) = caught.value.diagnostics
    assert found.code == "NS516"
    assert found.span is not None
    assert found.span.line == 6


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("name", "code"), [("Broken", "NS396"), ("Missing", "NS395")])
def test_an_entry_point_that_does_not_hold_is_reported_at_the_step(name: str, code: str, spec: Path) -> None:
    spec.write_text(SPEC + f"  - {name}\n", encoding="utf-8")
    with pytest.raises(DiagnosticError) as caught:
        check(spec)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span and found.span.line) == (code, 10)


def test_a_file_that_the_user_names_is_run(spec: Path, tmp_path: Path) -> None:
    outcome = netspec("check", spec, "--plugin", FILE)
    assert outcome.code == 0, outcome.err
    outcome = netspec("ops", "Snake", "--plugin", FILE)
    assert "frequency" in outcome.out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("OPERATIONS = 3\n", "NS395", "it has no OPERATIONS"),
        ("1 / 0\n", "NS395", "ZeroDivisionError"),
        ("def x(:\n", "NS395", "SyntaxError"),
        ("OPERATIONS = (int,)\n", "NS396", "no subclass"),
        ("import netspec\nclass Bare(netspec.Op): pass\nOPERATIONS = (Bare,)\n", "NS396", "lacks infer"),
        (
            "from netspec.ops.shape import Identity\nclass ReLU(Identity): pass\nOPERATIONS = (ReLU,)\n",
            "NS397",
            "there is an operation of this name",
        ),
    ],
)
def test_a_file_that_offers_no_operations_is_refused(
    text: str, code: str, words: str, spec: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(text, encoding="utf-8")
    outcome = netspec("check", spec, "--plugin", path)
    assert outcome.code == 1
    assert code in outcome.err
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_a_missing_file_is_named(spec: Path, tmp_path: Path) -> None:
    outcome = netspec("check", spec, "--plugin", tmp_path / "missing.py")
    assert (outcome.code, "there is no such file" in outcome.err) == (1, True)


def test_a_spec_without_unknown_names_looks_at_no_package(spec: Path) -> None:
    program = (
        "import sys; from netspec.pipeline import check; check(sys.argv[1]); "
        "sys.exit('netspec.ops.plugins' in sys.modules)"
    )
    run = [sys.executable, "-c", program, str(ROOT / "specs" / "resnet.yaml")]
    environment = {"PYTHONPATH": str(ROOT), "PYDANTIC_DISABLE_PLUGINS": "true"}
    assert subprocess.run(run, env=environment, check=False).returncode == 0
