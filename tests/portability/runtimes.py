"""The runtimes that exports are tried on, each installed into an environment of its own by pinned files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RUNNERS = HERE / "runners"
ROOT = HERE.parents[1]
WEB = HERE / "web"
STAMP = ".stamp"  # written last: an installation that was interrupted has none
GIB = 2**30


class NotInstalledError(Exception):
    """A runtime cannot be installed on this machine; the text says why."""


@dataclass(frozen=True)
class Runtime:
    """One runtime: where it comes from, what runs it, and which of the bounds it is held to.

    `memory` limits its address space in bytes; None where it reserves far more than it uses.
    """

    name: str
    title: str
    runner: str
    bound: str = "far"
    memory: int | None = 20 * GIB

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that the runner is made of."""
        return RUNNERS / "protocol.py", RUNNERS / f"{self.runner}.py"

    @property
    def pinned(self) -> tuple[Path, ...]:
        """The files that say what is installed, in which versions."""
        return (HERE / f"requirements-{self.name}.txt",)

    def python(self, environment: Path) -> Path:
        """The Python that runs the runner."""
        return environment / "bin" / "python"

    def settings(self, environment: Path) -> dict[str, str]:
        """What the runner's environment variables are beside the caller's."""
        return {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "RUST_BACKTRACE": "0"}

    def install(self, environment: Path) -> None:
        """Fill an empty folder."""
        _call([sys.executable, "-m", "venv", str(environment)])
        pip = [
            str(self.python(environment)),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        _call([*pip, "--no-deps", "-r", str(self.pinned[0])])


class InBrowser(Runtime):
    """A package of npm, with the browser that runs it; the runner itself has netspec's own Python."""

    @property
    def pinned(self) -> tuple[Path, ...]:
        return tuple(WEB / name for name in ("package.json", "package-lock.json", "unpack.mjs"))

    def python(self, environment: Path) -> Path:
        return Path(sys.executable)

    def settings(self, environment: Path) -> dict[str, str]:
        return {**super().settings(environment), "ENVIRONMENT": str(environment)}

    def install(self, environment: Path) -> None:
        environment.mkdir(parents=True)
        for path in self.pinned:
            shutil.copy(path, environment)
        npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        _call(npm, folder=environment)
        _call(["node", "unpack.mjs"], folder=environment, TMPDIR=str(environment))
        _call([str(environment / "chromium"), "--version"])  # it needs libraries of the system


RUNTIMES = (
    Runtime("onnxruntime-1.17", "onnxruntime 1.17", "run_onnxruntime", "near"),
    Runtime("onnxruntime-1.20", "onnxruntime 1.20", "run_onnxruntime", "near"),
    Runtime("onnxruntime-1.22", "onnxruntime 1.22", "run_onnxruntime", "near"),
    Runtime("onnxruntime-newest", "onnxruntime, newest", "run_onnxruntime", "near"),
    InBrowser("onnxruntime-web", "onnxruntime-web", "run_onnxruntime_web", "near", memory=None),
    Runtime("openvino", "OpenVINO", "run_openvino"),
    Runtime("opencv-4", "OpenCV 4", "run_opencv"),
    Runtime("opencv-5", "OpenCV 5", "run_opencv"),
    Runtime("tract", "tract", "run_tract"),
)


def installed(runtime: Runtime, environments: Path) -> Path:
    """The runtime's environment, made unless it is there already.

    Errors: NotInstalledError with the installer's last words.
    """
    environment = environments / runtime.name
    stamp = environment / STAMP
    wanted = digest(*runtime.pinned) + sys.version
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return environment
    shutil.rmtree(environment, ignore_errors=True)
    environments.mkdir(parents=True, exist_ok=True)
    runtime.install(environment)
    stamp.write_text(wanted, encoding="utf-8")
    return environment


def digest(*paths: Path) -> str:
    """The SHA-256 of files, one after the other."""
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()


def _call(command: list[str], folder: Path | None = None, **variables: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **variables}, capture_output=True, encoding="utf-8"
        )
    except OSError as error:
        raise NotInstalledError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines
        raise NotInstalledError(telling[0] if telling else f"{command[0]} ended with {done.returncode}")
