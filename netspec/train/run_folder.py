"""The folder of a run, runs/NAME: what lies where, one training at a time, and nothing is overwritten."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from netspec.diagnostics import Diagnostic, DiagnosticError, printable, spell
from netspec.files import published, writing
from netspec.ir.graph import Graph
from netspec.train.checkpoint import NAME as CHECKPOINT
from netspec.train.lock import locked
from netspec.train.resolved_spec import resolved_yaml

LOCK = ".lock"
NAME_LIMIT = 100  # bytes, which leaves room for endings
HALF_WRITTEN = re.compile(r"\.(.+)-[0-9a-f]{12}")
EVENTS = re.compile(r"events\.out\.tfevents\.[\w.-]+")


class BadRunName(Diagnostic):
    """A name that would be no folder's own, or lead out of the folder of runs."""

    code = "NS492"
    message = "{shown} cannot be the name of a run"

    name: str

    @property
    def shown(self) -> str:
        return spell(self.name)

    @property
    def help(self) -> str:
        return "a run's name is that of a folder: letters, digits, _, - and . inside; give one with --name"


class RunExists(Diagnostic):
    """Another run has left its files here."""

    code = "NS493"
    message = "{shown} holds a run already: {found}"

    path: str
    found: str

    @property
    def shown(self) -> str:
        return printable(self.path)

    @property
    def help(self) -> str:
        return "go on with it by --resume, or give this run another name (--name) or place (--out)"


@dataclass(frozen=True)
class RunFolder:
    """runs/NAME. The exported model is called after the `network`, or else after the run.

    Errors: NS492 for a name that is no folder's.
    """

    root: Path
    name: str
    network: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w(?:[\w.-]*[\w-])?", self.name) or len(os.fsencode(self.name)) > NAME_LIMIT:
            raise DiagnosticError(BadRunName(name=self.name))

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch."""
        return self.path / "weights.safetensors"

    @property
    def last_weights(self) -> Path:
        return self.path / "last.safetensors"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each epoch."""
        return self.path / "metrics.jsonl"

    @property
    def spec(self) -> Path:
        """The resolved spec."""
        return self.path / "spec.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def model(self) -> Path:
        """The exported model; its certificate is beside it."""
        return self.path / f"{self.network or self.name}.onnx"

    @property
    def certificate(self) -> Path:
        return self.model.with_suffix(".cert.json")

    @property
    def curves(self) -> Path:
        return self.path / "curves.png"

    @property
    def confusion(self) -> Path:
        return self.path / "confusion.png"

    @property
    def kernels(self) -> Path:
        return self.path / "kernels.png"

    @property
    def features(self) -> Path:
        return self.path / "features.png"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's files."""
        return self.path / "tensorboard"

    @contextmanager
    def open(self, *, resume: bool = False, overwrite: bool = False) -> Iterator[None]:
        """The folder, made if need be, for this process alone until the block ends.

        It must hold no run, unless this one resumes it; `overwrite` removes that run first, and of all that
        is in the folder only what netspec writes. A start that came to no epoch is no run.

        Errors: NS493 where there is a run, NS494 while another training is at work in the folder, NS511 where
        the system refuses.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path / LOCK, self.path):
            self._sweep()
            if overwrite and not resume:
                self._clear()
            elif not resume and (found := self._left()):
                raise DiagnosticError(RunExists(path=str(self.path), found=", ".join(found)))
            yield

    def write_spec(self, graph: Graph) -> None:
        """Write the resolved spec.

        Errors: NS511 where the system refuses.
        """
        with published(self.spec) as beside, writing(beside):
            beside.write_text(resolved_yaml(graph.resolved), encoding="utf-8", newline="\n")

    def _left(self) -> list[str]:
        """What a run left in the folder, by the names that people look for first."""
        found = [path.name for path in self._files() if path.exists()]
        found += [self.checkpoints.name] if self._checkpoints() else []
        # The environment is written first of all, so that a spec without one is somebody else's.
        started = {self.environment.name, self.spec.name}
        return [] if self.environment.name in found and started.issuperset(found) else found

    def _files(self) -> tuple[Path, ...]:
        """Every file that a run writes into the folder itself."""
        rejected = self.model.with_suffix(".rejected.onnx")
        models = (self.model, self.certificate, rejected)
        data = tuple(path.with_name(f"{path.name}.data") for path in (self.model, rejected))
        pictures = (self.curves, self.confusion, self.kernels, self.features)
        weights = (self.best_weights, self.last_weights)
        return (*weights, self.metrics, *models, *data, *pictures, self.environment, self.spec)

    def _checkpoints(self) -> list[Path]:
        return _matching(self.checkpoints, CHECKPOINT)

    def _clear(self) -> None:
        for path in (*self._checkpoints(), *_matching(self.tensorboard, EVENTS), *self._files()):
            with writing(path):
                path.unlink(missing_ok=True)
        for folder in (self.checkpoints, self.tensorboard):
            with suppress(OSError):  # it holds files of somebody else, or is not there
                folder.rmdir()

    def _sweep(self) -> None:
        """Remove what a process that was killed had half written; `published` names it after its target."""
        own = {path.name[:64] for path in self._files()}
        for folder in (self.path, self.checkpoints):
            for path in () if folder.is_symlink() else folder.glob(".*-*"):
                target = HALF_WRITTEN.fullmatch(path.name)
                if target and (target[1] in own or CHECKPOINT.fullmatch(target[1])) and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)


def _matching(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """Plain files of a folder; a link may lead out of it, and nothing behind one is a run's own."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    with writing(folder):
        return [path for path in folder.iterdir() if names.fullmatch(path.name) and path.is_file()]
