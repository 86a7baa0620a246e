"""State dicts out of the files that torch.save writes, without running what such a file may hold."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch

from netspec.diagnostics import DiagnosticError, printable, spell
from netspec.torch_backend.weights_faults import UnreadableWeights, WeightsDiagnostic

ZIP = b"PK"
PICKLE = b"\x80"  # what torch.save wrote before it wrote zips

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which names training scripts save a state dict beside other things, the most telling first."""

DEPTH = 3  # a state dict within a checkpoint within a checkpoint


class NeedsCode(WeightsDiagnostic):
    """A checkpoint with objects in it that only running their code restores."""

    code = "NS575"
    message = "{shown} holds more than tensors: restoring {what} would run code, and no file may do that here"

    what: str

    @property
    def help(self) -> str:
        return "where you trust the file, save its tensors alone: torch.save(model.state_dict(), FILE)"


class NoStateDict(WeightsDiagnostic):
    """A checkpoint without a state dict, or with several of which none is the one."""

    code = "NS576"
    message = "{shown} holds {found}, not the state dict of one module"

    found: str

    @property
    def help(self) -> str:
        return "save a state dict alone: torch.save(model.state_dict(), FILE)"


class UnusableTensor(WeightsDiagnostic):
    """A tensor that no layer can have: sparse, quantized, nested, or without elements behind it."""

    code = "NS578"
    message = "{name} in {shown} is a {kind} tensor, which no layer can take"

    name: str
    kind: str

    @property
    def help(self) -> str:
        return "save it as a dense tensor of floats"


class StateDict(NamedTuple):
    """Tensors by name, in their order, and what is to be said about where they were found."""

    tensors: dict[str, torch.Tensor]
    remarks: tuple[str, ...]


def read_state_dict(path: Path) -> StateDict:
    """The state dict in a file of torch.save, mapped into memory where it can be, on the CPU.

    One that lies under a usual name (`state_dict`, `model`, `model_state_dict`), or that is the only
    one beside other things, is found there.

    Errors: NS570 where torch cannot read the file; NS575 where it would have to run code; NS576 where there
    is no state dict in it; NS578 for a tensor that is none of plain numbers.
    """
    content = _loaded(path)
    trail, state = _found(content, path)
    tensors: dict[str, Any] = {str(n): value for n, value in state.items() if _is_tensor(n, value)}
    for name, tensor in tensors.items():
        if kind := _oddity(tensor):
            raise DiagnosticError(UnusableTensor(origin=str(path), name=printable(name), kind=kind))
    remarks = [f"taken from {spell('.'.join(trail))} in the file"] if trail else []
    if len(tensors) < len(state):
        others = ", ".join(str(name) for name in state if name not in tensors)
        remarks.append(f"left out, for they are no tensors: {spell(others)}")
    return StateDict(tensors, tuple(remarks))


def _loaded(path: Path) -> object:
    try:
        mapped = _can_be_mapped(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of storage classes that it uses itself
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except UnpicklingError as error:
        if named := re.search(r"(?:GLOBAL|class) ([\w.]*\w)", str(error)):
            raise DiagnosticError(NeedsCode(origin=str(path), what=named[1])) from error
        raise _unreadable(path, _reason(error)) from error
    except (DiagnosticError, MemoryError):
        raise
    except Exception as error:  # a pickle is a program: what it makes torch's reader stumble over is its own
        raise _unreadable(path, _reason(error)) from error


def _can_be_mapped(path: Path) -> bool:
    """Whether the tensors can be mapped: they lie in a zip as they are.

    torch does not look whether a zip was packed anew and compressed, and maps what is no tensor then.

    Errors: NS570 for a zip that torch.save did not write, or twice the same name in it; NS575 for a
    TorchScript program.
    """
    with path.open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return False
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    names = [entry.filename.partition("/")[2] for entry in entries]
    if "constants.pkl" in names:
        raise DiagnosticError(NeedsCode(origin=str(path), what="its TorchScript program"))
    if "data.pkl" not in names:
        raise _unreadable(path, "it is a zip, but not one of torch.save")
    if len(set(names)) < len(names):
        raise _unreadable(path, "it is damaged: it holds two entries of one name")
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)


def _reason(error: Exception) -> str:
    """What torch, pickle or zipfile says, in a line: the last that says something of the file."""
    told = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, UnpicklingError):  # a page of advice; what was found stands at its end
        told = [line for line in told if "documentation" not in line][-1:]
    said = told[0].partition(". ")[0] if told else "it ends too early"
    return f"it is damaged, or was cut off ({spell(said)})"


def _unreadable(path: Path, reason: str) -> DiagnosticError:
    return DiagnosticError(UnreadableWeights(origin=str(path), reason=reason))


def _found(content: object, path: Path) -> tuple[tuple[str, ...], Mapping[object, object]]:
    """Where in a checkpoint the state dict lies, and the state dict."""
    trail: list[str] = []
    while isinstance(content, Mapping) and not _is_state_dict(content):
        inner = [name for name in WRAPPERS if _leads_to_tensors(content.get(name))]
        inner = inner or [name for name, value in content.items() if _is_state_dict(value)]
        if len(inner) > 1:
            found = "several state dicts ({})".format(", ".join(spell(name) for name in inner))
            raise DiagnosticError(NoStateDict(origin=str(path), found=found))
        if not inner or len(trail) == DEPTH:
            break
        trail += inner
        content = content[inner[0]]
    if isinstance(content, Mapping) and any(_is_tensor(*item) for item in content.items()):
        return tuple(trail), content
    raise DiagnosticError(NoStateDict(origin=str(path), found=_described(content)))


def _is_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, torch.Tensor)


def _is_state_dict(content: object) -> bool:
    return (
        isinstance(content, Mapping) and bool(content) and all(_is_tensor(*item) for item in content.items())
    )


def _leads_to_tensors(content: object, depth: int = DEPTH) -> bool:
    """Whether a mapping holds tensors itself, or under a usual name."""
    if not isinstance(content, Mapping):
        return False
    if any(_is_tensor(*item) for item in content.items()):
        return True
    return depth > 0 and any(_leads_to_tensors(content.get(name), depth - 1) for name in WRAPPERS)


def _described(content: object) -> str:
    if isinstance(content, torch.Tensor):
        return "a tensor"
    if isinstance(content, Mapping):
        return f"a mapping ({spell(', '.join(map(str, content)))})" if content else "an empty mapping"
    return f"an object of type {type(content).__name__}"


def _oddity(tensor: torch.Tensor) -> str:
    """What keeps a tensor from being plain numbers; empty for one that is."""
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_quantized:
        return "quantized"
    if tensor.is_nested:
        return "nested"
    if tensor.device.type == "meta":
        return "meta"
    return ""
