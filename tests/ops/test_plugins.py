"""Operations from outside: found, checked, built, exported by their own lowering or torch's, or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from netspec import DiagnosticError, build, check
from netspec.ops import catalogue, plugins
from netspec.verify.certificate import Verdict
from tests.command_line import netspec
from tests.pages import ROOT, blocks

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
    ours = ("netspec_plugin_", "netspec_sample_ops", "snake")
    for name in [name for name in sys.modules if name.startswith(ours)]:
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
    spec: Path, tmp_path: Path, opset: int, caplog: pytest.LogCaptureFixture
) -> None:
    built = build(spec, out=tmp_path / "out", opset=opset)
    assert "torchvision" not in caplog.text  # which nothing here needs
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


@pytest.mark.parametrize(
    ("key", "code"),
    [("plugin: plugin.py", "NS202"), ("plugins: [plugin.py]", "NS202"), ("use: [plugin.py]", "NS204")],
)
def test_a_spec_can_name_no_plugin(key: str, code: str, spec: Path, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    spec.write_text(SPEC.replace("name: outside", key), encoding="utf-8")
    outcome = netspec("check", spec)
    assert (outcome.code, code in outcome.err) == (1, True)
    assert not (tmp_path / "ran").exists()


# --- the list, and what is told of one -----------------------------------------------------------------


@pytest.mark.usefixtures("installed")
def test_the_list_has_the_operations_of_installed_packages_and_marks_them() -> None:
    lines = netspec("ops").out.splitlines()[-4:]
    assert [line.split()[0] for line in lines] == ["Snake", "Gated", "Broken", "Missing"]
    assert "(the package netspec-sample-ops) x + sin" in lines[0]
    assert "NS" not in netspec("ops").err
    entries = netspec("ops", "--format", "json").data[-4:]
    assert [entry["origin"] for entry in entries] == ["the package netspec-sample-ops"] * 4
    assert "no subclass of netspec.Op" in entries[2]["problem"]


def test_the_list_has_the_operations_of_a_file(tmp_path: Path) -> None:
    assert len(netspec("ops").out.splitlines()) == len(catalogue.FAMILIES)
    *_, snake, _ = netspec("ops", "--plugin", FILE).out.splitlines()
    assert snake.split()[:2] == ["Snake", "(the"]


@pytest.mark.usefixtures("installed")
def test_what_is_told_of_one_says_where_it_is_from() -> None:
    text = netspec("ops", "Snake").out
    assert "\nFrom      the package netspec-sample-ops\n" in text
    assert "as torch's exporter writes it" in netspec("ops", "Gated").out
    assert netspec("ops", "Gated", "--format", "json").data["has_lowering"] is False
    assert "did you mean Snake?" in netspec("ops", "snake").err
    assert (netspec("ops", "Broken").code, "NS396" in netspec("ops", "Broken").err) == (1, True)


def test_an_example_that_does_not_hold_is_told_after_the_rest(guide: Path) -> None:
    text = (guide / "snake.py").read_text(encoding="utf-8")
    (guide / "snake.py").write_text(text.replace("-> (N, 64)", "-> (N, 32)"), encoding="utf-8")
    outcome = netspec("ops", "Snake", "--plugin", guide / "snake.py")
    assert outcome.code == 1
    assert "a positive number; default 1.0" in outcome.out
    assert "the example of Snake does not hold: it says (N, 32), and gives (N, 64)" in outcome.err


# --- README's guide ------------------------------------------------------------------------------------


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """A folder with the files of the guide."""
    for block in blocks(ROOT / "README.md"):
        comment = block.text.partition("\n")[0].removeprefix("# ")
        name = block.marker or (comment if comment == "waves.yaml" else "")
        if name.endswith((".py", ".toml", ".yaml")):
            (tmp_path / name).write_text(block.text, encoding="utf-8")
    return tmp_path


def test_the_guides_operation_is_explained_with_its_example(guide: Path) -> None:
    outcome = netspec("ops", "Snake", "--plugin", guide / "snake.py")
    assert (outcome.code, outcome.err) == (0, "")
    assert "  # gives (N, 64)\n" in outcome.out
    assert "Sin" in outcome.out.partition("Lowering")[2]


def test_the_guides_test_passes(guide: Path) -> None:
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_snake.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, cwd=guide, env=environment, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout


def test_a_wrong_lowering_leaves_no_file(guide: Path) -> None:
    text = (guide / "snake.py").read_text(encoding="utf-8")
    assert text.count('"Sin"') == 1
    (guide / "snake.py").write_text(text.replace('"Sin"', '"Cos"'), encoding="utf-8")
    command = ["build", guide / "waves.yaml", "--plugin", guide / "snake.py", "--out", guide / "exports"]
    assert netspec(*command).code == 3
    assert not list(guide.glob("exports/*"))


def test_without_its_lowering_torchs_exporter_writes_it(guide: Path) -> None:
    text = (guide / "snake.py").read_text(encoding="utf-8")
    before, lower, after = text.partition("    def lower(")
    rest = after.partition("    @property")[2]
    (guide / "snake.py").write_text(f"{before}    @property{rest}", encoding="utf-8")
    command = ["build", guide / "waves.yaml", "--plugin", guide / "snake.py", "--out", guide / "exports"]
    outcome = netspec(*command)
    assert (bool(lower), outcome.code) == (True, 0), outcome.err
    certificate = json.loads((guide / "exports" / "waves.cert.json").read_text(encoding="utf-8"))
    assert certificate["exported_by_torch"] == ["snake_1"]


def test_the_guides_package_offers_its_operation(guide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((guide / "pyproject.toml").read_text(encoding="utf-8"))
    ((group, offered),) = project["project"]["entry-points"].items()
    metadata = guide / "snake-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: snake\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]", *(f"{name} = {target}" for name, target in offered.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(guide))
    assert str(check(guide / "waves.yaml").graph.outputs[0].value.type) == "(batch, 1)"
