"""Every layer alone: cut out of the file, run on the oracle's input, held against the oracle's output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph, Node, Value
from netspec.ir.tensor import DType
from netspec.onnx_backend.lower import lower
from netspec.onnx_backend.opset import DEFAULT_OPSET, is_known
from netspec.onnx_backend.read import read_model
from netspec.verify.certificate import Judged, LayerErrors, Measurement
from netspec.verify.consistency import opset_of
from netspec.verify.cut import Cut, Cutter
from netspec.verify.engines import open_cut
from netspec.verify.inputs import Batch, Dimensions
from netspec.verify.judgement import longest_mean, typical_scale
from netspec.verify.oracle import Oracle
from netspec.verify.reference import Reference, UnevaluatedError
from netspec.verify.runtime import Lane, RefusedError
from netspec.verify.tolerance import (
    MEAN_TERMS,
    SEMANTIC_BOUND,
    Array,
    Mask,
    allowance,
    is_integer,
    rounding,
    rounding_bound,
    same_masks,
    scaled_errors,
)

INFINITE = float("inf")


@dataclass(frozen=True)
class Layer:
    """A layer with what it must give: `exact` in float64, by tensor of the file.

    `nodes` are it and those before it whose results the file does not have, since they are joined with it.
    `cut` are its nodes in the file, or with those of layers before it; None where they do not hang together.
    """

    nodes: tuple[Node, ...]
    errors: LayerErrors
    cut: Cut | None
    exact: Mapping[str, Array]

    @property
    def node(self) -> Node:
        return self.nodes[-1]


@dataclass(frozen=True)
class _Between:
    """What joined layers hand on, which is no tensor of the file: the layers so far, what the last gives."""

    nodes: tuple[Node, ...]
    exact: Array
    torch32: Array


class Layers:
    """The layers of a file. What each reads is the oracle's value, rounded to the tensor's own type."""

    def __init__(
        self, path: Path, graph: Graph, parameters: Mapping[str, Array], lanes: Sequence[Lane]
    ) -> None:
        model = read_model(path)
        self._graph = graph
        self._lanes = lanes
        self._carriers = _carriers(graph, opset_of(model.message))
        self._cutter = Cutter(model)
        self._dimensions = Dimensions.of(graph)
        self._rough, self._precise = Oracle(graph), Oracle(graph)
        for oracle in (self._rough, self._precise):
            oracle.load(parameters)

    def measure(self, batch: Batch, reach: int = 1) -> Iterator[Layer]:
        """The layers in order; with a `reach` of two or more, each is cut together with those before it."""
        known = {entry.name: np.ascontiguousarray(batch.feeds[entry.name]) for entry in self._graph.inputs}
        held = dict(known)  # by tensor of the file
        between: dict[str, _Between] = {}
        behind: list[list[str]] = []  # the tensors that the last layers gave
        with self._precise.exactly():
            for node in self._graph:
                inner = {value.name: between[value.name] for value in node.inputs if value.name in between}
                nodes = (*dict.fromkeys(n for part in inner.values() for n in part.nodes), node)
                inputs = known | {name: part.exact for name, part in inner.items()}
                exact = self._run(self._precise, node, inputs, batch)
                inputs |= {name: part.torch32 for name, part in inner.items()}
                torch32 = self._run(self._rough, node, inputs, batch)
                places = {
                    self._carriers[value.name]: place
                    for place, value in enumerate(node.outputs)
                    if self._is_given(node, value)
                }
                if places:
                    nearby = {tensor for tensors in behind[len(behind) - reach + 1 :] for tensor in tensors}
                    yield self._layer(nodes, places, exact, torch32, _without(held, nearby), batch)
                    behind.append(list(places))
                for value, array, array32 in zip(node.outputs, exact, torch32, strict=True):
                    if value.name in self._carriers:
                        known[value.name] = _rounded(array, value.type.dtype)
                        held[self._carriers[value.name]] = known[value.name]
                    else:
                        between[value.name] = _Between(nodes, array, array32)

    def _run(self, oracle: Oracle, node: Node, inputs: Mapping[str, Array], batch: Batch) -> list[Array]:
        return oracle.run_layer(node, [inputs[value.name] for value in node.inputs], batch.case.values)

    def _is_given(self, node: Node, value: Value) -> bool:
        """Whether a layer has a tensor of its own for a value: not if it passes its input or a weight on."""
        tensor = self._carriers.get(value.name, "")
        passed = {self._carriers.get(entry.name) for entry in node.inputs}
        owned = {f"{node.owner}.{weight.name}" for weight in node.op.weights(*node.input_types)}
        return bool(tensor) and tensor not in passed | owned and not tensor.startswith(("%", "constant/"))

    def _layer(
        self,
        nodes: tuple[Node, ...],
        places: Mapping[str, int],
        exact: Sequence[Array],
        torch32: Sequence[Array],
        held: Mapping[str, Array],
        batch: Batch,
    ) -> Layer:
        cut = self._cutter.cut({tensor: torch32[place] for tensor, place in places.items()}, held)
        case = batch.case.name
        outputs = {tensor: _Expected(nodes, place, exact, torch32) for tensor, place in places.items()}
        if cut is None:
            reason = "the file does not have all of its nodes"
            worst = Measurement(case, next(iter(places)), INFINITE, SEMANTIC_BOUND)
            judged = [Judged("semantic", None, worst, reason)]
        else:
            judged = [self._semantic(cut, outputs, case)]
            judged += [self._rounding(cut, lane, outputs, batch) for lane in self._lanes]
        name = " + ".join(node.name for node in nodes)
        operations = " + ".join(type(node.op).__name__ for node in nodes)
        errors = LayerErrors(name, operations, nodes[-1].span.line, tuple(judged))
        return Layer(nodes, errors, cut, {tensor: y.exact for tensor, y in outputs.items()})

    def _semantic(self, cut: Cut, outputs: Mapping[str, _Expected], case: str) -> Judged:
        try:
            got = Reference(cut.model(cut.large), cut.weights).run(cut.feeds)
        except UnevaluatedError as error:
            return _refused("semantic", None, case, outputs, error.reason)
        rows = []
        for tensor, expected in outputs.items():
            fault = expected.fault(got[tensor], expected.exact)
            if fault:
                return _refused("semantic", None, case, {tensor: expected}, fault)
            if is_integer(expected.exact):
                continue
            counts = self._dimensions.counts(expected.value.type)
            typical = typical_scale(expected.exact if counts else [expected.exact])
            scaled = scaled_errors(got[tensor], expected.exact, each=counts, typical=typical)
            rows.append(Measurement(case, tensor, scaled, SEMANTIC_BOUND))
        return _worst("semantic", None, case, rows, outputs)

    def _rounding(self, cut: Cut, lane: Lane, outputs: Mapping[str, _Expected], batch: Batch) -> Judged:
        case = batch.case.name
        try:
            got = dict(zip(outputs, open_cut(cut, lane).run(cut.feeds), strict=True))
        except RefusedError as error:
            return _refused("rounding", lane.name, case, outputs, str(error))
        rows = []
        for tensor, expected in outputs.items():
            fault = expected.fault(got[tensor], expected.torch32)
            if fault:
                return _refused("rounding", lane.name, case, {tensor: expected}, fault)
            if is_integer(expected.exact):
                continue
            found = rounding(got[tensor], expected.torch32, expected.exact)
            terms = longest_mean(expected.nodes, batch.case.values)
            units = max(lane.allowance, terms / MEAN_TERMS)
            bound = rounding_bound([found], allowance(expected.value.type.dtype, units))
            rows.append(Measurement(case, tensor, found.error, bound, found.torch_error))
        return _worst("rounding", lane.name, case, rows, outputs)


def _carriers(graph: Graph, opset: int) -> Mapping[str, str]:
    """The tensor of each value; a stranger's file may name an opset that the network cannot be written in."""
    if is_known(opset):
        try:
            return lower(graph, opset).carriers
        except DiagnosticError:
            pass  # the usual opset knows the same names
    return lower(graph, DEFAULT_OPSET).carriers


