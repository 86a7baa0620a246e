"""Mutants that compute the same as the right file, each with the proof; what has none must be caught."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnx.numpy_helper import to_array
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import infer_shapes

from netspec.ir.graph import Graph
from netspec.verify.tolerance import Array
from tests.verify.mutants.mutations import Mutant
from tests.verify.mutants.windows import WINDOW, WINDOWED, integer, integers, other, same_windows

COMMUTATIVE = ("Add", "Mul", "Max", "Min", "And", "Or", "Equal")
IDEMPOTENT = ("Relu", "Identity", "Round", "Floor", "Ceil", "Abs", "Sign", "Clip", "ScatterElements")
SIZES = "at every size that the tensor can have, by its remainder by the stride"


@dataclass(frozen=True)
class Proof:
    """Why a mutant computes what the right file computes, in one sentence."""

    said: str


def proof(
    mutant: Mutant, right: ModelProto, changed: ModelProto, graph: Graph, *, caught: bool
) -> Proof | None:
    """The first proof that holds; None where there is none. `caught` says whether any gate found it, the one
    that compares the file with what netspec writes among them."""
    if said := _genuine(mutant, caught=caught) or _same_windows(right, changed, graph):
        return Proof(said)
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


def _genuine(mutant: Mutant, *, caught: bool) -> str:
    """A right file of another spec: one that was trained or initialised otherwise, or drops out more."""
    same = mutant.kind == "spec text altered" and not caught
    return "the file is, node by node, what netspec writes for the altered spec" * same


def _commutes(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type not in COMMUTATIVE or old.op_type != new.op_type:
        return ""
    swapped = sorted(old.input) == sorted(new.input) and _fields(old, "input") == _fields(new, "input")
    return f"{old.op_type} commutes" * swapped


def _added_biases(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """The two halves of an LSTM's bias, exchanged: gate by gate it adds one to the other."""
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type != "Concat" or len(old.input) != 2:
        return ""
    if list(old.input) != list(new.input)[::-1] or _fields(old, "input") != _fields(new, "input"):
        return ""
    tensor = old.output[0]
    readers = [node for node in right.graph.node if tensor in node.input]
    while len(readers) == 1 and readers[0].op_type in ("Reshape", "Gather"):
        tensor = readers[0].output[0]
        readers = [node for node in right.graph.node if tensor in node.input]
    read = [(node.op_type, list(node.input).index(tensor)) for node in readers]
    return "an LSTM adds its two biases" * (read == [("LSTM", 3)])


def _idempotent(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A node run twice that maps what it gives onto itself."""
    if mutant.kind != "node doubled":
        return ""
    (node,) = (node for node in right.graph.node if f"{node.name} ({node.op_type})" == mutant.what)
    if node.op_type == "Add" and _is_mask(right, node.input[1]):
        return "minus infinity or nothing added twice is added once"
    if node.op_type in IDEMPOTENT:
        return f"{node.op_type} twice is {node.op_type} once"
    if node.op_type == "Cast":
        return "a cast of what has the type already changes nothing"
    if node.op_type == "Flatten" and integer(node, "axis", 1) in (0, 1):
        return "a matrix flattened is itself"
    if node.op_type.startswith("Global") or (
        node.op_type.startswith("Reduce") and node.op_type != "ReduceSum" and integer(node, "keepdims", 1)
    ):
        return "over one element it is that element"
    if node.op_type == "Expand" or (node.op_type == "Reshape" and not integer(node, "allowzero", 0)):
        return "a tensor of the shape that is asked for keeps it"
    if node.op_type == "Gather":
        index = next((to_array(one) for one in right.graph.initializer if one.name == node.input[1]), None)
        first = index is not None and index.tolist() == [0]
        return "the first of one element is that element" * first
    if node.op_type == "Transpose":
        perm = next(list(a.ints) for a in node.attribute if a.name == "perm")
        return "the permutation is its own square" * ([perm[i] for i in perm] == perm)
    return ""


def _same_windows(right: ModelProto, changed: ModelProto, graph: Graph) -> str:
    """A pool or a convolution that reads the same elements as before."""
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type not in WINDOWED or old.op_type != new.op_type:
        return ""
    bare = [(_fields(node, "attribute"), other(node, WINDOW)) for node in (old, new)]
    alike = bare[0] == bare[1] and same_windows(old, new, right, graph)
    return f"the same windows, all of them inside the tensor, {SIZES}" * alike


def _neutral(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A node that does nothing, since it multiplies by ones, adds zeros or keeps the shape: dropped, run
    twice, or replaced by its inverse."""
    if mutant.kind not in ("node dropped", "node doubled", "node replaced"):
        return ""
    named, _, cousin = mutant.what.partition(" → ")
    (node,) = (node for node in right.graph.node if f"{node.name} ({node.op_type})" == named)
    held = {tensor.name: to_array(tensor) for tensor in right.graph.initializer}
    for one in right.graph.node:  # a tensor in another shape has the same elements
        if one.op_type in ("Reshape", "Transpose") and one.input[0] in held:
            held[one.output[0]] = held[one.input[0]]
    neutral = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}
    if node.op_type in neutral and node.input[1] in held:
        same = neutral[node.op_type] == neutral.get(cousin or node.op_type)
        nothing = same and bool(np.all(held[node.input[1]] == neutral[node.op_type]))
        return f"every element of the operand is {neutral[node.op_type]}" * nothing
    if mutant.kind == "node dropped" and node.op_type == "Reshape" and node.input[1] in held:
        shape, sizes = _shape(right, node.input[0]), held[node.input[1]].tolist()
        kept = shape is not None and len(shape) == len(sizes)
        return "the shape is the one that the tensor has" * bool(
            kept and shape and all(want in (0, have) for want, have in zip(sizes, shape, strict=True))
        )
    return "Identity gives what it reads" * bool(node.op_type == "Identity" and not cousin)


