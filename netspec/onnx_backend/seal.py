"""The hash over a whole file: nothing in it can change that one of its hashes does not show."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from onnx import GraphProto, ModelProto, StringStringEntryProto, TensorProto

from netspec.onnx_backend.digest import Array, weights_hash
from netspec.onnx_backend.emitter import CONSTANT_PREFIX
from netspec.onnx_backend.metadata import FILE_HASH

_ELEMENTS = ("raw_data", "external_data", "data_location")


def file_hash(model: ModelProto, initializers: Mapping[str, Array]) -> str:
    """The hash of a model but for the elements of its weights, which have their own, in hex.

    SHA-256 over three messages in protobuf's encoding, each behind its length in eight bytes: the model
    without graph and metadata; the graph, its initializers without their elements; the metadata without this
    hash. Then `digest.weights_hash` of the constants. Where external data lie is not part of it.
    """
    frame, graph = ModelProto(), GraphProto()
    frame.CopyFrom(model)
    frame.ClearField("graph")
    frame.ClearField("metadata_props")
    graph.CopyFrom(model.graph)
    for tensor in graph.initializer:
        _without_elements(tensor)
    told = ModelProto(
        metadata_props=[
            StringStringEntryProto(key=entry.key, value=entry.value)
            for entry in model.metadata_props
            if entry.key != FILE_HASH
        ]
    )
    constants = {name: array for name, array in initializers.items() if name.startswith(CONSTANT_PREFIX)}
    whole = sha256()
    for message in (frame, graph, told):
        content = message.SerializeToString(deterministic=True)
        whole.update(len(content).to_bytes(8, "little"))
        whole.update(content)
    whole.update(weights_hash(constants).encode("ascii"))
    return whole.hexdigest()


def _without_elements(tensor: TensorProto) -> None:
    for name in _ELEMENTS:
        tensor.ClearField(name)
