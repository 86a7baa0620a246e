"""Mutants that compute the same as the right file, each with the proof; what has none must be caught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, helper
from onnx.numpy_helper import to_array
from onnx.shape_inference import infer_shapes

from netspec.ir.fingerprint import graph_hash
from netspec.onnx_backend.metadata import SPEC, SPEC_HASH, describe
from netspec.onnx_backend.opset import DEFAULT_OPSET
from netspec.pipeline import check_text
from tests.verify.mutants.mutations import Mutant

COMMUTATIVE = ("Add", "Mul", "Max", "Min", "And", "Or", "Equal")
IDEMPOTENT = ("Relu", "Identity", "Round", "Floor", "Ceil", "Abs", "Sign", "Clip")
WINDOWED = ("Conv", "MaxPool", "AveragePool", "LpPool")
WINDOW = ("kernel_shape", "strides", "pads", "dilations", "ceil_mode", "auto_pad")
INNERMOST = "of every size that the tensor can have, as far as their remainders by the stride tell them apart"
REMAINDERS = 64  # sizes beyond the window that are tried where one is open; more than any stride divides


@dataclass(frozen=True)
class Proof:
    """Why a mutant computes what the right file computes, in one sentence."""

    said: str


def proof(mutant: Mutant, right: ModelProto, changed: ModelProto) -> Proof | None:
    """The first proof that holds; None where there is none."""
    for rule in RULES:
        said = rule(mutant, right, changed)
        if said:
            return Proof(said)
    return None


def _metadata_alone(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """Nothing that is run differs, and nothing that says how to feed it."""
    bare = []
    for model in right, changed:
        one = ModelProto()
        one.CopyFrom(model)
        one.ClearField("metadata_props")
        one.ClearField("doc_string")
        one.ClearField("domain")
        one.ClearField("producer_name")
        bare.append(one)
    told = [{entry.key: entry.value for entry in model.metadata_props} for model in (right, changed)]
    read = ("netspec.spec", "netspec.labels", "netspec.preprocess", "netspec.opset", "netspec.onnxruntime")
    same = all(told[0].get(key) == told[1].get(key) for key in read)
    return "who wrote it and further remarks: nothing that is run, and nothing that says how" * (
        same and bare[0] == bare[1]
    )


def _says_nothing_of_it(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A genuine file of another spec that has the same graph, such as one with other initial weights."""
    if mutant.kind != "spec text altered":
        return ""
    graphs = [check_text(_spec(model), "the spec").graph for model in (right, changed)]
    described = [(graph_hash(graph), dict(describe(graph, DEFAULT_OPSET, ""))) for graph in graphs]
    for _, told in described:
        del told[SPEC], told[SPEC_HASH]
    return "what the altered part of the spec says is not of the file: its graph is the same" * (
        described[0] == described[1]
    )


def _spec(model: ModelProto) -> str:
    return next(entry.value for entry in model.metadata_props if entry.key == SPEC)


