"""The emitted graph evaluated in float64 by onnx.reference: the standard's own meaning of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper
from onnx.helper import make_tensor_value_info, tensor_dtype_to_np_dtype
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import infer_shapes

from netspec.verify.reference_ops import OVERRIDES
from netspec.verify.tolerance import Array

FLOATING = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


class UnevaluatedError(Exception):
    """A node that the reference cannot evaluate, and why."""

    def __init__(self, node: NodeProto, reason: str) -> None:
        super().__init__(f"{node.op_type} {node.name}: {reason}")
        self.node = node
        self.reason = reason


class Reference:
    """A model whose every real number is float64: inputs, initializers, constants, the targets of casts.

    Attributes stay as they are, rounded to float32 by the format. One node is evaluated at a time;
    an initializer is cast when a node reads it, and a tensor is freed behind its last reader.
    """

    computed: ClassVar[int] = TensorProto.DOUBLE

    def __init__(self, model: ModelProto, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._opsets = {entry.domain: entry.version for entry in model.opset_import}
        self._nodes = [_computing_in(self.computed, node) for node in model.graph.node]
        self._evaluators = [self._evaluator(node) for node in self._nodes]
        self._outputs = [entry.name for entry in model.graph.output]

    def _evaluator(self, node: NodeProto) -> ReferenceEvaluator:
        """The evaluator of a graph of one node, with the operator's version that the model asks for."""

        def untyped(name: str) -> ValueInfoProto:
            return make_tensor_value_info(name, TensorProto.UNDEFINED, None)

        inputs = [untyped(name) for name in dict.fromkeys(node.input) if name]
        outputs = [untyped(name) for name in node.output if name]
        graph = GraphProto(name=node.name, node=[node], input=inputs, output=outputs)
        try:
            return ReferenceEvaluator(graph, opsets=self._opsets, new_ops=list(OVERRIDES))
        except Exception as error:
            raise UnevaluatedError(node, _first_line(error)) from error

    def run(
        self, feeds: Mapping[str, Array], show: Callable[[str, Array], None] | None = None
    ) -> dict[str, Array]:
        """The outputs by name for inputs by name; every tensor is shown as soon as it is known."""
        tensors = {name: self._widened(feed) for name, feed in feeds.items()}
        waiting = Counter(name for node in self._nodes for name in set(node.input))
        waiting.update(self._outputs)
        with np.errstate(all="ignore"):
            for node, evaluator in zip(self._nodes, self._evaluators, strict=True):
                try:
                    reads = {name: self._value(name, tensors) for name in node.input if name}
                    given = evaluator.run(None, reads)
                except Exception as error:
                    raise UnevaluatedError(node, _first_line(error)) from error
                for name, tensor in zip(evaluator.output_names, given, strict=True):
                    tensors[name] = self._kept(name, tensor)
                    if show is not None:
                        show(name, tensors[name])
                waiting.subtract(set(node.input))
                for name in (*node.input, *node.output):
                    if not waiting[name]:
                        tensors.pop(name, None)
        return {name: self._output(name, tensors) for name in self._outputs}

    def _output(self, name: str, tensors: Mapping[str, Array]) -> Array:
        try:
            return self._value(name, tensors)
        except LookupError as error:
            raise UnevaluatedError(NodeProto(name=name, op_type="an output"), str(error)) from error

    def _value(self, name: str, tensors: Mapping[str, Array]) -> Array:
        if name in tensors:
            return tensors[name]
        if name in self._weights:
            return self._widened(self._weights[name])
        raise LookupError(f"nothing gives the tensor {name}")

    def _widened(self, array: Array) -> Array:
        return _widened(array, self.computed)

    def _kept(self, name: str, tensor: Array) -> Array:
        """What becomes of a tensor that a node gives."""
        return tensor


class NarrowReference(Reference):
    """A model in its own element types, as kernels do it that add in float32: every result is rounded.

    It stands in for runtimes where there is none: onnxruntime's CPU provider knows no bfloat16.
    """

    computed = TensorProto.FLOAT

    def __init__(self, model: ModelProto, weights: Mapping[str, Array]) -> None:
        super().__init__(model, weights)
        inferred = infer_shapes(model).graph
        typed = (*inferred.value_info, *inferred.output)
        self._types = {entry.name: entry.type.tensor_type.elem_type for entry in typed}

    def run(
        self, feeds: Mapping[str, Array], show: Callable[[str, Array], None] | None = None
    ) -> dict[str, Array]:
        """The outputs by name for inputs by name, in the types that the file declares."""
        given = super().run(feeds, show)
        return {name: tensor.astype(self._type(name, tensor)) for name, tensor in given.items()}

    def _kept(self, name: str, tensor: Array) -> Array:
        if tensor.dtype.kind != "f":
            return tensor
        return self._widened(tensor.astype(self._type(name, tensor)))

    def _type(self, name: str, tensor: Array) -> np.dtype[Any]:
        known = self._types.get(name, TensorProto.UNDEFINED)
        return tensor.dtype if known == TensorProto.UNDEFINED else tensor_dtype_to_np_dtype(known)


def _first_line(error: Exception) -> str:
    text = str(error.__cause__ or error).strip() or type(error).__name__
    return text.splitlines()[0]


def _widened(array: Array, computed: int) -> Array:
    return array.astype(tensor_dtype_to_np_dtype(computed)) if array.dtype.kind not in "iub" else array


def _computing_in(computed: int, node: NodeProto) -> NodeProto:
    """The node with its own constants and cast targets widened."""
    wide = NodeProto()
    wide.CopyFrom(node)
    for attribute in wide.attribute:
        if attribute.type == AttributeProto.TENSOR and attribute.t.data_type in FLOATING:
            array = numpy_helper.to_array(attribute.t)
            attribute.t.CopyFrom(numpy_helper.from_array(_widened(array, computed)))
        elif wide.op_type == "Cast" and attribute.name == "to" and attribute.i in FLOATING:
            attribute.i = computed
    if wide.op_type == "Constant" and wide.attribute[0].name in ("value_float", "value_floats"):
        attribute = wide.attribute[0]
        reals = attribute.f if attribute.name == "value_float" else list(attribute.floats)
        tensor = numpy_helper.from_array(np.array(reals, tensor_dtype_to_np_dtype(computed)))
        attribute.CopyFrom(AttributeProto(name="value", type=AttributeProto.TENSOR, t=tensor))
    return wide
