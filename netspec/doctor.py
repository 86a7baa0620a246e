"""The environment, examined: what is installed, missing or broken, what the runtimes can use, and cures."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from netspec import __version__
from netspec.diagnostics import Diagnostic, Severity
from netspec.onnx_backend.opset import OLDEST_OPSET, ir_version, newest_opset
from netspec.onnx_backend.runtimes import TwoRuntimes, has_gpu, installed_runtimes, wanted_runtime
from netspec.onnx_backend.runtimes import installed_version as _version

# Import name, distribution: what netspec cannot work without, in the order of the report.
PACKAGES = (
    ("torch", "torch"),
    ("onnx", "onnx"),
    ("numpy", "numpy"),
    ("pydantic", "pydantic"),
    ("yaml", "PyYAML"),
    ("safetensors", "safetensors"),
    ("typer", "typer"),
    ("rich", "rich"),
)
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
LOG_WARNINGS, LOG_NOTHING = 2, 4  # onnxruntime's levels; warnings are its default


class State(StrEnum):
    """How a row counts: an error stops some command, a warning makes one slower or narrower."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at: its name, what was found, and what is wrong with it, if anything."""

    name: str
    value: str
    finding: Diagnostic | None = None

    @property
    def state(self) -> State:
        if self.finding is None:
            return State.OK
        return State.ERROR if self.finding.severity is Severity.ERROR else State.WARN

    @property
    def advice(self) -> str:
        """What is wrong and what would mend it; empty where nothing is."""
        return "" if self.finding is None else f"{self.finding.text}. {self.finding.fill(self.finding.help)}"

    def to_json(self) -> dict[str, str | None]:
        return {
            "name": self.name,
            "value": self.value,
            "state": self.state.value,
            "code": self.finding.code if self.finding else None,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at, in the order in which to read it."""

    rows: tuple[Row, ...]

    @property
    def healthy(self) -> bool:
        """Whether every command can work; warnings do not count."""
        return all(row.state is not State.ERROR for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {"healthy": self.healthy, "rows": [row.to_json() for row in self.rows]}


class PackageMissing(Diagnostic):
    """A package that netspec needs is not installed."""

    code = "NS561"
    message = "{distribution} is not installed"
    distribution: str

    @property
    def help(self) -> str:
        return "Install it: pip install {distribution}"


class PackageBroken(Diagnostic):
    """A package is installed and cannot be imported."""

    code = "NS562"
    message = "{distribution} is installed, but importing it fails: {reason}"
    distribution: str
    reason: str

    @property
    def help(self) -> str:
        return "Install it anew: pip install --force-reinstall --no-deps {distribution}"


class CudaProviderFails(Diagnostic):
    """There is a GPU, and onnxruntime's CUDA provider, though built in, does not start."""

    code = "NS563"
    message = "there is a GPU, but onnxruntime's CUDA provider does not start, so models run on the CPU"
    severity = Severity.WARNING

    @property
    def help(self) -> str:
        return (
            "It needs the CUDA and cuDNN libraries of its own version where the loader finds them: "
            "pip install 'onnxruntime-gpu[cuda,cudnn]' brings them"
        )


class RuntimeTooOld(Diagnostic):
    """The installed onnxruntime loads no opset that netspec writes."""

    code = "NS564"
    message = "onnxruntime {version} loads no opset of {oldest} or later, and netspec writes no other"
    version: str
    oldest: int = OLDEST_OPSET
    wanted: str

    @property
    def help(self) -> str:
        return "Install a newer one: pip install --upgrade {wanted}"


class FolderNotWritable(Diagnostic):
    """The folder that `netspec build` writes to by default cannot be written."""

    code = "NS565"
    message = "{folder} cannot be written"
    severity = Severity.WARNING
    folder: str

    @property
    def help(self) -> str:
        return "Work in a folder of your own, or name another one: netspec build --out FOLDER"


class NoLibyaml(Diagnostic):
    """PyYAML was built without its C parser."""

    code = "NS566"
    message = "PyYAML has no C parser (libyaml), so large specs are read about ten times slower"
    severity = Severity.WARNING

    @property
    def help(self) -> str:
        return (
            "Install PyYAML's wheel, which has it: pip install --force-reinstall --only-binary :all: PyYAML"
        )


class TorchWithoutCuda(Diagnostic):
    """There is a GPU, and torch does not use it."""

    code = "NS567"
    message = "there is a GPU, but torch does not see it: {reason}"
    severity = Severity.WARNING
    reason: str

    @property
    def help(self) -> str:
        return "Training would run on the CPU; pytorch.org names the build and the driver for this machine"


class ExaminationFailed(Diagnostic):
    """A package imports, and fails at the first use."""

    code = "NS568"
    message = "looking at {name} failed: {reason}"
    name: str
    reason: str

    @property
    def help(self) -> str:
        return "An installation is damaged: make a new virtual environment and install netspec-onnx there"


@dataclass(frozen=True, slots=True)
class _Import:
    """What became of importing a package: its row, and the module unless that failed."""

    row: Row
    module: ModuleType | None


def diagnose(exports: Path = Path("exports")) -> Report:
    """Look at everything that netspec leans on. Nothing that is missing or broken makes this fail."""
    imports = {name: _package(name, distribution) for name, distribution in PACKAGES}
    runtime = _runtime()
    gpu = has_gpu()
    rows = [
        Row("netspec", __version__),
        Row("Python", f"{platform.python_version()} ({sys.executable})"),
        Row("platform", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        *(found.row for found in imports.values()),
        runtime.row,
    ]
    if torch := imports["torch"].module:
        rows.append(_looked("torch devices", partial(_torch_devices, torch, gpu)))
    if runtime.module and imports["onnx"].module:
        rows.append(_looked("onnxruntime providers", partial(_providers, runtime.module, gpu)))
        rows.append(_looked("newest opset", partial(_newest_opset, runtime.module)))
    if yaml := imports["yaml"].module:
        rows.append(_looked("libyaml", partial(_libyaml, yaml)))
    rows += [_drawing(), _folder(exports), _terminal()]
    return Report(tuple(rows))


def _looked(name: str, look: Callable[[], Row]) -> Row:
    """What `look` finds; a package that imports and fails when it is used is broken all the same."""
    try:
        return look()
    except Exception as error:  # whatever half an installation raises is what this command is to report
        return Row(name, "unknown", ExaminationFailed(name=name, reason=_reason(error)))


def _package(name: str, distribution: str) -> _Import:
    """Import a package and find its version, that of its distribution."""
    version = _version(distribution)
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return _Import(Row(distribution, "missing", PackageMissing(distribution=distribution)), None)
        return _Import(_broken(distribution, version, error), None)
    except Exception as error:  # OSError of a library, AttributeError of a clash: each is the finding
        return _Import(_broken(distribution, version, error), None)
    return _Import(Row(distribution, version or str(getattr(module, "__version__", "unknown"))), module)


def _runtime() -> _Import:
    """Import onnxruntime, from whichever of its two distributions; both at once are an error."""
    installed = installed_runtimes()
    distribution = installed[-1] if installed else wanted_runtime()
    found = _package("onnxruntime", distribution)
    if len(installed) > 1:
        both = ", ".join(f"{name} {_version(name)}" for name in installed)
        return _Import(Row("onnxruntime", both, TwoRuntimes(wanted=wanted_runtime())), found.module)
    if found.module is not None and not hasattr(found.module, "InferenceSession"):
        # What uninstalling one of the two leaves: a folder without a package, which imports as nothing.
        finding: Diagnostic = PackageMissing(distribution=distribution)
        if installed:
            finding = PackageBroken(distribution=distribution, reason="it has no InferenceSession")
        return _Import(Row(distribution, "gutted", finding), None)
    return found


def _broken(distribution: str, version: str | None, error: Exception) -> Row:
    finding = PackageBroken(distribution=distribution, reason=_reason(error))
    return Row(distribution, version or "broken", finding)


def _reason(error: Exception) -> str:
    """An exception on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _torch_devices(torch: Any, gpu: bool) -> Row:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Row("torch devices", f"CUDA {torch.version.cuda}: {', '.join(names)}")
    if not gpu:
        return Row("torch devices", "CPU")
    reason = "its CUDA finds no usable driver" if torch.version.cuda else "it is a build for the CPU alone"
    return Row("torch devices", "CPU", TorchWithoutCuda(reason=reason))


def _providers(runtime: Any, gpu: bool) -> Row:
    """What a session really runs on: onnxruntime-gpu offers CUDA on machines that have none."""
    offered = runtime.get_available_providers()
    if "CUDAExecutionProvider" not in offered:
        return Row("onnxruntime providers", "CPU")
    if not gpu:
        return Row("onnxruntime providers", "CPU (CUDA is built in, and there is no GPU)")
    if "CUDAExecutionProvider" in _session(runtime, OLDEST_OPSET).get_providers():
        return Row("onnxruntime providers", "CUDA, CPU")
    return Row("onnxruntime providers", "CPU", CudaProviderFails())


def _newest_opset(runtime: Any) -> Row:
    """The newest of the opsets that netspec writes which onnxruntime really loads, found by loading."""
    for opset in range(newest_opset(None), OLDEST_OPSET - 1, -1):
        try:
            _session(runtime, opset)
        except Exception:  # onnxruntime's own types, Fail and its like, share no base but this one
            continue
        return Row("newest opset", str(opset))
    return Row("newest opset", "none", RuntimeTooOld(version=runtime.__version__, wanted=wanted_runtime()))


def _session(runtime: Any, opset: int) -> Any:
    """A session of one Identity that asks for every provider there is, CUDA first."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version(opset)
    )
    wanted = [name for name in PROVIDERS if name in runtime.get_available_providers()]
    runtime.set_default_logger_severity(LOG_NOTHING)  # its complaints would stand in the report, in red
    try:
        return runtime.InferenceSession(model.SerializeToString(), providers=wanted)
    finally:
        runtime.set_default_logger_severity(LOG_WARNINGS)


def _libyaml(yaml: Any) -> Row:
    if yaml.__with_libyaml__:
        return Row("libyaml", "yes")
    return Row("libyaml", "no", NoLibyaml())


def _drawing() -> Row:
    """Whether graphs can be drawn, which no other command needs."""
    if version := _version("pygraphviz"):
        return Row("Graphviz", f"pygraphviz {version}")
    return Row("Graphviz", shutil.which("dot") or "none; only netspec show --svg needs it")


def _folder(exports: Path) -> Row:
    """Whether `exports`, or the nearest folder above it that exists, can be written."""
    # os.path.exists: Path.exists raises in a folder that may not be searched
    standing = next((folder for folder in (exports, *exports.parents) if os.path.exists(folder)), exports)
    if standing.is_dir() and os.access(standing, os.W_OK | os.X_OK):
        return Row("exports folder", f"{exports}, writable")
    return Row("exports folder", f"{exports}, not writable", FolderNotWritable(folder=str(standing)))


def _terminal() -> Row:
    """What messages are written to, and whether in colour."""
    kind = "terminal" if sys.stderr.isatty() else "no terminal"
    colour = (
        "no colour (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("TERM", "TERM is not set")
    )
    return Row("terminal", f"{kind}, {colour}, {sys.stderr.encoding}")
