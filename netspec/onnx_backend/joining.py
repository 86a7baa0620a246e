"""Linear and the normalisation behind it, written as the pair that runtimes make one product of.

onnxruntime folds a BatchNormalization into the Conv or the MatMul before it when it loads a file, but not
into a Gemm, whose bias it would have to change. So that bias is taken off the running mean instead:

    y = Gemm(x, W, b),   BatchNormalization(y, ..., mean = m)
    z = MatMul(x, W^T),  BatchNormalization(z, ..., mean = m - b)

The weights stay in the file as they are, and what is computed of them alone is computed once, at loading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Emitted, Emitter

# The sum of a Gemm is rounded once. Half types would lose what the bias takes off a large product.
_WIDE = (DType.FLOAT32, DType.FLOAT64)


def join_normalised(
    emitter: Emitter, names: dict[str, str], types: Mapping[str, TensorType], kept: Collection[str]
) -> set[str]:
    """Rewrite the pairs among the emitted nodes, and return the tensors that are no longer there.

    Args:
        emitter: its nodes are rewritten in place.
        names: of the nodes' tensors; those of new ones are added.
        types: of the tensors that have one.
        kept: the tensors that must stay, whoever reads them: the outputs.
    """
    readers = Counter(tensor for node in emitter.emitted for tensor in node.inputs)
    givers = {
        node.outputs[0]: node
        for node in emitter.emitted
        if node.op_type == "Gemm" and not any(tensor.startswith("%") for tensor in node.inputs[1:])
    }
    gone = set()
    emitted, emitter.emitted = emitter.emitted, []
    pairs = {
        id(givers[y]): node
        for node in emitted
        if node.op_type == "BatchNormalization" and (y := node.inputs[0]) in givers
        if readers[y] == 1 and y not in kept and types[y].dtype in _WIDE
    }
    for node in emitted:
        if id(node) in pairs:
            gone.add(node.outputs[0])
            _join(emitter, node, pairs[id(node)], names)
        else:
            emitter.emitted.append(node)
    return gone


def _join(emitter: Emitter, gemm: Emitted, norm: Emitted, names: dict[str, str]) -> None:
    x, weight, *bias = gemm.inputs

    def added(layer: str, op_type: str, *inputs: str, **attributes: list[int]) -> str:
        tensor = emitter.node(op_type, *inputs, **attributes)
        names[tensor] = emitter.emitted[-1].name = f"{layer}/{op_type}"
        return tensor

    transposed = added(gemm.name, "Transpose", weight, perm=[1, 0])
    product = added(gemm.name, "MatMul", x, transposed)
    *others, mean, variance = norm.inputs[1:]
    if bias:
        mean = added(norm.name, "Sub", mean, *bias)
    norm.inputs = (product, *others, mean, variance)
