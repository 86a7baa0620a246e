"""One operation's file in onnxruntime and in the reference, and what torch says that they must give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime import GraphOptimizationLevel
from torch import Tensor

from netspec.ir.graph import Graph, Node
from netspec.onnx_backend.export import export
from netspec.verify.reference import Reference
from netspec.verify.tolerance import ROUNDING_FACTOR, SEMANTIC_BOUND, largest, same_masks, scaled_error
from tests.ops.cases import Array, Case, run, with_weights

LARGE = 1e3  # inputs of this size make what an exponential or a large sum overflows visible
ALLOWANCE = 4 * 2.0**-24  # of max|y|, where torch happens to round less
ALIKE = 7  # further inputs that say how torch rounds, where on the first it did so by luck


def tensors(feeds: Sequence[Array]) -> list[Tensor]:
    """Copies of arrays, as torch takes them."""
    return [torch.from_numpy(feed.copy()) for feed in feeds]


def refused_by_torch(case: Case) -> str | None:
    """What torch says against a case; None where it takes it."""
    try:
        run(case.module(), tensors(case.feeds()))
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"
    return None


@dataclass(frozen=True)
class File:
    """An exported file, read back."""

    model: onnx.ModelProto

    def session(self, optimised: bool) -> onnxruntime.InferenceSession:
        """onnxruntime on one thread, with all of its graph optimisations or none."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        levels = GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
        content = self.model.SerializeToString()
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def reference(self) -> Reference:
        """The standard's own meaning, in float64."""
        weights = {entry.name: numpy_helper.to_array(entry) for entry in self.model.graph.initializer}
        return Reference(self.model, weights)


def exported(graph: Graph, weights: Mapping[str, Array], path: Path, opset: int) -> File:
    """The graph as a file, which onnx's checker passes."""
    export(graph, weights, path, opset=opset)
    onnx.checker.check_model(str(path), full_check=True)
    return File(onnx.load(path))


class Fault(NamedTuple):
    """What an engine's output has wrong: its shape or type, or numbers beyond what a gate grants."""

    kind: Literal["shape", "rounding", "function"]
    text: str


@dataclass(frozen=True)
class Expected:
    """What torch makes of some inputs: in float32, in float64, and how large the terms of its sums are."""

    case: Case
    node: Node
    weights: Mapping[str, Array]
    scale: float
    feeds: dict[str, Array]
    torch32: list[Array]
    exact: list[Array]
    magnitudes: list[float]

    @classmethod
    def of(
        cls, case: Case, node: Node, weights: Mapping[str, Array], scale: float, seed: int = 0
    ) -> Expected:
        feeds = case.feeds(seed, scale)
        narrow = tensors(feeds)
        wide = [x.double() if x.is_floating_point() else x for x in narrow]
        rounded = with_weights(case.module(as_exported=True), weights).double()
        compared = case.compared(node)
        torch32 = run(with_weights(case.module(), weights), narrow)
        exact = run(rounded, wide)
        forward = node.op.exact(rounded, node.output.type.dtype)
        if forward is not None:
            plain, rounded.forward = exact, forward
            exact = run(rounded, wide)
            # It rounds the constants inside, and changes nothing else.
            assert all(scaled_error(y.numpy(), z.numpy()) < 1e-6 for y, z in zip(exact, plain, strict=True))
        # Where a sum cancels, its rounding is to be measured by its terms: all of them with one sign.
        positive = {name: np.abs(a) * (-1 if name.endswith("mean") else 1) for name, a in weights.items()}
        numbers = {name: abs(case.arguments[name]) for name in ("other", "alpha") if name in case.arguments}
        terms = replace(case, arguments={**case.arguments, **numbers}).module(as_exported=True)
        feeds_of_terms = [x.abs() if x.is_floating_point() else x for x in wide]
        sums = run(with_weights(terms, positive).double(), feeds_of_terms)
        return cls(
            case,
            node,
            weights,
            scale,
            dict(zip(case.inputs, feeds, strict=True)),
            [torch32[place].numpy() for place in compared],
            [exact[place].numpy() for place in compared],
            [max(_magnitude(exact[place].numpy()), _magnitude(sums[place].numpy())) for place in compared],
        )

    def faults_of_runtime(self, got: Sequence[Array]) -> Iterator[Fault]:
        """Integers that are not exact, real numbers that rounding does not explain."""
        for place, (a, b, y) in enumerate(zip(got, self.torch32, self.exact, strict=True)):
            if (a.dtype, a.shape) != (b.dtype, b.shape):
                yield Fault("shape", f"y{place} is {a.dtype}{a.shape}, not {b.dtype}{b.shape}")
            elif a.dtype.kind != "f":
                if not np.array_equal(a, b):
                    yield Fault("rounding", f"y{place}: {np.count_nonzero(a != b)} of {a.size} differ")
            elif not same_masks(a, b):
                yield Fault("rounding", f"y{place}: NaN or infinity at other places")
            else:
                error = _error(a, y)
                if error <= self._bound(place):
                    continue
                bound = max(one._bound(place) for one in (self, *self._alike()))
                if not error <= bound:
                    yield Fault("rounding", f"y{place}: off by {error:.1e}, rounding explains {bound:.1e}")

    def _bound(self, place: int) -> float:
        """How far off an output may be, by how torch rounds it."""
        of_torch = _error(self.torch32[place], self.exact[place])
        return ROUNDING_FACTOR * max(of_torch, ALLOWANCE * self.magnitudes[place])

    def _alike(self) -> Iterator[Expected]:
        """The same on other inputs of the same sizes: the gate judges several together, too."""
        for seed in range(1, ALIKE + 1):
            yield Expected.of(self.case, self.node, self.weights, self.scale, seed)

    def faults_of_reference(self, got: Sequence[Array]) -> Iterator[Fault]:
        """All that is not exact: nothing is rounded to float32 on the way."""
        for place, (a, y) in enumerate(zip(got, self.exact, strict=True)):
            if a.shape != y.shape:
                yield Fault("shape", f"y{place} is {a.shape} by the standard, not {y.shape}")
            elif a.dtype.kind != "f":
                if not np.array_equal(a, y):
                    differ = np.count_nonzero(a != y)
                    yield Fault("function", f"y{place}: {differ} of {a.size} differ by the standard")
            elif not same_masks(a, y):
                yield Fault("function", f"y{place}: NaN or infinity at other places by the standard")
            elif not (error := scaled_error(a, y)) <= SEMANTIC_BOUND:
                yield Fault("function", f"y{place}: off by {error:.1e} of its largest value by the standard")


def _error(got: Array, exact: Array) -> float:
    """max|got - exact|, where both are finite."""
    finite = np.isfinite(got) & np.isfinite(exact)
    with np.errstate(invalid="ignore"):
        return largest(np.where(finite, got - exact, 0), finite)


def _magnitude(array: Array) -> float:
    return largest(array, np.isfinite(array))
