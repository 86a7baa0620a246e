"""Weights in and out: state dicts, numpy views of them, safetensors files."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError, Source, Span, nearest, spell
from netspec.files import published
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph

COUNTER = "num_batches_tracked"
"""BatchNorm's count of training batches: in state dicts, but nothing that is evaluated depends on it."""

GRAPH_KEY = "netspec.graph_hash"
DIFFERENCES_SHOWN = 8


class UnreadableWeights(Diagnostic):
    """A file that is no safetensors file, or cannot be read."""

    code = "NS570"
    message = "the weights cannot be read: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "weights are read from safetensors files, such as `netspec build --save-weights FILE` writes"


class WeightsMismatch(Diagnostic):
    """Weights that are not those of this network."""

    code = "NS571"
    message = "the weights do not fit the network: {count} of its {total} tensors differ"

    count: int
    total: int
    differences: tuple[str, ...]

    @property
    def help(self) -> str:
        return "{shown}; and {more} more" if self.more > 0 else "{shown}"

    @property
    def shown(self) -> str:
        return "; ".join(self.differences[:DIFFERENCES_SHOWN])

    @property
    def more(self) -> int:
        return len(self.differences) - DIFFERENCES_SHOWN


class OtherGraph(Diagnostic):
    """Weights that were saved from another graph, though their names and shapes fit."""

    code = "NS572"
    message = "the weights were saved from another network, though their names and shapes fit"

    @property
    def help(self) -> str:
        return "if this is meant, pass --any-graph; otherwise build with the spec that they were saved from"


def _place(path: Path | str) -> Span:
    return Span(Source(str(path), ""), 0, 0)


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """The module's state as numpy arrays that share its memory, by state-dict name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}


def load(
    module: nn.Module, weights: Mapping[str, np.ndarray] | Mapping[str, torch.Tensor], origin: str = "weights"
) -> None:
    """Give a module its weights by name, without a copy where the memory can be shared.

    Every tensor of the state dict must be there with its shape; only the counters of BatchNorm may be left
    out.

    Errors: NS571 with every difference.
    """
    given = {name: _tensor(value) for name, value in weights.items()}
    wanted = module.state_dict()
    for name, tensor in wanted.items():
        if name not in given and name.rpartition(".")[2] == COUNTER:
            given[name] = torch.zeros((), dtype=tensor.dtype)
    differences = tuple(_differences(wanted, given))
    if differences:
        mismatch = WeightsMismatch(count=len(differences), total=len(wanted), differences=differences)
        raise DiagnosticError(mismatch.at(_place(origin)))
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


def _differences(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> Iterable[str]:
    for name, tensor in wanted.items():
        if name not in given:
            near = nearest(name, given)
            yield f"{name} is missing" + (f" (did you mean {spell(near)}?)" if near else "")
        elif given[name].shape != tensor.shape:
            yield f"{name} is {tuple(given[name].shape)}, not {tuple(tensor.shape)}"
        elif given[name].is_floating_point() != tensor.is_floating_point():
            yield f"{name} holds {given[name].dtype}, not {tensor.dtype}"
    for name in given:
        if name not in wanted:
            yield f"{spell(name)} belongs to no layer"


def save_weights(module: nn.Module, graph: Graph, path: Path) -> None:
    """Write the state dict as a safetensors file, whole or not at all, with the hash of the graph."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}
    with published(path) as beside:
        save_file(state, beside, metadata={GRAPH_KEY: graph_hash(graph)})


def read_weights(path: Path, graph: Graph, *, any_graph: bool = False) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name.

    Errors: NS570 where it is none; NS572 where netspec saved it from another graph.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        reason = spell(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise DiagnosticError(UnreadableWeights(reason=reason, span=_place(path))) from None
    saved_from = metadata.get(GRAPH_KEY)
    if saved_from is not None and saved_from != graph_hash(graph) and not any_graph:
        raise DiagnosticError(OtherGraph(span=_place(path)))
    return tensors
