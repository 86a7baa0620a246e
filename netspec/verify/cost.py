"""What running a stranger's graph would cost, from its shapes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from onnx import ModelProto, shape_inference

from netspec.diagnostics import Diagnostic, printable
from netspec.ir.graph import Graph
from netspec.verify.inputs import Dimensions, bindings

NODES = 16  # times as many as the spec has layers, and SPARE more
SPARE = 64
ELEMENTS = 32  # times as many in all tensors as the spec's layers have, and SPARE_ELEMENTS more
SPARE_ELEMENTS = 2**22


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
    reason = _too_many(model, values, ELEMENTS * own + SPARE_ELEMENTS)
    return None if reason is None else TooCostlyToRun(reason=reason)


def _own(graph: Graph, values: Mapping[str, int]) -> int:
    tensors = [*(entry.value for entry in graph.inputs), *(v for node in graph for v in node.outputs)]
    return sum(math.prod(value.type.bind(values)) for value in tensors)


def _too_many(model: ModelProto, values: Mapping[str, int], allowed: int) -> str | None:
    bound = ModelProto()
    bound.CopyFrom(model)
    del bound.graph.value_info[:]
    for entry in bound.graph.input:
        for size in entry.type.tensor_type.shape.dim:
            if size.dim_param in values:
                size.dim_value = values[size.dim_param]
    for entry in bound.graph.output:
        entry.type.tensor_type.ClearField("shape")
    try:
        inferred = shape_inference.infer_shapes(bound, data_prop=True).graph
    except (shape_inference.InferenceError, ValueError) as error:
        return f"the shapes of its tensors cannot be told ({printable(str(error).splitlines()[0][:100])})"
    sizes = {entry.name: entry.type.tensor_type for entry in (*inferred.value_info, *inferred.output)}
    total = 0
    for node in model.graph.node:
        for name in filter(None, node.output):
            tensor = sizes.get(name)
            known = tensor is not None and tensor.HasField("shape")
            if not known or not all(size.HasField("dim_value") for size in tensor.shape.dim):
                return f"how large {printable(name)} is cannot be told beforehand"
            total += math.prod(max(0, size.dim_value) for size in tensor.shape.dim)
            if total > allowed:
                return f"its tensors up to {printable(name)} have {total:,} elements, where its spec explains {allowed:,}"
    return None
