"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is a safetensors file: tensors and text, from which no code can run. It appears whole or not at
all, and carries a digest of its tensors, so that one that a disk has torn is told from a good one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, optim

from netspec.diagnostics import Diagnostic, DiagnosticError, Severity, printable
from netspec.files import writing
from netspec.torch_backend.safetensors_file import write_tensors

FORMAT = 1
KEPT = 2
KEY = "netspec_checkpoint"
NAME = re.compile(r"checkpoint-(\d{6,})-(\d{6,})\.safetensors")


class CheckpointBroken(Diagnostic):
    """A checkpoint that is torn, or none at all."""

    code = "NS470"
    message = "{path} is no whole checkpoint: {reason}"

    path: str
    reason: str

    @property
    def help(self) -> str:
        return "remove it and resume from the one before, or train anew without --resume"


class CheckpointPassedOver(Diagnostic):
    """A broken checkpoint beside a whole one."""

    code = "NS471"
    message = "{path} is broken ({reason}); training goes on from {other}"
    severity = Severity.WARNING

    path: str
    reason: str
    other: str


class CheckpointForeign(Diagnostic):
    """A checkpoint of another network, or of another training."""

    code = "NS472"
    message = "{path} belongs to another run: {what} is not that of this spec"

    path: str
    what: str

    @property
    def help(self) -> str:
        return "resume with the spec and settings that the run was started with, or choose another --name"


class Checkpoint(NamedTuple):
    """What a checkpoint holds: tensors by name, and facts that JSON can say."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix.`, without it."""
        return {
            name[len(prefix) + 1 :]: tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under names that begin with `prefix.`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


class Checkpoints:
    """The checkpoints of one run, of which the newest two are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, checkpoint: Checkpoint, epoch: int, step: int) -> Path:
        """Write the checkpoint of `step` in `epoch`, and only then remove those before the one before it.

        Errors: NS511 where the system refuses.
        """
        path = self._folder / f"checkpoint-{epoch:06}-{step:06}.safetensors"
        write(path, checkpoint)
        for old in self._found()[KEPT:]:
            with writing(old):
                old.unlink(missing_ok=True)
        return path

    def newest(self) -> tuple[Checkpoint | None, list[Diagnostic]]:
        """The newest whole checkpoint, None where there is none at all, and warnings of broken ones.

        Errors: NS470 where there are some, and all are broken.
        """
        broken: list[CheckpointBroken] = []
        for path in self._found():
            try:
                checkpoint = read(path)
            except DiagnosticError as error:
                broken += [found for found in error.diagnostics if isinstance(found, CheckpointBroken)]
                continue
            passed = [
                CheckpointPassedOver(path=b.path, reason=b.reason, other=printable(str(path))) for b in broken
            ]
            return checkpoint, list(passed)
        if broken:
            raise DiagnosticError(*broken)
        return None, []

    def _found(self) -> list[Path]:
        """The files, the newest first."""
        plain = (path for path in self._folder.glob("checkpoint-*.safetensors") if path.is_file())
        named = [(NAME.fullmatch(path.name), path) for path in plain]
        return [path for _, path in sorted(((m.groups(), p) for m, p in named if m), reverse=True)]


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint as one file, which is on the disk when this returns."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    facts = {"format": FORMAT, "sha256": _digest(tensors.items()), **checkpoint.facts}
    write_tensors(path, _apart(tensors), {KEY: json.dumps(facts)}, durable=True)


def read(path: Path) -> Checkpoint:
    """The checkpoint in a file.

    Errors: NS470 where it is torn, or none of netspec's.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _broken(path, printable(str(error).partition("\n")[0])) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise _broken(path, "it was not written by this version of netspec")
    if _digest(tensors.items()) != facts.get("sha256"):
        raise _broken(path, "its digest is not that of its tensors")
    return Checkpoint(tensors, facts)


def _broken(path: Path, reason: str) -> DiagnosticError:
    return DiagnosticError(CheckpointBroken(path=printable(str(path)), reason=reason))


def _digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors that lie in another's memory, which safetensors does not save twice."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        apart[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    return apart


def optimizer_state(optimizer: optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as tensors by `NUMBER.NAME`, and the rest of it as plain data."""
    state = optimizer.state_dict()["state"]
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for number, entries in state.items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{number}.{name}"] = value
            else:
                plain[f"{number}.{name}"] = value
    return tensors, plain


def load_optimizer(
    optimizer: optim.Optimizer, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]
) -> None:
    """Give an optimizer the state that `optimizer_state` took; its arguments stay the spec's."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **plain}.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
