"""Graph + weights → an ONNX file, the weights streamed into it from where they lie in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onnx import GraphProto, ModelProto, TensorProto
from onnx.numpy_helper import to_array

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.files import writing
from netspec.ir.graph import Graph, Node
from netspec.ir.tensor import DType
from netspec.onnx_backend.digest import Array, WeightsDigest, element_type, octets
from netspec.onnx_backend.lower import Lowered, lower
from netspec.onnx_backend.messages import ELEMENT_TYPES, graph_message, metadata_message, model_message
from netspec.onnx_backend.metadata import FILE_HASH, describe
from netspec.onnx_backend.opset import DEFAULT_OPSET, supported_opset
from netspec.onnx_backend.seal import file_hash
from netspec.onnx_backend.wire import GRAPH_INITIALIZER, MODEL_GRAPH, TENSOR_RAW_DATA, opening

INLINE_LIMIT = 1_500_000_000  # bytes of weights in the file itself: protobuf ends at 2 GiB
EXTERNAL_SMALLEST = 1024  # bytes; smaller tensors stay inline, as onnx's own tools keep them
EXTERNAL_ALIGNMENT = 4096  # bytes; a page, so that runtimes can map the tensors


class MissingWeight(Diagnostic):
    """A tensor that the network needs and the given weights lack."""

    code = "NS513"
    message = "the weights lack {name}, which layer {layer} needs"

    name: str
    layer: str

    @property
    def help(self) -> str:
        return "give weights that were saved for this spec, or none to draw them anew"


class WeightMismatch(Diagnostic):
    """A tensor of another shape or type than the network has."""

    code = "NS514"
    message = "weight {name} is {found}, but layer {layer} needs {needed}"

    name: str
    layer: str
    found: str
    needed: str

    @property
    def help(self) -> str:
        return "give weights that were saved for this spec, with the same parameters"


@dataclass(frozen=True, slots=True)
class Export:
    """What was written: the file, its companion if its weights did not fit in, and what it holds.

    `hashes` are those in the metadata; `size` counts the bytes of both files.
    """

    path: Path
    data_path: Path | None
    opset: int
    size: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Initializer:
    """A weight on its way into the file: the bytes before its elements, and the elements where they lie."""

    name: str
    array: Array
    data: memoryview
    header: TensorProto
    offset: int | None = None  # in the companion file


def export(graph: Graph, weights: Mapping[str, Array], path: Path, *, opset: int = DEFAULT_OPSET) -> Export:
    """Write `graph` with `weights` as an ONNX file at `path`, and beside it `NAME.data` where it must be.

    The same graph and weights give the same bytes. Weights over 1.5 GB go to the companion file. On any
    failure what was written is removed; `files.published` gives a path that keeps an older file meanwhile.
    """
    lowered = lower(graph, supported_opset(opset))
    initializers, external = _initializers(lowered, weights)
    data_path = path.with_name(path.name + ".data") if external else None
    if data_path:
        initializers = _placed(initializers, data_path.name)
    frame, whole = model_message(opset), graph_message(graph, lowered)
    structure = whole.SerializeToString(deterministic=True)
    with _removed_on_failure(path, data_path), WeightsDigest() as digest:
        for item in initializers:
            digest.add(item.name, item.array, item.data)
        size = 0
        if data_path:
            with _created(data_path) as file:
                size += _write_external(file, initializers)
        with _created(path) as file:
            file.write(frame.SerializeToString(deterministic=True))
            _write_graph(file, structure, initializers)
            described = describe(graph, opset, digest.hexdigest())
            metadata = _sealed(described, frame, whole, initializers)
            file.write(metadata_message(metadata).SerializeToString(deterministic=True))
            size += file.tell()
    return Export(path, data_path, opset, size, metadata)


def _sealed(
    metadata: Mapping[str, str], frame: ModelProto, graph: GraphProto, initializers: Iterable[_Initializer]
) -> Mapping[str, str]:
    """The metadata with the hash of all that is in the file, themselves included."""
    constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    frame.graph.CopyFrom(graph)
    frame.graph.initializer.extend(item.header for item in initializers)
    frame.MergeFrom(metadata_message(metadata))
    return dict(sorted({**metadata, FILE_HASH: file_hash(frame, constants)}.items()))


def _initializers(lowered: Lowered, weights: Mapping[str, Array]) -> tuple[list[_Initializer], bool]:
    """The weights in the order of their use, and whether they are too large for the file itself."""
    initializers = []
    for name, layer in lowered.weights.items():
        array = _checked(name, layer, weights)
        header = TensorProto(
            name=name, data_type=ELEMENT_TYPES[DType(element_type(array.dtype))], dims=array.shape
        )
        initializers.append(_Initializer(name, array, octets(array), header))
    return initializers, sum(len(item.data) for item in initializers) > INLINE_LIMIT


def _checked(name: str, layer: Node, weights: Mapping[str, Array]) -> Array:
    array = weights.get(name)
    if array is None:
        raise DiagnosticError(MissingWeight(name=name, layer=layer.name).at(layer.span))
    own = name.removeprefix(layer.owner + ".")
    declared = next(w for w in layer.op.weights(*layer.input_types) if w.name == own)
    if array.shape != declared.shape or element_type(array.dtype) != declared.dtype:
        raise DiagnosticError(
            WeightMismatch(
                name=name,
                layer=layer.name,
                found=f"{element_type(array.dtype)} {array.shape}",
                needed=f"{declared.dtype} {declared.shape}",
            ).at(layer.span)
        )
    return array


def _placed(initializers: list[_Initializer], location: str) -> list[_Initializer]:
    """The same with a place in the companion file for each that is not small."""
    placed = []
    end = 0
    for item in initializers:
        length = len(item.data)
        if length < EXTERNAL_SMALLEST:
            placed.append(item)
            continue
        offset = -(-end // EXTERNAL_ALIGNMENT) * EXTERNAL_ALIGNMENT
        end = offset + length
        item.header.data_location = TensorProto.EXTERNAL
        for key, value in ("location", location), ("offset", str(offset)), ("length", str(length)):
            item.header.external_data.add(key=key, value=value)
        placed.append(_Initializer(item.name, item.array, item.data, item.header, offset))
    return placed


def _write_external(file: BinaryIO, initializers: list[_Initializer]) -> int:
    end = 0
    for item in initializers:
        if item.offset is not None:
            file.write(bytes(item.offset - end))
            file.write(item.data)
            end = item.offset + len(item.data)
    return end


def _write_graph(file: BinaryIO, structure: bytes, initializers: list[_Initializer]) -> None:
    """The graph field of the model: its length, which counts the weights, the structure, and the weights."""
    parts: list[bytes | memoryview] = [structure]
    for item in initializers:
        header = item.header.SerializeToString(deterministic=True)
        if item.offset is not None:
            parts += [opening(GRAPH_INITIALIZER, len(header)), header]
            continue
        # Fields are written in any order, so the elements can stand behind what protobuf has written.
        header += opening(TENSOR_RAW_DATA, len(item.data))
        parts += [opening(GRAPH_INITIALIZER, len(header) + len(item.data)), header, item.data]
    file.write(opening(MODEL_GRAPH, sum(map(len, parts))))
    for part in parts:
        file.write(part)


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    """A new file; an older one is unlinked, not cut off, for a reader may have it mapped."""
    with writing(path):
        if path.is_file():
            path.unlink()
        with path.open("wb") as file:
            yield file


@contextmanager
def _removed_on_failure(*paths: Path | None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            if path and path.is_file():  # no device, no pipe
                with suppress(OSError):
                    path.unlink()
        raise
