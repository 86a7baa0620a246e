"""`make setup`: when it works, when it does nothing, and that nothing unfinished looks finished."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
STAMP = Path(".venv/.stamp")


class Setup:
    """The script on a copy of the repository's facts, with the slow steps counted in place of done."""

    def __init__(self, script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = script
        self.steps: list[str] = []
        self.pip_fails = False
        monkeypatch.setattr(script, "create", self.create)
        monkeypatch.setattr(script.subprocess, "call", self.install)

    def create(self) -> None:
        self.steps.append("create")
        python = Path(self.script.BIN, os.path.basename(sys.executable) if os.name == "nt" else "python")
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("")

    def install(self, command: list[str]) -> int:
        assert not STAMP.exists()  # an interruption here must leave none
        self.steps.append("install")
        return 1 if self.pip_fails else 0

    def run(self) -> list[str]:
        """Run the script; the steps that it took."""
        self.steps = []
        self.script.main()
        return self.steps


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    spec = importlib.util.spec_from_file_location("environment", ROOT / ".ci" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return Setup(script, monkeypatch)


def test_second_run_does_nothing(setup: Setup) -> None:
    assert setup.run() == ["create", "install"]
    Path("constraints.txt").touch()
    assert setup.run() == []


def test_other_constraints_install_again(setup: Setup) -> None:
    setup.run()
    with open("constraints.txt", "a") as file:
        file.write("left-pad==1.3.0\n")
    assert setup.run() == ["install"]


def test_other_dependencies_install_again_and_other_settings_do_not(setup: Setup) -> None:
    setup.run()
    project = Path("pyproject.toml").read_text()
    Path("pyproject.toml").write_text(project.replace("line-length = 110", "line-length = 100"))
    assert setup.run() == []
    Path("pyproject.toml").write_text(project.replace('"typer>=0.15"', '"typer>=0.16"'))
    assert setup.run() == ["install"]


def test_other_python_starts_afresh(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.run()
    monkeypatch.setattr(sys, "version", "3.14.0 (main)")
    assert setup.run() == ["create", "install"]


def test_moved_folder_starts_afresh(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.run()
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    assert setup.run() == ["create", "install"]


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"interpreter": null}'])
def test_unreadable_stamp_starts_afresh(stamp: str, setup: Setup) -> None:
    setup.run()
    STAMP.write_text(stamp)
    assert setup.run() == ["create", "install"]


def test_python_that_is_gone_starts_afresh(setup: Setup) -> None:
    setup.run()
    for python in Path(setup.script.BIN).iterdir():
        python.unlink()
    assert setup.run() == ["create", "install"]


def test_failed_install_leaves_no_stamp(setup: Setup) -> None:
    setup.pip_fails = True
    with pytest.raises(SystemExit, match="pip could not install"):
        setup.run()
    assert not STAMP.exists()
    setup.pip_fails = False
    assert setup.run() == ["create", "install"]
    assert set(json.loads(STAMP.read_text())) == {"interpreter", "requirements"}


def test_old_python_is_refused_with_a_cure(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setenv("GOAL", "demo")
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or later.*is 3\.9") as caught:
        setup.run()
    assert "make demo PYTHON=" in str(caught.value)
