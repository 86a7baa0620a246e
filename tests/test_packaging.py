"""What pip gets: one onnxruntime, pinned versions, a wheel that works away from its source."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import netspec

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = [Requirement(line) for line in PROJECT["dependencies"]]
PINNED = {
    canonicalize_name(pin.name): pin
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
    for pin in [Requirement(line)]
}


@pytest.mark.parametrize(
    ("system", "machine", "runtime"),
    [
        ("linux", "x86_64", "onnxruntime-gpu"),
        ("win32", "AMD64", "onnxruntime-gpu"),
        ("linux", "aarch64", "onnxruntime"),
        ("win32", "ARM64", "onnxruntime"),
        ("darwin", "x86_64", "onnxruntime"),
        ("darwin", "arm64", "onnxruntime"),
        ("freebsd14", "x86_64", "onnxruntime"),
    ],
)
def test_each_platform_gets_one_onnxruntime(system: str, machine: str, runtime: str) -> None:
    here = {"sys_platform": system, "platform_machine": machine}
    wanted = [need.name for need in REQUIRED if need.marker is None or need.marker.evaluate(here)]
    assert [name for name in wanted if name.startswith("onnxruntime")] == [runtime]


def test_what_is_asked_for_is_pinned_within_its_bounds() -> None:
    asked = REQUIRED + [Requirement(line) for line in PROJECT["optional-dependencies"]["dev"]]
    for need in asked:
        (pin,) = PINNED[canonicalize_name(need.name)].specifier
        assert pin.operator == "=="
        assert need.specifier.contains(pin.version), f"{need} against {pin}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the installed hatchling: no network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_netspec_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"netspec_onnx-{netspec.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    description = f"netspec_onnx-{netspec.__version__}.dist-info/"
    sources = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("netspec/**/*.py")} | {
        "netspec/py.typed"
    }
    assert {name for name in names if not name.startswith(description)} == sources
    assert {description + "entry_points.txt", description + "licenses/LICENSE"} <= set(names)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`netspec` of a fresh environment: the wheel in it, its dependencies lent by this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=os.name != "nt")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    inside = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    # A line in a .pth file adds a folder, and not what that folder's own .pth files add: the wheels of this
    # environment are lent, its editable netspec is not.
    (inside / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python")]
    offline = ["--quiet", "--no-deps", "--no-index", "--ignore-installed", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *offline, str(wheel)], check=True)
    return scripts / "netspec"


def test_commands_work_away_from_the_source(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "lenet.yaml").write_bytes((ROOT / "specs" / "lenet.yaml").read_bytes())
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}

    def run(*arguments: str) -> str:
        command = [str(installed), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    python = [str(installed.with_name("python")), "-c", "import netspec; print(netspec.__file__)"]
    origin = subprocess.run(python, cwd=tmp_path, env=bare, capture_output=True, text=True, check=True).stdout
    assert Path(origin.strip()).is_relative_to(installed.parent.parent)

    assert netspec.__version__ in run("--version")
    run("check", "lenet.yaml")
    run("build", "lenet.yaml")
    assert (tmp_path / "exports" / "lenet.onnx").is_file()
    assert (tmp_path / "exports" / "lenet.cert.json").is_file()
    run("verify", "exports/lenet.onnx")