def _commutes(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type not in COMMUTATIVE or old.op_type != new.op_type:
        return ""
    swapped = sorted(old.input) == sorted(new.input) and _fields(old, "input") == _fields(new, "input")
    return f"{old.op_type} commutes" * swapped


def _idempotent(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A node run twice that maps what it gives onto itself."""
    if mutant.kind != "node doubled":
        return ""
    (node,) = (node for node in right.graph.node if f"{node.name} ({node.op_type})" == mutant.what)
    held = {tensor.name: to_array(tensor) for tensor in right.graph.initializer}
    if node.op_type in IDEMPOTENT:
        return f"{node.op_type} twice is {node.op_type} once"
    if node.op_type == "Cast":
        return "a cast of what has the type already changes nothing"
    if node.op_type == "Flatten" and _integer(node, "axis", 1) in (0, 1):
        return "a matrix flattened is itself"
    if node.op_type in ("Reshape", "Expand") and node.input[1] in held:
        sizes = held[node.input[1]].tolist()
        if node.op_type == "Expand" or (0 not in sizes and _integer(node, "allowzero", 0) == 0):
            return "a tensor of the shape that is asked for keeps it"
    if node.op_type == "Transpose":
        perm = next(list(a.ints) for a in node.attribute if a.name == "perm")
        return "the permutation is its own square" * ([perm[i] for i in perm] == perm)
    return ""


def _same_windows(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """The same elements are read for every element of the result, and none beside the tensor is counted."""
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type not in WINDOWED or old.op_type != new.op_type:
        return ""
    flags = (*WINDOW, "count_include_pad")
    if _fields(old, "attribute") != _fields(new, "attribute") or _other(old, flags) != _other(new, flags):
        return ""
    sizes = _spatial(right, old.input[0])
    if sizes is None:
        return ""
    for axis, size in enumerate(sizes):
        tried = [size] if size is not None else range(_reach(old, axis), _reach(old, axis) + REMAINDERS)
        for one in tried:
            ours, theirs = (_windows(node, axis, len(sizes), one, right) for node in (old, new))
            if ours != theirs or any(tap is None for window in ours for tap in window):
                return ""
    return f"the same windows, all of them inside the tensor, {INNERMOST}"


def _windows(
    node: NodeProto, axis: int, rank: int, size: int, model: ModelProto
) -> list[tuple[int | None, ...]]:
    """For each element of the result along an axis the places that it reads; None stands for padding."""
    kernel = _kernel(node, model)[axis]
    strides, dilations = (_integers(node, name, [1] * rank) for name in ("strides", "dilations"))
    pads = _integers(node, "pads", [0] * (2 * rank))
    before, after = pads[axis], pads[axis + rank]
    span = dilations[axis] * (kernel - 1) + 1
    room = size + before + after - span
    step = strides[axis]
    count = (-(-room // step) if _integer(node, "ceil_mode", 0) else room // step) + 1
    windows = []
    for start in range(-before, -before + count * step, step):
        if _integer(node, "ceil_mode", 0) and start >= size + before:
            break
        taps = [start + dilations[axis] * tap for tap in range(kernel)]
        windows.append(tuple(tap if 0 <= tap < size else None for tap in taps))
    return windows


def _reach(node: NodeProto, axis: int) -> int:
    kernel, dilations = _integers(node, "kernel_shape", [1, 1, 1]), _integers(node, "dilations", [1, 1, 1])
    return dilations[axis] * (kernel[axis] - 1) + 1


def _kernel(node: NodeProto, model: ModelProto) -> list[int]:
    given = _integers(node, "kernel_shape", [])
    if given:
        return given
    return [list(t.dims)[2:] for t in model.graph.initializer if t.name == node.input[1]][0]


def _neutral(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A node dropped that multiplies by ones or adds zeros."""
    if mutant.kind != "node dropped":
        return ""
    (node,) = (node for node in right.graph.node if f"{node.name} ({node.op_type})" == mutant.what)
    held = {tensor.name: tensor for tensor in right.graph.initializer}
    neutral = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}.get(node.op_type)
    if neutral is not None and len(node.input) == 2 and node.input[1] in held:
        return f"every element of {node.input[1]} is {neutral}" * bool(
            np.all(to_array(held[node.input[1]]) == neutral)
        )
    return "Identity gives what it reads" * (node.op_type == "Identity")


def _shifted(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """What is taken off a plane before it is normalised makes no difference."""
    old, new = _only_node(right, changed)
    if old is None or new is None or {old.op_type, new.op_type} != {"ReduceMean", "ReduceMax"}:
        return ""
    readers = [node for node in right.graph.node if old.output[0] in node.input]
    behind = [node for reader in readers for node in right.graph.node if reader.output[0] in node.input]
    fits = [node.op_type for node in readers] == ["Sub"] and {n.op_type for n in behind} == {
        "InstanceNormalization"
    }
    return "a normalisation takes the mean off itself, whatever constant was taken off before" * fits


def _same_axis(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """Axes exchanged or reversed of which one has a single element."""
    old, new = _only_node(right, changed)
    if old is None or new is None or (old.op_type, new.op_type) != ("Transpose", "Transpose"):
        return ""
    shape = _shape(right, old.input[0])
    if shape is None:
        return ""
    a, b = (_integers(node, "perm", []) for node in (old, new))
    order = [[axis for axis in perm if shape[axis] != 1] for perm in (a, b)]
    sizes = [[shape[axis] for axis in perm] for perm in (a, b)]
    return "only axes of one element are exchanged" * (order[0] == order[1] and sizes[0] == sizes[1])


def _whole_shape(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """Where a shape ends that is asked for to its end."""
    old, new = _only_node(right, changed)
    if old is None or new is None or (old.op_type, new.op_type) != ("Shape", "Shape"):
        return ""
    shape = _shape(right, old.input[0])
    whole = shape is not None and all(_integer(node, "end", len(shape)) >= len(shape) for node in (old, new))
    return "an end behind the last axis is the last axis" * (
        whole and _other(old, ("end",)) == _other(new, ("end",))
    )


def _absent_operand(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A factor of something that is not there."""
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type != "Gemm" or len(old.input) > 2:
        return ""
    return "beta is a factor of C, which is not there" * (_other(old, ("beta",)) == _other(new, ("beta",)))


RULES = (
    _metadata_alone,
    _says_nothing_of_it,
    _commutes,
    _idempotent,
    _same_windows,
    _neutral,
    _shifted,
    _same_axis,
    _whole_shape,
    _absent_operand,
)


def _only_node(right: ModelProto, changed: ModelProto) -> tuple[NodeProto | None, NodeProto | None]:
    """The one node that differs, before and after; None where more than that differs."""
    pairs = list(zip(right.graph.node, changed.graph.node, strict=False))
    different = [(old, new) for old, new in pairs if old != new]
    equal = len(right.graph.node) == len(changed.graph.node) and (
        list(right.graph.initializer) == list(changed.graph.initializer)
    )
    return different[0] if equal and len(different) == 1 else (None, None)


def _fields(node: NodeProto, without: str) -> NodeProto:
    bare = NodeProto()
    bare.CopyFrom(node)
    bare.ClearField(without)
    return bare


def _other(node: NodeProto, names: Sequence[str]) -> Mapping[str, object]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name not in names}


def _integer(node: NodeProto, name: str, usual: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), usual)


def _integers(node: NodeProto, name: str, usual: list[int]) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == name), usual)


def _shape(model: ModelProto, tensor: str) -> list[int | None] | None:
    """The sizes of a tensor, None where one is open; None where nothing is known of it."""
    graph = infer_shapes(model).graph
    for entry in (*graph.input, *graph.value_info, *graph.output):
        if entry.name == tensor:
            return list(_sizes(entry.type.tensor_type.shape.dim))
    return None


def _sizes(dims: Sequence[object]) -> Iterator[int | None]:
    for size in dims:
        yield getattr(size, "dim_value", None) or None


def _spatial(model: ModelProto, tensor: str) -> list[int | None] | None:
    shape = _shape(model, tensor)
    return shape if shape is None else shape[2:]
