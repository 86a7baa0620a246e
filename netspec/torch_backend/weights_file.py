"""A file of weights, whatever its form: safetensors, or what torch.save writes."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from netspec.diagnostics import DiagnosticError, spell
from netspec.torch_backend.checkpoint import PICKLE, ZIP, read_state_dict
from netspec.torch_backend.weights_faults import UnreadableWeights

GRAPH_KEY = "netspec.graph_hash"
ORDER_KEY = "netspec.order"
"""safetensors sorts the tensors; under this the metadata holds their names in their order, as JSON."""

HEAD = 9  # bytes: a safetensors file begins with its header's length, and the header with a brace


class WeightsFile(NamedTuple):
    """What a file holds: its tensors in its order, by name.

    `is_sorted` says that the order is that of the names and tells nothing. `graph` is the hash of the graph
    that netspec saved them from, if it did. `remarks` say what a user might not expect of how it was read.
    """

    tensors: dict[str, torch.Tensor]
    is_sorted: bool = False
    graph: str | None = None
    remarks: tuple[str, ...] = ()


def read_weights(path: Path) -> WeightsFile:
    """The tensors of a safetensors file or of a state dict of torch.save, mapped where they can be.

    Errors: NS570 where it is neither; as `read_state_dict` for the second form.
    """
    head = _head(path)
    if head.endswith(b"{") and len(head) == HEAD:
        return _read_safetensors(path)
    if head.startswith((ZIP, PICKLE)):
        state = read_state_dict(path)
        return WeightsFile(state.tensors, remarks=state.remarks)
    raise _unreadable(path, "it is neither a safetensors file nor one of torch.save")


def _head(path: Path) -> bytes:
    """The first bytes of a file; refuses what can be told before a library sees the file."""
    reason = None
    head = b""
    try:
        if path.is_file() or not path.exists():
            with path.open("rb") as file:
                head = file.read(HEAD)
        else:
            reason = "it is a folder" if path.is_dir() else "it is not a regular file"
    except OSError as error:
        reason = (error.strerror or os.strerror(error.errno or 0)).lower()
    if reason is None and not head:
        reason = "it is empty"
    if reason is not None:
        raise _unreadable(path, reason)
    return head


def _read_safetensors(path: Path) -> WeightsFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in _as_they_lie(path)}
    except (OSError, SafetensorError, ValueError) as error:
        said = spell(str(error).partition("\n")[0])
        raise _unreadable(path, f"it is a damaged safetensors file ({said})") from error
    order = _recorded(metadata)
    if order is not None and set(order) == tensors.keys():
        return WeightsFile({name: tensors[name] for name in order}, False, metadata.get(GRAPH_KEY))
    return WeightsFile(tensors, _is_sorted(tensors), metadata.get(GRAPH_KEY))


def _as_they_lie(path: Path) -> list[str]:
    """The names in a safetensors file that the library has found whole, in the order of the tensors.

    Errors: ValueError where a name stands twice, of which the library reads the last.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length), object_pairs_hook=_distinct)
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return sorted(entries, key=lambda name: entries[name]["data_offsets"][0])


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _recorded(metadata: Mapping[str, str]) -> list[str] | None:
    try:
        order = json.loads(metadata.get(ORDER_KEY, "null"))
    except (ValueError, RecursionError):
        return None
    return order if isinstance(order, list) and all(isinstance(name, str) for name in order) else None


def _is_sorted(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether the tensors of each dtype are in the order of their names, as the library writes them."""
    last: dict[torch.dtype, str] = {}
    for name, tensor in tensors.items():
        if name < last.get(tensor.dtype, ""):
            return False
        last[tensor.dtype] = name
    return True


def _unreadable(path: Path, reason: str) -> DiagnosticError:
    return DiagnosticError(UnreadableWeights(origin=str(path), reason=reason))
