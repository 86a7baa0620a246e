"""Weights in and out of a module: numpy views of them, giving it others by name, and saving them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from netspec.diagnostics import DiagnosticError, Note, nearest, printable, spell
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.torch_backend.alignment import COUNTER, Wanted, shape_text
from netspec.torch_backend.dtypes import array_of, tensor_of
from netspec.torch_backend.parametrize import computed
from netspec.torch_backend.safetensors_file import write_tensors
from netspec.torch_backend.weights_faults import WeightsDiagnostic
from netspec.torch_backend.weights_file import GRAPH_KEY, ORDER_KEY

DIFFERENCES_SHOWN = 20

PARAMETRIZED = ".parametrizations."  # in the names of what torch computes a weight from

PARAMETER = "Parameter"  # the operation that is one tensor: other code has such a tensor beside its modules


class WeightsMismatch(WeightsDiagnostic):
    """Weights that are not those of this network; every difference is a note."""

    code = "NS571"
    message = "{shown} does not hold the weights of this network: {differences}"

    count: int
    is_renamed: bool = False

    @property
    def differences(self) -> str:
        return "1 tensor differs" if self.count == 1 else f"{self.count:,} tensors differ"

    @property
    def help(self) -> str:
        if self.is_renamed:
            return "if they are its weights under other names, pass --weights-map order to go by their order"
        return "give weights that were saved for this spec with the same parameters"


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """What a module computes with, as numpy arrays by state-dict name; they share its memory.

    A weight that is computed from other parameters stands for these, under the name that it has without them.
    Such a module must be in evaluation mode.
    """
    state = {name: tensor for name, tensor in module.state_dict().items() if PARAMETRIZED not in name}
    state.update(computed(module))
    return {name: array_of(tensor.detach().cpu()) for name, tensor in state.items()}


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
    is_renamed = len(wanted.keys() & given.keys()) * 2 < len(wanted)
    differences = _differences(wanted, given, is_renamed)
    notes = tuple(Note(difference) for difference in islice(differences, DIFFERENCES_SHOWN))
    if notes:
        more = sum(1 for _ in differences)
        if more:
            notes = (*notes, Note(f"and {more:,} more"))
        count = min(len(notes), DIFFERENCES_SHOWN) + more
        raise DiagnosticError(WeightsMismatch(origin=origin, count=count, is_renamed=is_renamed, notes=notes))
    typed = {name: _laid_out(given[name], tensor.dtype) for name, tensor in wanted.items()}
    requires_grad = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    module.load_state_dict(_apart(typed), strict=True, assign=True)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(requires_grad[name])


def _tensor(value: np.ndarray | torch.Tensor) -> torch.Tensor:
    return value.detach() if isinstance(value, torch.Tensor) else tensor_of(value)


def _laid_out(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The tensor with its elements in rows, whatever its strides were; itself where they are already."""
    return tensor.to(dtype).resolve_neg().contiguous()


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors, those copied that lie in another's memory: tied weights, of which a network may own two.

    Training would else write both at once, and safetensors saves no memory twice.
    """
    apart = dict(tensors)
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_ptr()):
        if tensor.numel() and tensor.device.type != "meta":
            start = tensor.data_ptr()
            if start < end:
                apart[name] = tensor.clone()
            end = max(end, start + tensor.numel() * tensor.element_size())
    return apart


def _differences(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], is_renamed: bool
) -> Iterator[str]:
    """What keeps the tensors given from being those wanted, one line each.

    Where names are other ones altogether, one that looks like another is no misspelling of it.
    """
    strangers = [name for name in given if name not in wanted]
    for name, tensor in wanted.items():
        if name not in given:
            near = None if is_renamed else nearest(name, strangers)
            yield f"{name} is missing" + (f"; did you mean {spell(near)}?" if near else "")
        elif given[name].shape != tensor.shape:
            shapes = (shape_text(tuple(t.shape)) for t in (given[name], tensor))
            yield "{} is {}, the network needs {}".format(name, *shapes)
        elif _family(given[name].dtype) != _family(tensor.dtype):
            yield f"{name} holds {dtype_text(given[name])}, the network needs {dtype_text(tensor)}"
    for name in strangers:
        yield f"{printable(name)} belongs to no layer"


def _family(dtype: torch.dtype) -> str:
    """Within a family numbers are converted; between them they would mean something else."""
    if dtype.is_floating_point:
        return "floats"
    return "complex" if dtype.is_complex else "truth values" if dtype is torch.bool else "integers"


def dtype_text(tensor: torch.Tensor) -> str:
    """A tensor's element type for people: float32."""
    return str(tensor.dtype).removeprefix("torch.")


def tensors_of(module: nn.Module, graph: Graph) -> Wanted:
    """Names and shapes of a network's tensors in the order of its layers, those of shared layers too."""
    place = {node.name: number for number, node in enumerate(graph)}

    def layer(name: str) -> str:
        while name and name not in place:
            name = name.rpartition(".")[0]
        return name

    owned: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in module.state_dict().items():
        owned.setdefault(layer(name), {})[name] = tuple(tensor.shape)
    shapes: dict[str, tuple[int, ...]] = {}
    alone = set()
    shared = {}
    for node in graph:
        for name, shape in owned.get(node.owner, {}).items():
            own = node.name + name.removeprefix(node.owner)
            shapes[own] = shape
            if node.shares is not None:
                shared[own] = name
            if type(node.op).__name__ == PARAMETER:
                alone.add(own)
    return Wanted(shapes, frozenset(alone), shared)


def save_weights(module: nn.Module, graph: Graph, path: Path) -> None:
    """Write the state dict as a safetensors file, whole or not at all, with the hash of the graph.

    safetensors sorts the tensors, so their order is written down beside the hash.

    Errors: NS511 where the system refuses.
    """
    wanted = tensors_of(module, graph)
    order = [name for name in wanted.shapes if name not in wanted.shared]
    metadata = {GRAPH_KEY: graph_hash(graph), ORDER_KEY: json.dumps(order, separators=(",", ":"))}
    write_tensors(path, module.state_dict(), metadata)
