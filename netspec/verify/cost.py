"""What running a stranger's graph would cost, from its shapes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto
from onnx.helper import make_tensor_value_info
from onnx.numpy_helper import from_array, to_array
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import InferenceError, infer_shapes

from netspec.diagnostics import Diagnostic, printable
from netspec.ir.graph import Graph
from netspec.verify.consistency import UNFORESEEN
from netspec.verify.inputs import Dimensions, bindings

NODES = 16  # times as many as the spec has layers, and SPARE more
SPARE = 64
ELEMENTS = 16  # times as many in all tensors as the spec's layers have, and SPARE_ELEMENTS more
SPARE_ELEMENTS = 2**28  # what attention keeps between its parts is the square of a layer's output
ROUNDS = 4  # of shapes that depend on shapes
FEW = 64  # elements of a tensor that holds sizes
ON_SIZES = (
    "Gather", "Slice", "Concat", "Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Neg", "Squeeze",
    "Unsqueeze", "Reshape", "Identity", "ReduceProd", "ReduceSum",
)  # fmt: skip
SHOWN = 100  # characters of what inference complains of


class TooCostlyToRun(Diagnostic):
    """A file that netspec did not write as it stands, and that would take more than its spec explains."""

    code = "NS593"
    message = "the file is not run: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "do not trust this file; if it is your own, export it again"


def too_costly(model: ModelProto, graph: Graph, seed: int) -> Diagnostic | None:
    """Why a file is not run that its spec does not vouch for; None where it costs about what the spec says.

    Its tensors' shapes are inferred at sizes that the gates would run it at. A tensor whose size cannot be
    told beforehand may have any.
    """
    allowed = NODES * len(graph.nodes) + SPARE
    if len(model.graph.node) > allowed:
        reason = f"it has {len(model.graph.node):,} nodes, where its spec explains {allowed:,} at the most"
        return TooCostlyToRun(reason=reason)
    dimensions = Dimensions.of(graph)
    choices = bindings(graph, seed) if dimensions.has_others else [dimensions.values(7)]
    values = max(choices, key=lambda values: _own(graph, values))
    own = _own(graph, values)
    found = _too_many(model, values, ELEMENTS * own + SPARE_ELEMENTS)
    return None if found is None else TooCostlyToRun(reason=found)


def _own(graph: Graph, values: Mapping[str, int]) -> int:
    tensors = [*(entry.value for entry in graph.inputs), *(v for node in graph for v in node.outputs)]
    return sum(math.prod(value.type.bind(values)) for value in tensors)


def _too_many(model: ModelProto, values: Mapping[str, int], allowed: int) -> str | None:
    """What is too large in a model whose symbols have these values, in words."""
    bound = _bound(model, values)
    known: dict[str, tuple[int, ...]] = {}
    for _ in range(ROUNDS):
        try:
            known = _shapes(bound)
        except (InferenceError, *UNFORESEEN) as error:
            first = (str(error).splitlines() or [""])[0]
            return f"the shapes of its tensors cannot be told ({printable(first[:SHOWN])})"
        if all(name in known for node in bound.graph.node for name in node.output if name):
            break
        _fold(bound, known)
    total = 0
    for node in bound.graph.node:
        for name in filter(None, node.output):
            if name not in known:
                return f"how large {printable(name)} is cannot be told beforehand"
            total += math.prod(known[name])
            if total > allowed:
                told = f"its tensors up to {printable(name)} have {total:,} elements"
                return f"{told}, where its spec explains {allowed:,}"
    return None


def _bound(model: ModelProto, values: Mapping[str, int]) -> ModelProto:
    """The model with sizes in place of its inputs' symbols, and no claims about any other shape."""
    bound = ModelProto()
    bound.CopyFrom(model)
    del bound.graph.value_info[:]
    for entry in bound.graph.input:
        for size in entry.type.tensor_type.shape.dim:
            if size.dim_param in values:
                size.dim_value = values[size.dim_param]
    for entry in bound.graph.output:
        entry.type.tensor_type.ClearField("shape")
    return bound


def _shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors that are known in full."""
    inferred = infer_shapes(model, data_prop=True).graph
    known = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    for entry in (*inferred.input, *inferred.value_info, *inferred.output):
        tensor = entry.type.tensor_type
        if tensor.HasField("shape") and all(size.HasField("dim_value") for size in tensor.shape.dim):
            known[entry.name] = tuple(max(0, size.dim_value) for size in tensor.shape.dim)
    return known


def _fold(model: ModelProto, known: Mapping[str, tuple[int, ...]]) -> None:
    """Compute what is computed of shapes, in place: inference follows few operators that do."""
    held = {
        tensor.name: to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.INT64 and math.prod(tensor.dims) <= FEW and tensor.raw_data
    }
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    for node in model.graph.node:
        read = [name for name in node.input if name]
        if node.op_type == "Shape" and read[0] in known:
            start, end = (next((a.i for a in node.attribute if a.name == n), None) for n in ("start", "end"))
            held[node.output[0]] = np.array(known[read[0]][start:end], np.int64)
        elif node.op_type in ON_SIZES and all(name in held for name in read):
            graph = GraphProto(name="sizes", node=[node])
            graph.input.extend(make_tensor_value_info(name, TensorProto.INT64, None) for name in {*read})
            graph.output.add(name=node.output[0])
            try:
                (result,) = ReferenceEvaluator(graph, opsets=opsets).run(None, {n: held[n] for n in read})
            except Exception:  # whatever a stranger's node makes the reference raise: it stays unknown
                continue
            if isinstance(result, np.ndarray | np.integer) and np.size(result) <= FEW:
                held[node.output[0]] = np.asarray(result, np.int64)
    made = {node.output[0] for node in model.graph.node if node.output and node.output[0] in held}
    kept = [node for node in model.graph.node if not (node.output and node.output[0] in made)]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(from_array(held[name], name) for name in made)
