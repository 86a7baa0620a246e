"""Inside a network: what its layers give in the file, beside what they give in PyTorch, both in float64.

What a layer gets wrong need not reach an output: a scale of 1e-6 behind it, or a normalisation, hides it.
Tensors between layers are named as in the spec, so that they can be compared where they arise. Of each
sample a few hundred elements are kept, so that this costs no memory to speak of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph, Node, Value
from netspec.onnx_backend.lower import lower
from netspec.verify.tolerance import FAINT, SEMANTIC_BOUND, Array, largest

KEPT = 512  # elements of a sample
NO_SCALES = np.zeros(0)
CANCELLED = 1e-3  # of what a layer reads; what is smaller may be left of terms that cancel


class LayerDiffers(Diagnostic):
    """In exact arithmetic a layer's tensor in the file is another than in the network."""

    code = "NS594"
    message = (
        "{tensor}, between layers, is off by {error:.1e} of its largest value, where exact arithmetic allows "
        "{bound:.0e} ({case})"
    )

    tensor: str
    case: str
    error: float
    bound: float = SEMANTIC_BOUND


@dataclass(frozen=True)
class Sketch:
    """A tensor in short: its shape, max|y| of each sample, and elements of each, (N, at most KEPT)."""

    shape: tuple[int, ...]
    scales: NDArray[np.float64]
    elements: Array


@dataclass
class Inside:
    """The tensors between layers: `expect` them of PyTorch, then `compare` the file's, by case."""

    graph: Graph
    opset: int
    _expected: dict[tuple[str, str], Sketch] = field(default_factory=dict)
    _errors: dict[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lowered = lower(self.graph, self.opset)
        self._places: dict[str, tuple[Node, Value]] = {}
        self._tensors: dict[str, str] = {}  # by the name of the value
        outputs = {entry.name for entry in self.graph.outputs}  # they are judged as a whole
        for node in self.graph:
            for value in node.outputs:
                # Between joined layers the file has no tensor: kept for what the next layer reads.
                tensor = lowered.carriers.get(value.name, "")
                if value.name not in lowered.carriers:
                    self._tensors[value.name] = value.name
                known = tensor in outputs or tensor in self._places
                if tensor in lowered.types and not known and value.type.dtype.is_floating:
                    self._places[tensor] = node, value
                    self._tensors[value.name] = tensor
        self._inputs = {entry.name for entry in self.graph.inputs}

    def expect(self, case: str, value: str, array: Array) -> None:
        """Keep what PyTorch gives for a value, or an input."""
        if value in self._tensors or value in self._inputs:
            self._expected[case, self._tensors.get(value, value)] = self._sketch(value, array)

    def forget(self) -> None:
        """Forget what was compared, before another file is."""
        self._errors.clear()

    def compare(self, case: str, tensor: str, array: Array) -> None:
        """Hold a tensor of the file against the value that it is named for."""
        expected = self._expected.get((case, tensor))
        if expected is None or tensor not in self._places:
            return
        node, value = self._places[tensor]
        got = self._sketch(value.name, array, scaled=False)
        if got.shape != expected.shape:
            self._errors[case, tensor] = float("inf")
            return
        self._errors[case, tensor] = _error(got, expected, self._floor(case, node))

    def fault(self) -> Diagnostic | None:
        """The first tensor, in the order of the network, that is another."""
        for tensor, (node, _) in self._places.items():
            for (case, name), error in self._errors.items():
                if name == tensor and not error <= SEMANTIC_BOUND:
                    return LayerDiffers(tensor=tensor, case=case, error=error).at(node.span)
        return None

    def _floor(self, case: str, node: Node) -> float:
        """Below which a layer's result may be nothing but what rounding leaves of what it reads."""
        read = [self._expected.get((case, self._tensors.get(v.name, v.name))) for v in node.inputs]
        return CANCELLED * max((float(s.scales.max(initial=0.0)) for s in read if s is not None), default=0.0)

    def _sketch(self, value: str, array: Array, *, scaled: bool = True) -> Sketch:
        whole = array.astype(np.float64, copy=False)
        rows = whole.reshape(len(whole), -1) if whole.ndim and len(whole) else whole.reshape(1, -1)
        scales = np.array([_scale(row) for row in rows]) if scaled else NO_SCALES
        if rows.shape[1] > KEPT:
            # Drawn by the value's name, so that both sides keep the same ones.
            draw = np.random.default_rng([crc32(value.encode()), rows.shape[1]])
            rows = rows[:, draw.integers(0, rows.shape[1], KEPT)]
        return Sketch(array.shape, scales, rows)


def _scale(row: NDArray[np.float64]) -> float:
    """max|y| of a sample's finite elements; as a rule all are, so that no copy is needed to tell."""
    scale = max(float(row.max(initial=0.0)), -float(row.min(initial=0.0)))
    return scale if np.isfinite(scale) else largest(row, np.isfinite(row))


def _error(got: Sketch, expected: Sketch, floor: float) -> float:
    """The largest error of a sample, as a part of its largest value; infinite where masks differ."""
    a, b = got.elements, expected.elements
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    difference = np.subtract(a, b, out=np.zeros_like(b), where=finite)
    errors = np.max(np.abs(difference), axis=1, initial=0.0)
    typical = float(np.median(expected.scales)) if len(expected.scales) else 0.0
    scales = np.maximum(expected.scales, max(FAINT * typical, floor))
    return float(np.max(np.divide(errors, scales, out=np.zeros_like(errors), where=errors > 0), initial=0.0))
