"""A file that stands alone against what netspec writes for the spec in it: node by node, nothing is run.

No drawn input can show a branch that wakes at a value which was not drawn, or a costly node that nobody
reads. Lowered again, the spec shows both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.helper import get_attribute_value
from onnx.numpy_helper import to_array

import netspec
from netspec.diagnostics import Diagnostic, DiagnosticError, Severity, Span, printable
from netspec.ir.graph import Graph
from netspec.onnx_backend.digest import octets
from netspec.onnx_backend.emitter import CONSTANT_PREFIX
from netspec.onnx_backend.lower import lower
from netspec.onnx_backend.messages import graph_message, model_message
from netspec.onnx_backend.metadata import VERSION
from netspec.onnx_backend.opset import supported_opset
from netspec.onnx_backend.read import Model
from netspec.verify.consistency import opset_of

SHOWN = 60  # characters of an attribute or a list of names in a message
_BESIDE = ("node", "initializer", "value_info", "input", "output")  # compared one by one, or by other checks
_ELEMENTS = ("raw_data", "external_data", "data_location")


class StructureDiffers(Diagnostic):
    """The file's graph is not the one that this netspec writes for the file's own spec."""

    code = "NS591"
    message = "the file is not what netspec writes for its spec: {part} {how}"

    part: str
    how: str

    @property
    def help(self) -> str:
        return "the file was changed after netspec wrote it: export it again from its spec and weights"


class WrittenByAnother(Diagnostic):
    """Another version of netspec may write the same spec in another way; only what it computes is judged."""

    code = "NS592"
    message = (
        "the file says that netspec {version} wrote it, and this is {own}: its nodes are judged by what they "
        "compute, not compared one by one"
    )
    severity = Severity.WARNING

    version: str
    own: str


class Difference(NamedTuple):
    """The first thing that differs, as a sentence's subject and the rest of it; `layer` where it is one's."""

    part: str
    how: str
    layer: str = ""


def is_comparable(model: Model, graph: Graph) -> bool:
    """Whether this netspec writes the spec as the one did that wrote the file.

    Layers that torch's exporter writes come out as its version has them, which no file tells.
    """
    return model.metadata.get(VERSION) == netspec.__version__ and all(node.op.is_lowered for node in graph)


def differing_structure(model: Model, graph: Graph) -> Diagnostic | None:
    """What is not as netspec writes it, the first thing; None where all is, weights and metadata aside."""
    found = next(_differences(model, graph), None)
    if found is None:
        return None
    spans = {node.name: node.span for node in graph}
    told = StructureDiffers(part=printable(found.part), how=printable(found.how))
    span: Span | None = spans.get(found.layer.split("/")[0])
    return told if span is None else told.at(span)


def written_by_another(model: Model) -> Diagnostic | None:
    """The remark that a file of another version gets."""
    version = model.metadata.get(VERSION, "of no known version")
    if version == netspec.__version__:
        return None
    return WrittenByAnother(version=printable(version[:SHOWN]), own=netspec.__version__)


def _differences(model: Model, graph: Graph) -> Iterator[Difference]:
    opset = opset_of(model.message)
    try:
        lowered = lower(graph, supported_opset(opset))
    except DiagnosticError as error:
        yield Difference(f"opset {opset}", f"is none that netspec writes it in ({error.diagnostics[0].text})")
        return
    wanted = graph_message(graph, lowered)
    yield from _of_nodes(wanted.node, model.message.graph.node)
    yield from _of_constants(wanted.initializer, model)
    yield from _of_weights(list(lowered.weights), model)
    yield from _of_tensors(wanted, model.message.graph)
    yield from _of_frame(model_message(opset), model.message)


def _of_nodes(wanted: Sequence[NodeProto], got: Sequence[NodeProto]) -> Iterator[Difference]:
    for want, have in zip_longest(wanted, got):
        if want == have:
            continue
        if have is None or (want is not None and want.output[0] not in {o for n in got for o in n.output}):
            yield Difference(_node(want), "is missing", want.name)
        elif want is None or not {o for n in wanted for o in n.output} & {*have.output}:
            yield Difference(_node(have), "is none of netspec's", have.name)
        else:
            yield Difference(_node(have), _how_node(want, have), want.name)


def _node(node: NodeProto) -> str:
    return f"node {node.name} ({node.op_type})"


def _how_node(want: NodeProto, have: NodeProto) -> str:
    if want.op_type != have.op_type:
        return f"should be {want.op_type}"
    for verb, ours, theirs in ("reads", want.input, have.input), ("gives", want.output, have.output):
        if list(ours) != list(theirs):
            return f"{verb} {_listed(theirs)}, not {_listed(ours)}"
    ours = {attribute.name: attribute for attribute in want.attribute}
    theirs = {attribute.name: attribute for attribute in have.attribute}
    for name in (*ours, *theirs):
        if name not in theirs:
            return f"lacks its attribute {name}"
        if name not in ours:
            return f"has an attribute {name}"
        if ours[name] != theirs[name]:
            return f"has {name} = {_value(theirs[name])}, not {_value(ours[name])}"
    return f"has another {_field(want, have)}"


def _listed(names: Sequence[str]) -> str:
    return _short(f"({', '.join(names)})")


def _value(attribute: AttributeProto) -> str:
    try:
        value = get_attribute_value(attribute)
    except ValueError:
        return "nothing"
    if isinstance(value, Message):
        return f"a {type(value).__name__}"
    return _short(value.decode(errors="replace") if isinstance(value, bytes) else repr(value))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _of_constants(wanted: Sequence[TensorProto], model: Model) -> Iterator[Difference]:
    tensors = model.message.graph.initializer
    held = {tensor.name: tensor for tensor in tensors if tensor.name.startswith(CONSTANT_PREFIX)}
    for want in wanted:
        if want.name not in held:
            yield Difference(f"constant {want.name}", "is missing")
            continue
        ours, theirs = to_array(want), model.initializers[want.name]
        if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            how = f"is {theirs.shape} {theirs.dtype}, not {ours.shape} {ours.dtype}"
            yield Difference(f"constant {want.name}", how)
        elif octets(ours) != octets(theirs):
            how = f"is {_short(repr(theirs.tolist()))}, not {_short(repr(ours.tolist()))}"
            yield Difference(f"constant {want.name}", how)
        elif _without_elements(want) != _without_elements(held[want.name]):
            yield Difference(f"constant {want.name}", "is stored in another way")
    for name in held:
        if name not in {want.name for want in wanted}:
            yield Difference(f"constant {name}", "is none of netspec's")
    if [want.name for want in wanted] != list(held):
        yield Difference("its constants", "stand in another order")


def _of_weights(wanted: Sequence[str], model: Model) -> Iterator[Difference]:
    """Their order, and what is beside their elements; which there are, other checks say."""
    tensors = model.message.graph.initializer
    held = [tensor for tensor in tensors if not tensor.name.startswith(CONSTANT_PREFIX)]
    if {*wanted} == {tensor.name for tensor in held} and wanted != [tensor.name for tensor in held]:
        yield Difference("its weights", "stand in another order")
    for tensor in held:
        plain = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        if _without_elements(tensor) != plain:
            yield Difference(f"weight {tensor.name}", "is stored in another way")


def _without_elements(tensor: TensorProto) -> TensorProto:
    bare = TensorProto()
    bare.CopyFrom(tensor)
    for name in _ELEMENTS:
        bare.ClearField(name)
    return bare


def _of_tensors(wanted: GraphProto, got: GraphProto) -> Iterator[Difference]:
    """The types of inputs, outputs and tensors in between, and whatever else a graph can hold."""
    for name in "input", "output", "value_info":
        for want, have in zip_longest(getattr(wanted, name), getattr(got, name)):
            if want != have:
                named = f"the {name} {(have or want).name}".replace("value_info", "type of the tensor")
                how = "is missing" if have is None else "is none of netspec's" if want is None else "differs"
                yield Difference(named, how)
    ours, theirs = GraphProto(), GraphProto()
    ours.CopyFrom(wanted)
    theirs.CopyFrom(got)
    for graph in ours, theirs:
        for name in _BESIDE:
            graph.ClearField(name)
    if ours != theirs:
        yield Difference("its graph", f"has another {_field(ours, theirs)}")


def _of_frame(wanted: ModelProto, got: ModelProto) -> Iterator[Difference]:
    """The versions and whatever else stands beside the graph and the metadata."""
    ours, theirs = ModelProto(), ModelProto()
    ours.CopyFrom(wanted)
    theirs.CopyFrom(got)
    for model in ours, theirs:
        model.ClearField("graph")
        model.ClearField("metadata_props")
    if ours != theirs:
        yield Difference("its model", f"has another {_field(ours, theirs)}")


def _field(ours: Message, theirs: Message) -> str:
    """The name of the first field in which two messages differ."""
    for field in ours.DESCRIPTOR.fields:
        if getattr(ours, field.name) != getattr(theirs, field.name):
            return str(field.name)
    return "field"
