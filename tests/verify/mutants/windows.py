"""The windows of convolutions and pools: which elements each of them reads, at every size of a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from onnx import ModelProto, NodeProto, helper

from netspec.ir.graph import Graph

WINDOWED = ("Conv", "MaxPool", "AveragePool", "LpPool")
WINDOW = ("kernel_shape", "strides", "pads", "dilations", "ceil_mode", "auto_pad", "count_include_pad")
REMAINDERS = 32  # admissible sizes that are tried where one is open; more than any stride divides
FIRST = 64  # from which on they are tried


def same_windows(old: NodeProto, new: NodeProto, model: ModelProto, graph: Graph) -> bool:
    """Whether two nodes read the same elements for every element they give, and count none beside them."""
    for sizes in _sizes_of(graph, old.input[0], len(_kernel(old, model))):
        for axis, size in enumerate(sizes):
            ours, theirs = (_windows(node, axis, len(sizes), size, model) for node in (old, new))
            if ours != theirs or any(tap is None for window in ours for tap in window):
                return False
    return True


def _windows(
    node: NodeProto, axis: int, rank: int, size: int, model: ModelProto
) -> list[tuple[int | None, ...]]:
    """For each element of the result along an axis the places that it reads; None stands for padding."""
    kernel = _kernel(node, model)[axis]
    strides, dilations = (integers(node, name, [1] * rank) for name in ("strides", "dilations"))
    pads = integers(node, "pads", [0] * (2 * rank))
    before, after = pads[axis], pads[axis + rank]
    span = dilations[axis] * (kernel - 1) + 1
    room = size + before + after - span
    step = strides[axis]
    count = (-(-room // step) if integer(node, "ceil_mode", 0) else room // step) + 1
    windows = []
    for start in range(-before, -before + count * step, step):
        if integer(node, "ceil_mode", 0) and start >= size + before:
            break
        taps = [start + dilations[axis] * tap for tap in range(kernel)]
        windows.append(tuple(tap if 0 <= tap < size else None for tap in taps))
    return windows


def _kernel(node: NodeProto, model: ModelProto) -> list[int]:
    given = integers(node, "kernel_shape", [])
    if given:
        return given
    return next(list(t.dims)[2:] for t in model.graph.initializer if t.name == node.input[1])


def _sizes_of(graph: Graph, tensor: str, rank: int) -> Iterator[Sequence[int]]:
    """A tensor's sizes behind batch and channels, at as many sizes of the inputs as tell remainders apart.

    Of a tensor inside a layer nothing is known, so that any sizes are tried.
    """
    values = [*(entry.value for entry in graph.inputs), *(v for node in graph for v in node.outputs)]
    types = {value.name: value.type for value in values}
    for place in range(REMAINDERS):
        sizes = {
            name: bounds.multiple_of * (-(-FIRST // bounds.multiple_of) + place)
            for name, bounds in graph.bounds.items()
        }
        yield types[tensor].bind(sizes)[2:] if tensor in types else [FIRST + place] * rank


def integer(node: NodeProto, name: str, usual: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), usual)


def integers(node: NodeProto, name: str, usual: list[int]) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == name), usual)


def other(node: NodeProto, names: Sequence[str]) -> Mapping[str, object]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name not in names}