def _shifted(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """What is taken off a plane before it is normalised makes no difference."""
    if mutant.kind not in ("node dropped", "node doubled", "node replaced"):
        return ""
    named, _, cousin = mutant.what.partition(" → ")
    (node,) = (node for node in right.graph.node if f"{node.name} ({node.op_type})" == named)
    readers = [one for one in right.graph.node if node.output[0] in one.input]
    if node.op_type == "ReduceMean" and cousin.startswith("Reduce") and len(readers) == 1:
        (node,) = readers
        readers = [one for one in right.graph.node if node.output[0] in one.input]
    elif node.op_type != "Sub" or cousin not in ("", "Add"):
        return ""
    taken = [one.op_type for one in right.graph.node if node.input[1:] and node.input[1] in one.output]
    fits = taken == ["ReduceMean"] and {one.op_type for one in readers} == {"InstanceNormalization"}
    return "a normalisation takes the mean off itself, whatever was taken off before" * fits


def _same_axis(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """Axes exchanged or reversed of which one has a single element."""
    old, new = _only_node(right, changed)
    if old is None or new is None or (old.op_type, new.op_type) != ("Transpose", "Transpose"):
        return ""
    shape = _shape(right, old.input[0])
    if shape is None:
        return ""
    a, b = (integers(node, "perm", []) for node in (old, new))
    order = [[axis for axis in perm if shape[axis] != 1] for perm in (a, b)]
    sizes = [[shape[axis] for axis in perm] for perm in (a, b)]
    readers = [node.op_type for node in right.graph.node if old.output[0] in node.input]
    same = sizes[0] == sizes[1] or readers == ["Reshape"]
    return "only axes of one element are exchanged" * (order[0] == order[1] and same)


def _same_shapes(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A shape written in another way, read by nothing but Reshape."""
    if mutant.kind != "constant changed":
        return ""
    name = mutant.what.split()[0]
    old, new = (
        next(to_array(t).tolist() for t in model.graph.initializer if t.name == name)
        for model in (right, changed)
    )
    held: dict[str, list[int | None]] = {t.name: list(t.dims) for t in right.graph.initializer}
    for node in right.graph.node:
        if name not in node.input:
            continue
        shape = held.get(node.input[0]) or _shape(right, node.input[0])
        if node.op_type != "Reshape" or node.input[1] != name or not shape or None in shape:
            return ""
        if _resolved(old, shape) != _resolved(new, shape):
            return ""
    return "the tensor gets the same shape"


def _resolved(sizes: Sequence[int], shape: Sequence[int | None]) -> list[int]:
    """The shape that Reshape makes of one."""
    known = [size for size in shape if size is not None]
    copied = [known[axis] if size == 0 and axis < len(known) else size for axis, size in enumerate(sizes)]
    given = math.prod(size for size in copied if size != -1)
    return [math.prod(known) // max(1, given) if size == -1 else size for size in copied]


def _dead(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """What no output needs: the nodes that the outputs do need are the same."""
    needed = [_needed(model, [entry.name for entry in model.graph.output]) for model in (right, changed)]
    same = needed[0] == needed[1] and list(right.graph.initializer) == list(changed.graph.initializer)
    interface = right.graph.output == changed.graph.output and right.graph.input == changed.graph.input
    return "no output needs the node" * (same and interface and right.graph.node != changed.graph.node)


def _needed(model: ModelProto, tensors: Sequence[str]) -> list[NodeProto]:
    """The nodes behind tensors, in their order."""
    wanted, found = set(tensors), []
    for node in reversed(model.graph.node):
        if wanted & {*node.output}:
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _decided_alike(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """Truth values that only masks decide, tried for every mask of a row of four."""
    models = (right, changed)
    masks = {e.name for e in right.graph.input if e.type.tensor_type.elem_type == TensorProto.BOOL}
    decided = [
        node.output[0]
        for node in right.graph.node
        if node.op_type == "Less" and all(_from_masks(model, node.output[0], masks) for model in models)
    ]
    behind = [_needed(model, decided) for model in models]
    rest = [
        [node for node in model.graph.node if node not in part]
        for model, part in zip(models, behind, strict=True)
    ]
    if not decided or rest[0] != rest[1]:
        return ""
    ours, theirs = ({t.name: t for t in model.graph.initializer} for model in models)
    moved = {name for name in ours if ours[name] != theirs.get(name)}
    alone = {name for node in behind[0] for name in node.output} ^ {
        name for node in behind[1] for name in node.output
    }
    if (moved | alone) & {name for node in rest[0] for name in node.input}:
        return ""
    rows = np.array(list(itertools.product([False, True], repeat=4)))
    for tensor in decided:
        a, b = (_run(model, _needed(model, [tensor]), tensor, masks, rows) for model in models)
        if not np.array_equal(a, b):
            return ""
    return "the threshold lies between minus infinity and what is open, whatever the mask is"


def _from_masks(model: ModelProto, tensor: str, masks: Collection[str]) -> bool:
    """Whether nothing but masks and constants is behind a tensor."""
    behind = _needed(model, [tensor])
    held = {entry.name for entry in model.graph.initializer}
    made = {name for node in behind for name in node.output}
    return bool(behind) and {name for node in behind for name in node.input} - held - made <= {*masks}


def _is_mask(model: ModelProto, tensor: str) -> bool:
    """Whether a tensor is minus infinity or zero, whatever the mask is that it comes from."""
    masks = {e.name for e in model.graph.input if e.type.tensor_type.elem_type == TensorProto.BOOL}
    if not _from_masks(model, tensor, masks):
        return False
    behind = _needed(model, [tensor])
    rows = np.array(list(itertools.product([False, True], repeat=4)))
    return set(_run(model, behind, tensor, masks, rows).ravel().tolist()) <= {0.0, -np.inf}


def _run(
    model: ModelProto, nodes: Sequence[NodeProto], output: str, masks: Collection[str], rows: Array
) -> Array:
    entries = [entry for entry in model.graph.input if entry.name in masks]
    needed = {name for node in nodes for name in node.input}
    held = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    result = helper.make_tensor_value_info(output, TensorProto.BOOL, None)
    graph = helper.make_graph(list(nodes), "decision", entries, [result], held)
    made = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    (decided,) = list(ReferenceEvaluator(made).run(None, {entry.name: rows for entry in entries}))
    return np.asarray(decided)


def _whole_shape(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """Where a shape ends that is asked for to its end."""
    old, new = _only_node(right, changed)
    if old is None or new is None or (old.op_type, new.op_type) != ("Shape", "Shape"):
        return ""
    shape = _shape(right, old.input[0])
    whole = shape is not None and all(integer(node, "end", len(shape)) >= len(shape) for node in (old, new))
    return "an end behind the last axis is the last axis" * (
        whole and other(old, ("end",)) == other(new, ("end",))
    )


def _absent_operand(mutant: Mutant, right: ModelProto, changed: ModelProto) -> str:
    """A factor of something that is not there."""
    old, new = _only_node(right, changed)
    if old is None or new is None or old.op_type != "Gemm" or len(old.input) > 2:
        return ""
    return "beta is a factor of C, which is not there" * (other(old, ("beta",)) == other(new, ("beta",)))


RULES = (
    _metadata_alone,
    _commutes,
    _added_biases,
    _idempotent,
    _neutral,
    _shifted,
    _same_axis,
    _whole_shape,
    _same_shapes,
    _dead,
    _decided_alike,
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
