"""Samples made to fit a network's inputs: axes added, preprocessing applied, shapes checked."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from netspec.diagnostics import Advised, Diagnostic, DiagnosticError
from netspec.ir.dim import Bounds, Dim
from netspec.ir.graph import Graph, GraphInput
from netspec.ir.tensor import DType, TensorType
from netspec.verify.preprocess import preprocess
from netspec.verify.samples import Samples
from netspec.verify.tolerance import Array


class SamplesDoNotFit(Advised):
    """The shape of the samples is not the input's."""

    code = "NS553"
    message = "each sample in {path} is {got}, but the input {input} is {expected}"

    path: str
    input: str
    got: str
    expected: TensorType


class SampleNamesDiffer(Diagnostic):
    """A file does not have an array for every input."""

    code = "NS554"
    message = "{path} has {got}, but the network takes {expected}"

    path: str
    got: str
    expected: str

    @property
    def help(self) -> str:
        return "give an .npz that holds one array for each input, under the input's name"


class TooFewSamples(Diagnostic):
    """The network takes batches of a fixed size, and the file has fewer samples."""

    code = "NS555"
    message = "{path} has {got} samples, but the network takes {batch} at once"

    path: str
    got: int
    batch: int


class SamplesNotFinite(Diagnostic):
    """Samples that hold NaN or infinities, or numbers that become infinite in the input's element type."""

    code = "NS556"
    message = (
        "the samples in {path} are not finite as {dtype} for the input {input}: {count:,} of {size:,} numbers"
    )

    path: str
    input: str
    dtype: DType
    count: int
    size: int

    @property
    def help(self) -> str:
        return "leave out what is NaN or infinite; nothing can be compared on it"


def prepare(samples: Samples, graph: Graph) -> dict[str, Array]:
    """The samples as inputs of a graph, by name, preprocessed, (N, ...) with one N for all."""
    arrays = _by_input(samples, graph)
    prepared = {
        entry.name: prepare_input(arrays[entry.name], entry, graph.bounds, samples.name)
        for entry in graph.inputs
    }
    count = min(len(array) for array in prepared.values())
    first = graph.inputs[0].value.type.known[0]
    batch = first if isinstance(first, int) else graph.bounds[str(first)].least
    if count < batch:
        raise DiagnosticError(TooFewSamples(path=samples.name, got=count, batch=batch))
    return {name: array[:count] for name, array in prepared.items()}


def _by_input(samples: Samples, graph: Graph) -> Mapping[str, Array]:
    names = [entry.name for entry in graph.inputs]
    if all(name in samples.arrays for name in names):
        return samples.arrays
    if len(names) == len(samples.arrays) == 1:
        return {names[0]: next(iter(samples.arrays.values()))}
    got = ", ".join(samples.arrays) if "" not in samples.arrays else "one array without a name"
    raise DiagnosticError(SampleNamesDiffer(path=samples.name, got=got, expected=", ".join(names)))


def prepare_input(array: Array, entry: GraphInput, bounds: Mapping[str, Bounds], path: str) -> Array:
    """One input's samples, (N, ...) in the input's dtype.

    Images may come as (N, H, W) for one channel, (N, H, W, C), or a single one as (H, W) or (C, H, W); an
    input of rank two takes images flattened.
    """
    type = entry.value.type
    shaped = with_axes(array, type)
    resized = entry.preprocess is not None and entry.preprocess.resize is not None
    if shaped.ndim == type.rank and type.dtype.is_floating and not (resized and shaped.ndim != 4):
        with np.errstate(over="ignore", invalid="ignore"):
            shaped = preprocess(shaped, entry.preprocess)
    if not fits(shaped.shape, type, bounds):
        raise DiagnosticError(
            SamplesDoNotFit(
                path=path,
                input=entry.name,
                got=str(array.shape[1:]),
                expected=type,
                advice=resizing_advice(shaped, type),
            )
        )
    with np.errstate(over="ignore", invalid="ignore"):
        given = np.ascontiguousarray(shaped.astype(str(type.dtype)))
    if type.dtype.is_floating and (count := int(np.count_nonzero(~np.isfinite(given)))):
        fault = SamplesNotFinite(path=path, input=entry.name, dtype=type.dtype, count=count, size=given.size)
        raise DiagnosticError(fault)
    return given


def with_axes(array: Array, type: TensorType) -> Array:
    """The array with the axes that its shape leaves out, as far as the input's type tells which."""
    rank = type.rank
    if rank != 4:
        flat = math.prod(array.shape[1:])
        if rank == 2 and array.ndim > 2 and type.known[1] == flat:
            return array.reshape(len(array), flat)
        return array[None] if array.ndim == rank - 1 and array.shape[0] == type.known[1] else array
    channels = type.known[1]
    if array.ndim == 2:
        return array[None, None]
    if array.ndim == 3:
        return array[None] if channels != 1 and array.shape[0] == channels else array[:, None]
    if array.ndim == 4 and array.shape[1] != channels and array.shape[3] == channels:
        return array.transpose(0, 3, 1, 2)
    return array


def fits(shape: tuple[int, ...], type: TensorType, bounds: Mapping[str, Bounds]) -> bool:
    """Whether the axes behind the first are the type's, with every symbol at one admissible value.

    The first axis counts samples and is cut into batches later.
    """
    if len(shape) != type.rank:
        return False
    values: dict[str, int] = {}
    for size, length in zip(type.known[1:], shape[1:], strict=True):
        if isinstance(size, int):
            if size != length:
                return False
        elif isinstance(size, Dim) and str(size) in bounds:
            limits = bounds[str(size)]
            above = limits.greatest is not None and length > limits.greatest
            if above or length < limits.least or length % limits.multiple_of:
                return False
            if values.setdefault(str(size), length) != length:
                return False
    return True


def resizing_advice(shaped: Array, type: TensorType) -> str:
    """What would make images (N, C, H, W) fit, where another size is all that is wrong with them."""
    sizes = type.known[2:]
    if shaped.ndim == type.rank == 4 and shaped.shape[1] == type.known[1]:
        if all(isinstance(size, int) for size in sizes):
            height, width = sizes
            return f"let the spec resize them: preprocess: {{resize: [{height}, {width}]}} at the input"
        return "resize them to a size that the dims: of the spec admit"
    return ""
