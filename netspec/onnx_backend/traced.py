"""Operations without a lowering of their own: their torch module, as torch's exporter writes it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Dim
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Attribute, Emitter, Weights
from netspec.ops.base import Fault, Op

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto

OLDEST = 18  # of the opsets that torch's exporter writes
SAMPLE = 4  # elements along a dimension whose size is open, while the module is traced


class NotExported(Diagnostic):
    """An operation that torch's exporter refuses, or writes in a way that cannot be taken over."""

    code = "NS516"
    message = "{op} has no lowering, and torch cannot export it: {reason}"

    op: str
    reason: str

    @property
    def help(self) -> str:
        return "give its class a method `lower`, which writes it in ONNX's operators"


def lower_by_export(op: Op, graph: Emitter, *inputs: str, weights: Weights) -> str | tuple[str, ...]:
    """Write an operation as torch.onnx.export writes its module, with the layer's own weights.

    Errors: NS516 where that cannot be done.
    """
    name = type(op).__name__
    if graph.opset < OLDEST:
        raise _refused(name, f"it writes opset {OLDEST} and later, not {graph.opset}")
    if "" in inputs:
        raise _refused(name, "an input is left out")
    types = [graph.type(tensor) for tensor in inputs]
    model = _exported(op, name, types, graph.opset)
    return _Inlining(name, model, graph, inputs, weights).run()


def _refused(op: str, reason: str) -> Fault:
    return Fault(NotExported(op=op, reason=reason))


def _exported(op: Op, name: str, types: Sequence[TensorType], opset: int) -> ModelProto:
    import torch
    from onnx import inliner

    from netspec.torch_backend.dtypes import torch_dtype

    module = op.build(*types).eval()
    samples = tuple(
        torch.ones(
            [size if isinstance(size, int) else SAMPLE + axis for axis, size in enumerate(type.known)],
            dtype=torch_dtype(type.dtype),
        )
        for type in types
    )
    open_axes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(type.known) if isinstance(size, Dim)}
        for type in types
    )
    try:
        with warnings.catch_warnings(), _without_torchvision():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                samples,
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=open_axes,
                optimize=False,
                verbose=False,
            )
    except ImportError as error:
        raise _refused(name, f"it needs the package {error.name} (pip install onnxscript)") from error
    except Exception as error:  # the exporter raises what it likes
        raise _refused(name, (str(error).strip() or type(error).__name__).partition("\n")[0]) from error
    assert program is not None
    model: ModelProto = inliner.inline_local_functions(program.model_proto)
    return model


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """In here the exporter does not say that torchvision is missing, an operator a line: nothing needs it."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("torchvision is not installed")

    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)


class _Inlining:
    """Takes the nodes of a model of one layer over into a graph."""

    def __init__(
        self, op: str, model: ModelProto, graph: Emitter, inputs: Sequence[str], weights: Weights
    ) -> None:
        self.op = op
        self.model = model
        self.graph = graph
        self.weights = weights
        given = (entry.name for entry in model.graph.input)
        self.names: dict[str, str] = {"": "", **dict(zip(given, inputs, strict=True))}

    def run(self) -> str | tuple[str, ...]:
        from onnx import numpy_helper

        for tensor in self.model.graph.initializer:
            if tensor.name in self.weights:
                self.names[tensor.name] = self.weights[tensor.name]
            else:
                self.names[tensor.name] = self._constant(numpy_helper.to_array(tensor))
        for node in self.model.graph.node:
            self._node(node)
        outputs = tuple(self.names[entry.name] for entry in self.model.graph.output)
        return outputs[0] if len(outputs) == 1 else outputs

    def _node(self, node: NodeProto) -> None:
        from onnx import numpy_helper

        if node.domain not in ("", "ai.onnx"):
            raise _refused(self.op, f"it is written with {node.domain}::{node.op_type}")
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            self.names[node.output[0]] = self._constant(numpy_helper.to_array(node.attribute[0].t))
            return
        attributes = dict(self._attributes(node))
        inputs = [self.names[name] for name in node.input]
        given = self.graph.nodes(node.op_type, *inputs, outputs=len(node.output), **attributes)
        self.names.update(zip(node.output, given, strict=True))

    def _constant(self, array: np.ndarray[Any, Any]) -> str:
        return self.graph.constant(array.tolist(), DType(array.dtype.name))

    def _attributes(self, node: NodeProto) -> Iterator[tuple[str, Attribute]]:
        for attribute in node.attribute:
            yield attribute.name, self._value(node, attribute)

    def _value(self, node: NodeProto, attribute: AttributeProto) -> Attribute:
        from onnx import AttributeProto

        readers: Mapping[int, Any] = {
            AttributeProto.INT: lambda: attribute.i,
            AttributeProto.FLOAT: lambda: attribute.f,
            AttributeProto.STRING: lambda: attribute.s.decode(),
            AttributeProto.INTS: lambda: list(attribute.ints),
            AttributeProto.FLOATS: lambda: list(attribute.floats),
            AttributeProto.STRINGS: lambda: [item.decode() for item in attribute.strings],
        }
        if attribute.type not in readers:
            raise _refused(self.op, f"the attribute {attribute.name} of {node.op_type} cannot be taken over")
        value: Attribute = readers[attribute.type]()
        return value
