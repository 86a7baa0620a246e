"""The doctor, in environments that are whole, halved, doubled and broken."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from netspec.doctor import Report, Row, State, diagnose
from netspec.onnx_backend.opset import installed_runtime, newest_opset


def row(report: Report, name: str) -> Row:
    """The one row of that name."""
    (found,) = [row for row in report.rows if row.name == name]
    return found


def findings(report: Report) -> list[str]:
    return [row.finding.code for row in report.rows if row.finding]


def install(folder: Path, distribution: str, version: str) -> None:
    """Leave the metadata that pip leaves, and no package."""
    metadata = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")


def put_package(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `import name` run `code`."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(folder)


def fake_runtime(offered: Sequence[str], started: Sequence[str], newest_opset: int) -> ModuleType:
    """An onnxruntime that offers some providers, starts others, and loads models up to an opset."""

    def session(model: bytes, providers: Sequence[str]) -> SimpleNamespace:
        import onnx

        opset = onnx.load_from_string(model).opset_import[0].version
        if opset > newest_opset:
            raise RuntimeError(f"opset {opset} is under development")
        return SimpleNamespace(get_providers=lambda: [name for name in providers if name in started])

    runtime = ModuleType("onnxruntime")
    runtime.__dict__.update(
        __version__="1.13.1",
        InferenceSession=session,
        get_available_providers=lambda: list(offered),
        set_default_logger_severity=lambda level: None,
    )
    return runtime


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which an NVIDIA driver shows."""
    tool = tmp_path / "bin" / ("nvidia-smi.exe" if sys.platform == "win32" else "nvidia-smi")
    tool.parent.mkdir()
    tool.write_text("")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))


def test_environment_of_the_tests_is_healthy(tmp_path: Path) -> None:
    report = diagnose(tmp_path / "exports")
    assert report.healthy
    assert row(report, "Python").value.startswith(".".join(map(str, sys.version_info[:3])))
    assert {"netspec", "torch", "onnx", "numpy", "pydantic", "PyYAML", "newest opset"} <= {
        row.name for row in report.rows
    }
    assert all(row.value for row in report.rows)
    assert not (tmp_path / "exports").exists()  # it looks, and leaves nothing


def test_newest_opset_found_by_loading_is_the_one_that_export_allows() -> None:
    assert row(diagnose(), "newest opset").value == str(newest_opset(installed_runtime()))


def test_report_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    report = json.loads(json.dumps(diagnose().to_json()))
    assert report["healthy"] is False
    (typer,) = [row for row in report["rows"] if row["name"] == "typer"]
    assert typer == {
        "name": "typer",
        "value": "missing",
        "state": "error",
        "code": "NS561",
        "advice": "typer is not installed. Install it: pip install typer",
    }


def test_both_runtimes_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "onnxruntime", "1.30.0")
    install(tmp_path, "onnxruntime-gpu", "1.31.1")
    monkeypatch.syspath_prepend(tmp_path)
    report = diagnose()
    found = row(report, "onnxruntime")
    assert not report.healthy
    assert found.value == "onnxruntime 1.30.0, onnxruntime-gpu 1.31.1"
    assert "uninstall -y onnxruntime onnxruntime-gpu" in found.advice


@pytest.mark.parametrize("module", ["torch", "onnx", "numpy", "onnxruntime", "yaml"])
def test_missing_package_is_an_error_and_stops_nothing(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    report = diagnose()
    assert findings(report) == ["NS561"]
    assert not report.healthy


def test_what_uninstalling_one_runtime_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    report = diagnose()
    assert findings(report) == ["NS562"]
    assert "no InferenceSession" in next(row.advice for row in report.rows if row.finding)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise OSError('libtorch.so:\\n cannot open')", "OSError: libtorch.so: cannot open"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_broken_package_is_reported_with_its_reason(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_package(tmp_path, "safetensors", code, monkeypatch)
    found = row(diagnose(), "safetensors")
    assert found.state is State.ERROR
    assert f"importing it fails: {reason}" in found.advice


def test_package_that_fails_when_used_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delattr(torch.cuda, "is_available")
    found = row(diagnose(), "torch devices")
    assert found.state is State.ERROR
    assert "AttributeError" in found.advice


def test_cuda_that_is_built_in_is_no_fault_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("pathlib.Path.glob", lambda self, pattern: iter(()))
    offered = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_runtime(offered, ["CPUExecutionProvider"], 20))
    found = row(diagnose(), "onnxruntime providers")
    assert (found.state, found.value) == (State.OK, "CPU (CUDA is built in, and there is no GPU)")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("offered", "started", "value", "state"),
    [
        (["CPU"], ["CPU"], "CPU", State.OK),
        (["CUDA", "CPU"], ["CPU"], "CPU", State.WARN),
        (["CUDA", "CPU"], ["CUDA", "CPU"], "CUDA, CPU", State.OK),
    ],
)
def test_providers_are_those_of_a_session(
    offered: list[str], started: list[str], value: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = fake_runtime(
        [f"{name}ExecutionProvider" for name in offered], [f"{name}ExecutionProvider" for name in started], 20
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    report = diagnose()
    found = row(report, "onnxruntime providers")
    assert (found.value, found.state) == (value, state)
    assert row(report, "newest opset").value == "20"


@pytest.mark.usefixtures("gpu")
def test_torch_that_does_not_see_the_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    report = diagnose()
    assert row(report, "torch devices").state is State.WARN
    assert "a build for the CPU alone" in row(report, "torch devices").advice
    assert report.healthy


def test_runtime_without_a_usable_opset_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = ["CPUExecutionProvider"]
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_runtime(provider, provider, 16))
    found = row(diagnose(), "newest opset")
    assert (found.value, found.state) == ("none", State.ERROR)
    assert "onnxruntime 1.13.1 loads no opset of 17 or later" in found.advice


def test_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = diagnose(tmp_path / "file" / "exports")
    assert row(report, "exports folder").state is State.WARN
    assert "--out FOLDER" in row(report, "exports folder").advice
    assert report.healthy


def test_slow_yaml_parser_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert row(diagnose(), "libyaml").state is State.WARN


def test_terminal_says_that_colour_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "NO_COLOR" in row(diagnose(), "terminal").value


def test_graphviz_is_told_and_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.doctor._version", lambda distribution: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert row(diagnose(), "Graphviz") == Row("Graphviz", "none; only netspec show --svg needs it")
