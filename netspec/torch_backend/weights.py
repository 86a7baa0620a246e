"""Weights in and out: state dicts, numpy views of them, safetensors files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, nearest, printable, spell
from netspec.files import published
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph

COUNTER = "num_batches_tracked"
"""BatchNorm's count of training batches: in state dicts, but nothing that is evaluated depends on it."""

GRAPH_KEY = "netspec.graph_hash"

DIFFERENCES_SHOWN = 20

CHECKPOINT_HEADS = (b"PK\x03\x04", b"\x80\x02")  # a zip, or a bare pickle: how torch.save's files begin


class WeightsDiagnostic(Diagnostic):
    """The base of what can be wrong with weights."""

    origin: str

    @property
    def shown(self) -> str:
        return printable(self.origin)


class UnreadableWeights(WeightsDiagnostic):
    """A file that is no safetensors file, or cannot be read."""

    code = "NS570"
    message = "cannot read weights from {shown}: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "give a safetensors file, such as `netspec build SPEC --save-weights FILE` writes"


class CheckpointGiven(WeightsDiagnostic):
    """A file that torch.save wrote: a pickle, which could run code when it is read."""

    code = "NS575"
    message = "{shown} is a checkpoint of torch.save, which netspec does not open: it could run code"

    @property
    def help(self) -> str:
        return "convert it where you trust it: safetensors.torch.save_file(model.state_dict(), FILE)"


class WeightsMismatch(WeightsDiagnostic):
    """Weights that are not those of this network; every difference is a note."""

    code = "NS571"
    message = "{shown} does not hold the weights of this network: {differences}"

    count: int

    @property
    def differences(self) -> str:
        return "1 tensor differs" if self.count == 1 else f"{self.count:,} tensors differ"

    @property
    def help(self) -> str:
        return "give weights that were saved for this spec with the same parameters"


class OtherGraph(WeightsDiagnostic):
    """Weights that were saved from another graph."""

    code = "NS572"
    message = "the weights in {shown} were saved from another network than this spec describes"

    @property
    def help(self) -> str:
        return "give this spec's weights, or pass --any-graph to take these if their names and shapes fit"


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """The module's state as numpy arrays that share its memory, by state-dict name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}


def load(
    module: nn.Module, weights: Mapping[str, np.ndarray] | Mapping[str, torch.Tensor], origin: str = "weights"
) -> None:
    """Give a module its weights by name, without a copy where the memory can be shared.

    Every tensor of the state dict must be there with its shape; only the counters of BatchNorm may be left
    out. Floats of another width are converted. `origin` is what messages call the weights.

    Errors: NS571 with the first differences; the module is as it was then.
    """
    given = {name: _tensor(value) for name, value in weights.items()}
    wanted = module.state_dict()
    for name, tensor in wanted.items():
        if name not in given and name.rpartition(".")[2] == COUNTER:
            given[name] = torch.zeros((), dtype=tensor.dtype)
    differences = _differences(wanted, given)
    notes = tuple(Note(difference) for difference in islice(differences, DIFFERENCES_SHOWN))
    if notes:
        more = sum(1 for _ in differences)
        if more:
            notes = (*notes, Note(f"and {more:,} more"))
        count = min(len(notes), DIFFERENCES_SHOWN) + more
        raise DiagnosticError(WeightsMismatch(origin=origin, count=count, notes=notes))
    typed = {name: given[name].to(tensor.dtype) for name, tensor in wanted.items()}
    requires_grad = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    module.load_state_dict(typed, strict=True, assign=True)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(requires_grad[name])


def _tensor(value: np.ndarray | torch.Tensor) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    with warnings.catch_warnings():
        # torch warns that it could write to a read-only array; nothing here does.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(value)


def _differences(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> Iterator[str]:
    """What keeps the tensors given from being those wanted, one line each."""
    strangers = [name for name in given if name not in wanted]
    for name, tensor in wanted.items():
        if name not in given:
            near = nearest(name, strangers)
            yield f"{name} is missing" + (f"; did you mean {spell(near)}?" if near else "")
        elif given[name].shape != tensor.shape:
            yield f"{name} is {tuple(given[name].shape)}, the network needs {tuple(tensor.shape)}"
        elif given[name].is_floating_point() != tensor.is_floating_point() or given[name].is_complex():
            kinds = (str(t.dtype).removeprefix("torch.") for t in (given[name], tensor))
            yield "{} holds {}, the network needs {}".format(name, *kinds)
    for name in strangers:
        yield f"{spell(name)} belongs to no layer"


def save_weights(module: nn.Module, graph: Graph, path: Path) -> None:
    """Write the state dict as a safetensors file, whole or not at all, with the hash of the graph.

    Errors: NS511 where the system refuses.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with published(path) as beside:
        try:
            save_file(state, beside, metadata={GRAPH_KEY: graph_hash(graph)})
        except SafetensorError as error:
            raise OSError(str(error)) from error  # the system's refusal, in the library's clothes


def read_weights(path: Path, graph: Graph, *, any_graph: bool = False) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name.

    Errors: NS570 where it is none; NS572 where netspec saved it from another graph; NS575 for a checkpoint
    of torch.save.
    """
    from safetensors import SafetensorError, safe_open

    _refuse(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, ValueError) as error:
        reason = f"it is no safetensors file, or is damaged ({spell(str(error).partition(chr(10))[0])})"
        raise DiagnosticError(UnreadableWeights(origin=str(path), reason=reason)) from error
    saved_from = metadata.get(GRAPH_KEY)
    if saved_from is not None and saved_from != graph_hash(graph) and not any_graph:
        raise DiagnosticError(OtherGraph(origin=str(path)))
    return tensors


def _refuse(path: Path) -> None:
    """Raise for what can be told before safetensors sees the file, in plainer words than its own."""
    reason = None
    head = b""
    try:
        if path.is_file() or not path.exists():
            with path.open("rb") as file:
                head = file.read(8)
        else:
            reason = "it is a folder" if path.is_dir() else "it is not a regular file"
    except OSError as error:
        reason = (error.strerror or os.strerror(error.errno or 0)).lower()
    if reason is None and not head:
        reason = "it is empty"
    if reason is not None:
        raise DiagnosticError(UnreadableWeights(origin=str(path), reason=reason))
    if head.startswith(CHECKPOINT_HEADS):
        raise DiagnosticError(CheckpointGiven(origin=str(path)))
