"""The protobuf messages of an ONNX file, all but the weights, which `export` streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    StringStringEntryProto,
    TensorProto,
    ValueInfoProto,
)

import netspec
from netspec.ir.graph import Graph
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Attribute, Constant, Emitted
from netspec.onnx_backend.lower import Lowered
from netspec.onnx_backend.opset import ir_version

ELEMENT_TYPES = {
    DType.FLOAT32: TensorProto.FLOAT,
    DType.FLOAT16: TensorProto.FLOAT16,
    DType.BFLOAT16: TensorProto.BFLOAT16,
    DType.FLOAT64: TensorProto.DOUBLE,
    DType.INT64: TensorProto.INT64,
    DType.INT32: TensorProto.INT32,
    DType.BOOL: TensorProto.BOOL,
}
"""ONNX's number of each element type."""


def model_message(opset: int) -> ModelProto:
    """The model around the graph: versions and producer, without the graph and the metadata."""
    return ModelProto(
        ir_version=ir_version(opset),
        producer_name="netspec",
        producer_version=netspec.__version__,
        opset_import=[OperatorSetIdProto(version=opset)],
    )


def metadata_message(metadata: Mapping[str, str]) -> ModelProto:
    """A model of metadata alone: two messages written one behind the other are read as one."""
    return ModelProto(
        metadata_props=[StringStringEntryProto(key=key, value=value) for key, value in metadata.items()]
    )


def graph_message(graph: Graph, lowered: Lowered) -> GraphProto:
    """The graph without its weights: nodes, constants, inputs, outputs, and the type of every layer."""
    outputs = {output.name for output in graph.outputs}
    return GraphProto(
        name=graph.name,
        node=[_node(node) for node in lowered.nodes],
        initializer=[_constant(constant) for constant in lowered.constants],
        input=[_typed(item.name, item.value.type) for item in graph.inputs],
        output=[_typed(output.name, output.value.type) for output in graph.outputs],
        value_info=[_typed(name, kind) for name, kind in lowered.types.items() if name not in outputs],
    )


def _node(node: Emitted) -> NodeProto:
    return NodeProto(
        op_type=node.op_type,
        name=node.name,
        input=node.inputs,
        output=node.outputs,
        attribute=[_attribute(name, value) for name, value in sorted(node.attributes.items())],
    )


def _attribute(name: str, value: Attribute) -> AttributeProto:
    if isinstance(value, DType):
        return AttributeProto(name=name, type=AttributeProto.INT, i=ELEMENT_TYPES[value])
    if isinstance(value, int):
        return AttributeProto(name=name, type=AttributeProto.INT, i=int(value))
    if isinstance(value, float):
        return AttributeProto(name=name, type=AttributeProto.FLOAT, f=value)
    if isinstance(value, str):
        return AttributeProto(name=name, type=AttributeProto.STRING, s=value.encode())
    if all(isinstance(item, int) for item in value):
        return AttributeProto(name=name, type=AttributeProto.INTS, ints=_integers(value))
    if all(isinstance(item, str) for item in value):
        return AttributeProto(
            name=name, type=AttributeProto.STRINGS, strings=[str(item).encode() for item in value]
        )
    return AttributeProto(name=name, type=AttributeProto.FLOATS, floats=[float(item) for item in value])


def _integers(value: Iterable[object]) -> list[int]:
    return [item for item in value if isinstance(item, int)]


def _constant(constant: Constant) -> TensorProto:
    return TensorProto(
        name=constant.name,
        data_type=ELEMENT_TYPES[constant.dtype],
        dims=constant.shape,
        raw_data=constant.raw,
    )


def _typed(name: str, kind: TensorType) -> ValueInfoProto:
    """A tensor's type; a symbolic size is its canonical text, so that equal sizes have equal names."""
    message = ValueInfoProto(name=name)
    tensor = message.type.tensor_type
    tensor.elem_type = ELEMENT_TYPES[kind.dtype]
    tensor.shape.SetInParent()  # a scalar has a shape too
    for size in kind.known:
        if isinstance(size, int):
            tensor.shape.dim.add(dim_value=size)
        else:
            tensor.shape.dim.add(dim_param=str(size))
    return message
