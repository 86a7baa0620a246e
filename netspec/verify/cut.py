"""Layers cut out of an exported file: the nodes between tensors that are known and those wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype

from netspec.onnx_backend.digest import octets
from netspec.onnx_backend.read import Model
from netspec.verify.tolerance import Array

EXTERNAL_SMALLEST = 1024  # bytes; smaller initializers lie in the cut itself


class Cutter:
    """Cuts a file at its tensors' names. The nodes are the file's own, with whatever is wrong in them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._giver = {name: node for node in model.message.graph.node for name in node.output if name}
        self._place = {id(node): place for place, node in enumerate(model.message.graph.node)}

    def gives(self, tensor: str) -> bool:
        """Whether a node of the file gives this tensor."""
        return tensor in self._giver

    def cut(self, outputs: Mapping[str, Array], known: Mapping[str, Array]) -> Cut | None:
        """The nodes that give `outputs`, back to tensors that are known; None where something is missing.

        The arrays of `outputs` say what type and shape they should have.
        """
        nodes: dict[int, NodeProto] = {}
        inputs: dict[str, None] = {}
        weights: dict[str, Array] = {}
        waiting, seen = list(outputs), set(outputs)
        while waiting:
            tensor = waiting.pop()
            if tensor in known and tensor not in outputs:
                inputs[tensor] = None
            elif tensor in self._giver:
                node = self._giver[tensor]
                nodes[self._place[id(node)]] = node
                fresh = [name for name in node.input if name and name not in seen]
                seen.update(fresh)
                waiting += fresh
            elif tensor in self._model.initializers:
                weights[tensor] = self._model.initializers[tensor]
            else:
                return None
        ordered = [nodes[place] for place in sorted(nodes)]
        return Cut(self._model.message, ordered, {name: known[name] for name in inputs}, outputs, weights)


class Cut:
    """A part of a file as a model of its own: `feeds` are its inputs, `weights` its initializers."""

    def __init__(
        self,
        whole: ModelProto,
        nodes: Sequence[NodeProto],
        feeds: Mapping[str, Array],
        outputs: Mapping[str, Array],
        weights: Mapping[str, Array],
    ) -> None:
        self._whole = whole
        self._nodes = nodes
        self.feeds = feeds
        self.outputs = outputs
        self.weights = weights

    def model(self, external: Collection[str] = ()) -> ModelProto:
        """The model; of initializers that are `external` it holds the shapes alone."""
        model = ModelProto(ir_version=self._whole.ir_version, producer_name="netspec")
        model.opset_import.extend(self._whole.opset_import)
        graph = model.graph
        graph.name = next(iter(self.outputs))
        graph.node.extend(self._nodes)
        graph.input.extend(_typed(name, array) for name, array in self.feeds.items())
        graph.output.extend(_typed(name, array) for name, array in self.outputs.items())
        for name, array in self.weights.items():
            tensor = graph.initializer.add(
                name=name, data_type=np_dtype_to_tensor_dtype(array.dtype), dims=array.shape
            )
            if name in external:
                tensor.data_location = TensorProto.EXTERNAL
                for key, value in ("location", "memory"), ("offset", "0"), ("length", str(array.nbytes)):
                    tensor.external_data.add(key=key, value=value)
            else:
                tensor.raw_data = bytes(octets(array))
        return model

    @property
    def large(self) -> Mapping[str, Array]:
        """The initializers that are better left where they lie."""
        return {name: array for name, array in self.weights.items() if array.nbytes >= EXTERNAL_SMALLEST}


def _typed(name: str, array: Array) -> ValueInfoProto:
    return make_tensor_value_info(name, np_dtype_to_tensor_dtype(array.dtype), array.shape)
