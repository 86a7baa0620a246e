"""Whether torch and onnxruntime answer alike over a whole data set, ties within rounding aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph
from netspec.train.data.examples import Examples, Stream
from netspec.train.evaluation import batches_of, run_exactly
from netspec.verify.judgement import longest_mean
from netspec.verify.runtime import CPU, CUDA
from netspec.verify.tolerance import (
    MEAN_TERMS,
    Array,
    allowance,
    largest,
    rounding,
    rounding_bound,
    same_masks,
)

SAMPLED = 32  # examples that are computed in float64


class PredictionsDiffer(Diagnostic):
    """The file answers otherwise than the trained network, where rounding does not explain it."""

    code = "NS497"
    message = (
        "{count:,} of {size:,} predictions of the file are not PyTorch's: example {example} is class {got} "
        "and not {expected}, whose outputs are {gap:.1e} apart, where rounding explains {bound:.1e}"
    )

    count: int
    size: int
    example: int
    got: int
    expected: int
    gap: float
    bound: float


class OutputsApart(Diagnostic):
    """The file's numbers are further from the trained network's than rounding explains."""

    code = "NS499"
    message = "the file's outputs are up to {error:.1e} from PyTorch's, where rounding explains {bound:.1e}"

    error: float
    bound: float


class Agreement(NamedTuple):
    """How far the two are apart.

    `compared` counts predictions, by example, pixel or token, or numbers where targets are no classes;
    `differ` those that differ, `ties` those of them between classes so near that rounding decides. `error` is
    the largest difference of two outputs, and `bound` what rounding explains.
    """

    compared: int
    differ: int
    ties: int
    error: float
    bound: float
    problems: tuple[Diagnostic, ...]


def agree(
    graph: Graph,
    weights: Mapping[str, Array],
    data: Examples | Stream,
    by_torch: Array,
    by_onnx: Array,
    *,
    output: int = 0,
    on_cuda: bool = False,
) -> Agreement:
    """Compare outputs (N, K, ...) of torch, `on_cuda` or not, and of onnxruntime for the same data.

    Each may be off by what the rounding gate grants an engine, measured on a few examples in float64; so two
    classes are a tie where torch has them at most twice that apart. Numbers, too, may differ so much.
    """
    bound = 2 * _bound(graph, weights, data, by_torch, output, on_cuda=on_cuda)
    error = _difference(by_torch, by_onnx)
    if data.targets.dtype.kind not in "iu":
        apart = () if error <= bound else (OutputsApart(error=error, bound=bound),)
        return Agreement(by_torch.size, 0, 0, error, bound, apart)
    expected, got = by_torch.argmax(axis=1), by_onnx.argmax(axis=1)
    differing = expected != got
    scores = np.moveaxis(by_torch, 1, -1)[differing]
    rows = np.arange(len(scores))
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = scores[rows, expected[differing]] - scores[rows, got[differing]]
        ties = gaps <= bound
    problems: tuple[Diagnostic, ...] = ()
    if not ties.all():
        worst = int(np.argmax(np.where(ties, -np.inf, np.nan_to_num(gaps, nan=np.inf))))
        problems = (
            PredictionsDiffer(
                count=int(np.count_nonzero(~ties)),
                size=expected.size,
                example=int(np.nonzero(differing)[0][worst]),
                got=int(got[differing][worst]),
                expected=int(expected[differing][worst]),
                gap=float(gaps[worst]),
                bound=bound,
            ),
        )
    return Agreement(expected.size, len(rows), int(np.count_nonzero(ties)), error, bound, problems)


def _bound(
    graph: Graph,
    weights: Mapping[str, Array],
    data: Examples | Stream,
    by_torch: Array,
    output: int,
    *,
    on_cuda: bool,
) -> float:
    """How far from the exact output either of the two may be.

    torch's error is that of torch on the CPU with the weights of the file, so that outputs of another network
    do not excuse themselves.
    """
    chosen = np.unique(np.linspace(0, len(data) - 1, min(SAMPLED, len(data))).round().astype(np.int64))
    part = data.part(chosen)
    single, exact = run_exactly(graph, weights, part, output=output)
    measured = rounding(single, single, exact)
    measured = replace(measured, scale=max(measured.scale, largest(by_torch, np.isfinite(by_torch))))
    terms = longest_mean(graph, _values(graph, part))
    units = max(CUDA.allowance if on_cuda else CPU.allowance, terms / MEAN_TERMS)
    return rounding_bound([measured], allowance(graph.outputs[output].value.type.dtype, units))


def _values(graph: Graph, data: Examples | Stream) -> Mapping[str, int]:
    """The symbolic dimensions' values that the data have."""
    feeds = next(batches_of(graph, data.part(np.arange(1)), 1)).inputs
    return {
        str(size): length
        for entry in graph.inputs
        for size, length in zip(entry.value.type.known, feeds[entry.name].shape, strict=True)
        if str(size) in graph.bounds
    }


def _difference(a: Array, b: Array) -> float:
    """max|a - b|; infinite where NaN or infinities stand at other places."""
    if not same_masks(a, b):
        return float("inf")
    finite = np.isfinite(a)
    return largest(np.subtract(a, b, out=np.zeros(a.shape, np.float64), where=finite), finite)
