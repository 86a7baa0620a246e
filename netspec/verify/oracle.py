"""The network in PyTorch, on the weights of the file: its shapes, its float32 outputs, its exact outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netspec.ir.graph import Graph, Node, Value
from netspec.ir.tensor import DType, evaluate
from netspec.torch_backend.build import build
from netspec.torch_backend.dtypes import array_of, tensor_of, torch_dtype
from netspec.torch_backend.weights import load
from netspec.verify.decisions import Answer, Watch
from netspec.verify.tolerance import Array

TensorShape = tuple[tuple[int, ...], str]


class Oracle:
    """The module of a graph, without weights until `load` gives it some.

    It is built on the meta device, so that it owns no memory: its parameters become views of the arrays
    that it is given.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._module = build(graph, device="meta", parametrized=False).eval()
        self._watch = Watch(graph, self._module)
        self._is_exact = False

    def shapes(self, values: Mapping[str, int]) -> list[TensorShape]:
        """Shape and dtype of every output where the symbols have these values; nothing is computed."""
        feeds = [
            torch.empty(
                entry.value.type.bind(values), dtype=torch_dtype(entry.value.type.dtype), device="meta"
            )
            for entry in self._graph.inputs
        ]
        with torch.no_grad():
            outputs = _several(self._module(*feeds))
        return [(tuple(y.shape), str(y.dtype).removeprefix("torch.")) for y in outputs]

    def load(self, weights: Mapping[str, Array]) -> None:
        """Take the weights by the names of the state dict, without copying them."""
        load(self._module, weights)

    def run(self, feeds: Sequence[Array]) -> Answer:
        """The outputs in the dtypes of the network."""
        return self._run([_view(feed) for feed in feeds])

    def run_exact(self, feeds: Sequence[Array]) -> Answer:
        """The outputs in float64. Call it inside `exactly`."""
        return self._run([_wide(_view(feed)) for feed in feeds])

    def _run(self, feeds: Sequence[Tensor]) -> Answer:
        self._watch.clear()
        with torch.no_grad():
            outputs = [array_of(y.detach()) for y in _several(self._module(*feeds))]
        return Answer(outputs, self._watch.taken())

    @contextmanager
    def shown(self, show: Callable[[str, Array], None]) -> Iterator[None]:
        """In here what every layer gives is shown, by the name of the value, as soon as it is known."""
        with self._hooked(lambda nodes: _show(nodes, show)):
            yield

    @contextmanager
    def changed(self, change: Callable[[Value, Tensor], Tensor]) -> Iterator[None]:
        """In here what every layer gives of real numbers is replaced before the next layer reads it."""
        with self._hooked(lambda nodes: _change(nodes, change)):
            yield

    @contextmanager
    def _hooked(self, made: Callable[[Sequence[Node]], Any]) -> Iterator[None]:
        """In here every module has the hook made for its layers, in the order in which they call it."""
        known = dict(self._module.named_modules())
        calls: dict[str, list[Node]] = {}  # layers that share a module call it in the order of the graph
        for node in self._graph:
            calls.setdefault(node.owner, []).append(node)
        hooks = [known[owner].register_forward_hook(made(nodes)) for owner, nodes in calls.items()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def run_layer(self, node: Node, inputs: Sequence[Array], values: Mapping[str, int]) -> list[Array]:
        """The outputs of one layer alone where the symbols have these values; in float64 inside `exactly`."""
        given = [_view(array) for array in inputs]
        if self._is_exact:
            given = [_wide(tensor) for tensor in given]
        sizes = {
            argument: tuple(evaluate(size, values) for size in shape)
            for argument, shape in node.op.sizes(*node.input_types).items()
        }
        with torch.no_grad():
            outputs = self._module.get_submodule(node.owner)(*node.arranged(given, None), **sizes)
        return [array_of(y.detach()) for y in _several(outputs)]

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """In here the module computes in float64, on weights and real arguments rounded as the file's are.

        One layer at a time is widened, for as long as it runs, so that float64 costs the memory of the
        largest layer and not of the network.
        """
        layers = _layers(self._module, [node.name for node in self._graph])
        arguments = _round_arguments(self._graph, self._module)
        exact = _with_rounded_constants(self._graph, self._module)
        hooks = []
        for layer in layers:
            narrow: list[tuple[Tensor, Tensor]] = []
            hooks.append(layer.register_forward_pre_hook(_widen(narrow)))
            hooks.append(layer.register_forward_hook(_restore(narrow), always_call=True))
        self._is_exact = True
        try:
            yield
        finally:
            self._is_exact = False
            for hook in hooks:
                hook.remove()
            for module, name, value in arguments:
                setattr(module, name, value)
            for module in exact:
                del module.forward


def _several(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _view(array: Array) -> Tensor:
    # What has no dimensions keeps none: numpy would give it one.
    return tensor_of(array if array.flags.c_contiguous else np.ascontiguousarray(array))


def _wide(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _layers(module: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """The modules that are widened: the graph's layers, and whatever owns tensors outside of them.

    A layer is widened as a whole since it may read its parts' tensors without calling them.
    """
    known = dict(module.named_modules())
    layers = [known[name] for name in names if name in known]
    inside = {id(part) for layer in layers for part in layer.modules()}
    outside = (
        part
        for part in module.modules()
        if id(part) not in inside and (part._parameters or part._buffers) and not part._modules
    )
    return [*dict.fromkeys(layers), *outside]


def _show(nodes: Sequence[Node], show: Callable[[str, Array], None]) -> Any:
    called = cycle(nodes)

    def hook(_: nn.Module, __: object, result: Any) -> None:
        for value, tensor in zip(next(called).outputs, _several(result), strict=True):
            if tensor.is_floating_point():
                show(value.name, array_of(tensor.detach()))

    return hook


def _change(nodes: Sequence[Node], change: Callable[[Value, Tensor], Tensor]) -> Any:
    called = cycle(nodes)

    def hook(_: nn.Module, __: object, result: Any) -> Any:
        changed = tuple(
            change(value, tensor) if tensor.is_floating_point() else tensor
            for value, tensor in zip(next(called).outputs, _several(result), strict=True)
        )
        return changed if isinstance(result, tuple) else changed[0]

    return hook


def _widen(narrow: list[tuple[Tensor, Tensor]]) -> Any:
    def hook(layer: nn.Module, _: object) -> None:
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                narrow.append((tensor, tensor.data))
                tensor.data = tensor.data.double()

    return hook


def _restore(narrow: list[tuple[Tensor, Tensor]]) -> Any:
    def hook(*_: object) -> None:
        for tensor, data in narrow:
            tensor.data = data
        narrow.clear()

    return hook


def _round_arguments(graph: Graph, module: nn.Module) -> list[tuple[nn.Module, str, object]]:
    """Round every real argument of every layer as the file does; returns what they were.

    ONNX's attributes are float32; a constant that meets a tensor has the tensor's element type.
    """
    known = dict(module.named_modules())
    found: list[tuple[nn.Module, str, object]] = []
    for node in graph:
        dtype = _element_type(node) if node.op.writes_constants else DType.FLOAT32
        for part in known[node.owner].modules():
            for name, value in tuple(vars(part).items()):
                if isinstance(value, float) and (rounded := _rounded(value, dtype)) != value:
                    found.append((part, name, value))
                    setattr(part, name, rounded)
    return found


def _element_type(node: Node) -> DType:
    """The type of the real numbers that a layer computes with: what compares them gives truth values."""
    types = (node.output.type.dtype, *(value.type.dtype for value in node.inputs))
    return next((dtype for dtype in types if dtype.is_floating), DType.FLOAT32)


def _with_rounded_constants(graph: Graph, module: nn.Module) -> list[nn.Module]:
    """Give the layers whose torch module has inexact constants inside a forward that has them rounded."""
    known = dict(module.named_modules())
    found: list[nn.Module] = []
    for node in graph:
        if node.shares is not None:
            continue
        layer = known[node.name]
        forward = node.op.exact(layer, node.output.type.dtype)
        if forward is not None:
            layer.forward = forward
            found.append(layer)
    return found


def _rounded(value: float, dtype: DType) -> float:
    return float(np.dtype(str(dtype)).type(value))
