"""Which distribution of onnxruntime is installed, and whether there is a GPU for it; imports neither."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from netspec.diagnostics import Diagnostic, DiagnosticError

RUNTIMES = ("onnxruntime", "onnxruntime-gpu")  # two distributions of one import name


class TwoRuntimes(Diagnostic):
    """onnxruntime and onnxruntime-gpu are both installed; each has overwritten files of the other."""

    code = "NS560"
    message = "onnxruntime and onnxruntime-gpu are both installed, and they fill the same folder"
    wanted: str

    @property
    def help(self) -> str:
        return (
            "Remove both, then install one: pip uninstall -y onnxruntime onnxruntime-gpu, "
            "and after it pip install {wanted}"
        )


def need_one_runtime() -> None:
    """Raise NS560 where both are installed: what is imported is then neither, and its word proves nothing."""
    if len(installed_runtimes()) > 1:
        raise DiagnosticError(TwoRuntimes(wanted=wanted_runtime()))


def installed_runtimes() -> list[str]:
    """Those of the distributions that are installed."""
    return [name for name in RUNTIMES if installed_version(name)]


def wanted_runtime() -> str:
    """The distribution of onnxruntime that netspec depends on here, as in pyproject.toml."""
    here = (sys.platform, platform.machine())
    return "onnxruntime-gpu" if here in (("linux", "x86_64"), ("win32", "AMD64")) else "onnxruntime"


def installed_version(distribution: str) -> str | None:
    """The installed version; None where the distribution is not installed, or is without its metadata."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, KeyError):
        return None


def has_gpu() -> bool:
    """Whether an NVIDIA device shows without asking any library."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or shutil.which("nvidia-smi") is not None
