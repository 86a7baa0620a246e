"""What runs a file, or a part of it, as a lane says: onnxruntime, or the standard's own definition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from onnx import ModelProto

from netspec.ir.graph import Graph
from netspec.ir.tensor import DType
from netspec.onnx_backend.read import read_model
from netspec.verify.cut import Cut
from netspec.verify.reference import NarrowReference, UnevaluatedError
from netspec.verify.runtime import Lane, RefusedError, Session, lanes
from netspec.verify.tolerance import Array

REFERENCE = Lane("reference", "onnx.reference", 4)
"""The standard's definition, node by node, every result rounded: for types that lack a runtime."""


class Engine(Protocol):
    """A file, loaded."""

    nodes: Counter[str]

    @property
    def elsewhere(self) -> int:
        """Nodes that another provider runs than the lane's."""

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs, in the file's order."""


def lanes_of(graph: Graph) -> tuple[Lane, ...]:
    """The lanes that a network is judged on: onnxruntime's CPU provider has no kernels for bfloat16."""
    return (REFERENCE,) if has_bfloat16(graph) else lanes()


def has_bfloat16(graph: Graph) -> bool:
    """Whether any tensor of a network is of bfloat16."""
    given = (entry.value for entry in graph.inputs)
    return any(
        value.type.dtype is DType.BFLOAT16
        for value in (*given, *(value for node in graph for value in node.outputs))
    )


def open_file(path: Path, lane: Lane) -> Engine:
    """A file as a lane runs it.

    Errors: RefusedError.
    """
    if lane.provider != REFERENCE.provider:
        return Session(path, lane)
    model = read_model(path)
    return _Defined(model.message, model.initializers)


def open_cut(cut: Cut, lane: Lane) -> Engine:
    """A part of a file as a lane runs it; large initializers stay where they lie.

    Errors: RefusedError.
    """
    model = cut.model(cut.large)
    if lane.provider != REFERENCE.provider:
        return Session(model.SerializeToString(), lane, cut.large)
    return _Defined(model, cut.weights)


class _Defined:
    """A model by the standard's definition, as if it were a runtime."""

    elsewhere = 0

    def __init__(self, model: ModelProto, weights: Mapping[str, Array]) -> None:
        self.nodes = Counter({REFERENCE.provider: len(model.graph.node)})
        try:
            self._reference = NarrowReference(model, weights)
        except UnevaluatedError as error:
            raise RefusedError(str(error)) from error

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        try:
            return list(self._reference.run(feeds).values())
        except UnevaluatedError as error:
            raise RefusedError(str(error)) from error