class _Expected:
    """One output of a layer, or of joined ones, as PyTorch gives it."""

    def __init__(
        self, nodes: Sequence[Node], place: int, exact: Sequence[Array], torch32: Sequence[Array]
    ) -> None:
        self.nodes = nodes
        self.value = nodes[-1].outputs[place]
        self.place = place
        self.exact = exact[place]
        self.torch32 = torch32[place]

    def fault(self, got: Array, like: Array) -> str:
        """What is wrong before any rounding; empty where nothing is."""
        if got.shape != like.shape:
            return f"it gives the shape {got.shape}, not {like.shape}"
        if is_integer(like):
            # What a comparison decides may turn on the rounding of its operands.
            if self.nodes[-1].op.decides(self.place, *self.nodes[-1].input_types) is not None:
                return ""
            wrong: Mask = (got != self.torch32) & (got != self.exact)
            count = int(np.count_nonzero(wrong))
            return f"{count:,} of {got.size:,} integers differ" if count else ""
        return "" if same_masks(got, like) else "NaN or infinity stands at other places"


def _refused(gate: str, lane: str | None, case: str, outputs: Mapping[str, _Expected], reason: str) -> Judged:
    bound = SEMANTIC_BOUND if gate == "semantic" else 0.0
    return Judged(gate, lane, Measurement(case, next(iter(outputs)), INFINITE, bound), reason)


def _worst(
    gate: str, lane: str | None, case: str, rows: Sequence[Measurement], outputs: Mapping[str, _Expected]
) -> Judged:
    """The output that comes nearest to its bound; integers that agree have no error at all."""
    bound = SEMANTIC_BOUND if gate == "semantic" else 0.0
    none = Measurement(case, next(iter(outputs)), 0.0, bound)
    return Judged(gate, lane, max(rows, key=lambda row: row.share, default=none))


def _rounded(array: Array, dtype: DType) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(str(dtype))


def _without(held: Mapping[str, Array], nearby: set[str]) -> Mapping[str, Array]:
    return {tensor: array for tensor, array in held.items() if tensor not in nearby} if nearby else held
