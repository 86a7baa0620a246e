"""Linear and the normalisation behind it, written as the pair that runtimes make one product of.

onnxruntime folds a BatchNormalization into the Conv or the MatMul before it when it loads a file, but not
into a Gemm, whose bias it would have to change. So that bias is taken off the running mean instead:

    y = Gemm(x, W, b),   BatchNormalization(y, ..., mean = m)
    z = MatMul(x, W^T),  BatchNormalization(z, ..., mean = m - b)

The weights stay in the file as they are, and what is computed of them alone is computed once, at loading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, count

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
        types: of the tensors that layers give.
        kept: the tensors that must stay, whoever reads them: the outputs.
    """
    readers = Counter(tensor for node in emitter.emitted for tensor in node.inputs)
    products = {node.outputs[0]: node for node in emitter.emitted if _is_linear(node)}
    pairs = {
        id(products[y]): node
        for node in emitter.emitted
        if _is_normalisation(node) and (y := node.inputs[0]) in products
        if readers[y] == 1 and y not in kept and y in types and types[y].dtype in _WIDE
    }
    gone, taken = set(), set(names.values())
    emitted, emitter.emitted = emitter.emitted, []
    for node in emitted:
        if id(node) in pairs:
            gone.add(node.outputs[0])
            _join(emitter, node, pairs[id(node)], names, taken)
        else:
            emitter.emitted.append(node)
    return gone


# A layer of a plugin may have written either in another way, which is left alone.


def _is_linear(node: Emitted) -> bool:
    return node.op_type == "Gemm" and node.attributes == {"transB": 1} and _are_weights(node.inputs[1:])


def _is_normalisation(node: Emitted) -> bool:
    is_plain = node.attributes.keys() == {"epsilon"} and len(node.outputs) == 1
    return node.op_type == "BatchNormalization" and is_plain and _are_weights(node.inputs[1:])


def _are_weights(tensors: Sequence[str]) -> bool:
    return not any(tensor.startswith("%") for tensor in tensors)


def _join(
    emitter: Emitter, gemm: Emitted, norm: Emitted, names: dict[str, str], taken: Collection[str]
) -> None:
    x, weight, *bias = gemm.inputs

    def added(layer: str, op_type: str, *inputs: str, **attributes: list[int]) -> str:
        tensor, stem = emitter.node(op_type, *inputs, **attributes), f"{layer}/{op_type}"
        numbered = (f"{stem}_{number}" for number in count(2))
        name = next(name for name in chain([stem], numbered) if name not in taken)
        names[tensor] = emitter.emitted[-1].name = name
        return tensor

    transposed = added(gemm.name, "Transpose", weight, perm=[1, 0])
    product = added(gemm.name, "MatMul", x, transposed)
    *others, mean, variance = norm.inputs[1:]
    if bias:
        mean = added(norm.name, "Sub", mean, *bias)
    norm.inputs = (product, *others, mean, variance)
