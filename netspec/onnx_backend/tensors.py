"""The tensors of a stranger's model: checked against the bytes that are there, then viewed as arrays."""

from __future__ import annotations

import math
import mmap
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.numpy_helper import to_array

from netspec.onnx_backend.digest import Array

SIZE_LIMIT = 1 << 40  # elements along one dimension, and in all
RANK_LIMIT = 32

_READABLE = frozenset(
    {
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.DOUBLE,
        TensorProto.INT8,
        TensorProto.INT16,
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.UINT8,
        TensorProto.UINT16,
        TensorProto.UINT32,
        TensorProto.UINT64,
        TensorProto.BOOL,
    }
)


class TensorFault(Exception):
    """What is wrong with a tensor of a model file, as the end of a sentence that begins with its name."""

    def __init__(self, tensor: str, fault: str) -> None:
        super().__init__(f"{tensor} {fault}")
        self.tensor = tensor
        self.fault = fault


def initializers(
    tensors: Sequence[TensorProto],
    content: mmap.mmap,
    elements: Sequence[tuple[int, int] | None],
    folder: Path,
) -> Mapping[str, Array]:
    """Every initializer as an array by its name: views of the file, of its external data, or small copies.

    Args:
        tensors: the graph's initializers.
        content: the bytes of the model file.
        elements: where in `content` the elements of each large initializer stand.
        folder: the model's folder, which external data may not leave.
    """
    files = _ExternalFiles(folder)
    arrays: dict[str, Array] = {}
    for tensor, place in zip(tensors, elements, strict=True):
        name = tensor.name
        if not name or name in arrays:
            raise TensorFault(name or "without a name", "shares its name with another one")
        dtype, shape, length = _layout(tensor)
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            data = files.view(tensor, length)
        elif place is not None:
            data = memoryview(content)[place[0] : place[1]]
        elif tensor.HasField("raw_data"):
            data = memoryview(tensor.raw_data)
        else:
            arrays[name] = _decoded(tensor, shape)
            continue
        if len(data) != length:
            raise TensorFault(name, f"of shape {shape} needs {length} bytes and has {len(data)}")
        arrays[name] = np.frombuffer(data, dtype).reshape(shape)
    return arrays


def _layout(tensor: TensorProto) -> tuple[np.dtype[np.generic], tuple[int, ...], int]:
    """The element type, the shape, and the number of bytes that they ask for."""
    name = tensor.name
    if tensor.data_type not in _READABLE:
        raise TensorFault(
            name, f"has elements of ONNX's type {tensor.data_type}, which netspec does not read"
        )
    if tensor.HasField("segment"):
        raise TensorFault(name, "is stored in segments, which netspec does not read")
    shape = tuple(tensor.dims)
    if len(shape) > RANK_LIMIT:
        raise TensorFault(name, f"has {len(shape)} dimensions")
    count = math.prod(shape)
    if any(not 0 <= size <= SIZE_LIMIT for size in shape) or count > SIZE_LIMIT:
        raise TensorFault(name, f"has the impossible shape {shape}")
    dtype = tensor_dtype_to_np_dtype(tensor.data_type).newbyteorder("<")
    return dtype, shape, count * dtype.itemsize


def _decoded(tensor: TensorProto, shape: tuple[int, ...]) -> Array:
    """A tensor whose elements stand as protobuf's own numbers."""
    try:
        array: Array = to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise TensorFault(tensor.name, f"of shape {shape} holds another number of elements") from error
    return array


class _ExternalFiles:
    """The external data of one model, each file mapped once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mapped: dict[str, mmap.mmap] = {}

    def view(self, tensor: TensorProto, length: int) -> memoryview:
        """The `length` bytes that a tensor says are its own in another file."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if location not in self.mapped:
            self.mapped[location] = self._map(tensor.name, location)
        offset = _number(tensor.name, entries.get("offset", "0"))
        claimed = _number(tensor.name, entries.get("length", str(length)))
        content = self.mapped[location]
        if offset + claimed > len(content):
            raise TensorFault(tensor.name, f"reaches beyond the end of its external data {location}")
        return memoryview(content)[offset : offset + claimed]

    def _map(self, tensor: str, location: str) -> mmap.mmap:
        path = self._inside(tensor, location)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                raise TensorFault(tensor, f"has its elements in {location}, which is empty or no file")
            with path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise TensorFault(tensor, f"has its elements in {location}: {reason}") from error

    def _inside(self, tensor: str, location: str) -> Path:
        """The path of external data, when it lies in the model's folder, links followed."""
        parts = (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)
        relative = not PurePosixPath(location).is_absolute() and not PureWindowsPath(location).anchor
        if not location or "\0" in location or not relative or ".." in parts:
            raise TensorFault(tensor, f"has its elements at {location!r}, outside the model's folder")
        try:
            path = (self.folder / location).resolve()
            inside = path.is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError) as error:
            raise TensorFault(tensor, f"has its elements at {location!r}, which cannot be found") from error
        if not inside:
            raise TensorFault(tensor, f"has its elements at {location!r}, a link out of the model's folder")
        return path


def _number(tensor: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise TensorFault(tensor, f"gives {text[:40]!r} as a place in its external data")
    return int(text)


def refuse_hidden_external(message: ModelProto) -> None:
    """Refuse external data of any tensor but the graph's initializers: runtimes would read it unasked."""
    for tensor in _hidden(message):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise TensorFault(tensor.name or "without a name", "inside a node has external data")


def _hidden(message: ModelProto) -> Iterator[TensorProto]:
    yield from _in_graph(message.graph, initializers=False)
    for function in message.functions:
        yield from _in_nodes(function.node)
        yield from _in_attributes(function.attribute_proto)
    for training in message.training_info:
        yield from _in_graph(training.initialization, initializers=True)
        yield from _in_graph(training.algorithm, initializers=True)


def _in_graph(graph: GraphProto, *, initializers: bool) -> Iterator[TensorProto]:
    if initializers:
        yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _in_nodes(graph.node)


def _in_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        yield from _in_attributes(node.attribute)


def _in_attributes(attributes: Iterable[AttributeProto]) -> Iterator[TensorProto]:
    for attribute in attributes:
        yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        if attribute.HasField("g"):
            yield from _in_graph(attribute.g, initializers=True)
        for graph in attribute.graphs:
            yield from _in_graph(graph, initializers=True)
