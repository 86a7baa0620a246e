"""The semantic and rounding gates' verdicts on what the engines gave."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph, Node
from netspec.ir.tensor import TensorType, evaluate
from netspec.verify.certificate import Gate, Measurement, Verdict
from netspec.verify.decisions import Answer, Decided, decided_outputs
from netspec.verify.inputs import Batch, Dimensions
from netspec.verify.rerounding import Rerounding
from netspec.verify.runtime import Lane
from netspec.verify.signal import Outputs, Signal, samples_of
from netspec.verify.tolerance import (
    MEAN_TERMS,
    ROUNDING_FACTOR,
    SEMANTIC_BOUND,
    Array,
    Mask,
    Rounding,
    allowance,
    is_integer,
    largest,
    rounding,
    rounding_bound,
    same_masks,
    scaled_errors,
)

AROUND_ONE = ("normal", "uniform", "zeros", "ones")  # kinds of inputs of magnitude 1 or less


class FunctionDiffers(Diagnostic):
    """In exact arithmetic the file computes another function than the network."""

    code = "NS530"
    message = (
        "the file computes another function than the network: {output} is off by {error:.1e} of its largest "
        "value, where exact arithmetic allows {bound:.0e} ({case})"
    )

    output: str
    case: str
    error: float
    bound: float


class RoundingExceeds(Diagnostic):
    """An engine's result is further from the exact one than rounding explains."""

    code = "NS531"
    message = "{engine} is off by {error:.1e} in {output}, where rounding explains {bound:.1e} ({case})"

    engine: str
    output: str
    case: str
    error: float
    bound: float


class MasksDiffer(Diagnostic):
    """NaN or an infinity stands in one engine's output and not in the other's."""

    code = "NS532"
    message = "NaN or infinity stands at other places in {output} of {engine} than in PyTorch's ({case})"

    engine: str
    output: str
    case: str


class IntegersDiffer(Diagnostic):
    """An output of whole numbers is not PyTorch's, nor one that rounding may make of it."""

    code = "NS533"
    message = "{count:,} of {size:,} integers in {output} of {engine} differ from PyTorch's ({case})"

    engine: str
    output: str
    case: str
    count: int
    size: int


class ShapesDiffer(Diagnostic):
    """The standard's own shape of an output is not the network's."""

    code = "NS534"
    message = "by the ONNX standard {output} is {got}, but the network gives {expected} ({case})"

    output: str
    case: str
    expected: str
    got: str


def judge_semantic(
    graph: Graph,
    batches: Sequence[Batch],
    exact: Sequence[Answer],
    reference: Sequence[Mapping[str, Array]],
    signal: Signal,
) -> Gate:
    """The graph by the standard against the module, both in float64, per output and per sample."""
    dimensions = Dimensions.of(graph)
    decided = decided_outputs(graph)
    measured: list[Measurement] = []
    problems: list[Diagnostic] = []
    every = [answer.outputs for answer in exact]
    typical = [
        typical_scale(samples_of(output, dimensions, every, i)) for i, output in enumerate(graph.outputs)
    ]
    for batch, answer, given in zip(batches, exact, reference, strict=True):
        case = batch.case.name
        for output, y, scale in zip(graph.outputs, answer.outputs, typical, strict=True):
            got = given[output.name]
            if got.shape != y.shape:
                problems.append(
                    ShapesDiffer(output=output.name, case=case, expected=str(y.shape), got=str(got.shape))
                )
                continue
            if is_integer(y):
                wrong = got != y
                if (rule := decided.get(output.name)) is not None and wrong.any():
                    operands = answer.operands[output.name]
                    bounds = [SEMANTIC_BOUND * largest(x, np.isfinite(x)) for x in operands]
                    wrong &= ~rule.excused(got, y, operands, rule.slack(bounds))
                problems.extend(_integers("the ONNX reference", output.name, case, wrong))
                continue
            if not same_masks(got, y):
                engine = "the ONNX reference"
                problems.append(MasksDiffer(engine=engine, output=output.name, case=case))
                continue
            error = scaled_errors(got, y, each=dimensions.counts(output.value.type), typical=scale)
            measured.append(Measurement(case, output.name, error, SEMANTIC_BOUND))
            if not error <= SEMANTIC_BOUND and not signal.is_noise64(output, got, y):
                problems.append(
                    FunctionDiffers(output=output.name, case=case, error=error, bound=SEMANTIC_BOUND)
                )
    facts = {"samples in float64": sum(batch.samples for batch in batches)}
    verdict = Verdict.FAILED if problems else Verdict.INCONCLUSIVE if signal.noise else Verdict.PASSED
    return Gate("semantic", verdict, facts, tuple(measured), tuple(problems))


def typical_scale(samples: Iterable[Array]) -> float:
    """max|y| of the sample in the middle, by it; of two the fainter, so that large inputs do not decide."""
    scales = sorted(largest(y, np.isfinite(y)) for y in samples)
    return scales[(len(scales) - 1) // 2] if scales else 0.0


def judge_rounding(
    graph: Graph,
    lane: Lane,
    batches: Sequence[Batch],
    got: Outputs,
    torch32: Sequence[Answer],
    exact: Sequence[Answer],
    signal: Signal,
    rerounding: Rerounding | None = None,
) -> Gate:
    """An engine's float32 results against float64, beside torch's own, per output and per case.

    Cases share a bound, as `_alike` says. A long mean raises what is granted in any case. Where an engine is
    over its bound, `rerounding` tells how far rounding can carry the network on that case.
    """
    measured: list[Measurement] = []
    problems: list[Diagnostic] = []
    terms = max(longest_mean(graph, batch.case.values) for batch in batches)
    units = max(lane.allowance, terms / MEAN_TERMS)
    decided = decided_outputs(graph)
    for position, output in enumerate(graph.outputs):
        compared: dict[str, Rounding] = {}
        for batch, ours, theirs, precise in zip(batches, got, torch32, exact, strict=True):
            case = batch.case.name
            y, y32, y64 = ours[position], theirs.outputs[position], precise.outputs[position]
            if is_integer(y32):
                # Where float32 and float64 decide a comparison differently, either is right.
                wrong = (y != y32) & (y != y64)
                if (rule := decided.get(output.name)) is not None and wrong.any():
                    slack = _slack(rule, output.name, case, batches, torch32, exact, units)
                    wrong &= ~rule.excused(y, y64, precise.operands[output.name], slack)
                problems.extend(_integers(engine_of(lane), output.name, case, wrong))
            elif not same_masks(y, y32):
                problems.append(MasksDiffer(engine=engine_of(lane), output=output.name, case=case))
            else:
                compared[case] = rounding(y, y32, y64)
        granted = allowance(output.value.type.dtype, units)
        for case, errors in compared.items():
            alike = [compared[name] for name in _alike(case, batches) if name in compared]
            bound = rounding_bound(alike, granted)
            row = Measurement(case, output.name, errors.error, bound, torch_error=errors.torch_error)
            is_over = not row.error <= bound and not signal.is_noise(output, row.error)
            # Looking takes time: one case that rounding does not explain is enough.
            if is_over and rerounding is not None and not problems and math.isfinite(row.error):
                number = [batch.case.name for batch in batches].index(case)
                wanted = row.error / ROUNDING_FACTOR
                reached = rerounding.reach(batches[number], exact[number], position, units, wanted)
                bound = max(bound, ROUNDING_FACTOR * reached)
                row = replace(row, bound=bound, rerounded_error=reached)
            measured.append(row)
            if not row.error <= bound and not signal.is_noise(output, row.error):
                problems.append(
                    RoundingExceeds(
                        engine=engine_of(lane), output=output.name, case=case, error=row.error, bound=bound
                    )
                )
    real = sum(batch.samples for batch in batches if batch.case.kind == "samples")
    facts = {"drawn inputs": sum(batch.samples for batch in batches) - real}
    if real:
        facts["real samples"] = real
    verdict = Verdict.FAILED if problems else signal.verdict
    return Gate(
        "rounding", verdict, facts, tuple(measured), tuple(problems), lane=lane.name, provider=lane.provider
    )


def failed_gate(gates: Sequence[Gate]) -> Gate | None:
    """The first gate that compared numbers and failed, or that an engine refused to run."""
    compared = [gate for gate in gates if gate.name != "consistency"]
    for verdict in (Verdict.FAILED, Verdict.NOT_RUN):
        for gate in compared:
            if gate.verdict is verdict and (verdict is Verdict.FAILED or gate.lane is not None):
                return gate
    return None


def goes_wrong(got: Array, torch32: Array, exact: Array, bound: float | None) -> bool:
    """Whether one output of one case is wrong by a bound; None where it was never compared as numbers."""
    if got.shape != torch32.shape or got.dtype != torch32.dtype:
        return True
    if is_integer(torch32):
        return bool(np.any((got != torch32) & (got != exact)))
    if not same_masks(got, torch32):
        return True
    return bound is not None and not rounding(got, torch32, exact).error <= bound


def engine_of(lane: Lane) -> str:
    """What messages call the engine of a lane."""
    return f"onnxruntime ({lane.name})" if lane.provider.endswith("ExecutionProvider") else lane.provider


def longest_mean(nodes: Iterable[Node], values: Mapping[str, int]) -> int:
    """Of how many elements the largest window is that a layer without weights takes a mean or maximum of, or
    the longest sum that a layer says it has."""
    longest = 1
    for node in nodes:
        longest = max(longest, evaluate(node.op.terms(*node.input_types), values))
        if not node.op.weights(*node.input_types):
            read = max((_elements(value.type, values) for value in node.inputs), default=0)
            longest = max(longest, read // max(1, _elements(node.output.type, values)))
    return longest


def _elements(type: TensorType, values: Mapping[str, int]) -> int:
    return math.prod(type.bind(values))


def _alike(case: str, batches: Sequence[Batch]) -> list[str]:
    """The cases that share a bound with one: those of its kind, and all that are drawn around 1, since what
    they may be off by is granted to larger inputs too."""
    kinds = {batch.case.name: batch.case.kind for batch in batches}
    return [name for name, kind in kinds.items() if kind in (*AROUND_ONE, kinds[case])]


def _slack(
    rule: Decided,
    output: str,
    case: str,
    batches: Sequence[Batch],
    torch32: Sequence[Answer],
    exact: Sequence[Answer],
    units: float,
) -> float:
    """How far apart operands may be that an engine takes for equal, from how torch rounds them in float32."""
    alike = _alike(case, batches)
    bounds = []
    for place, operand in enumerate(rule.operands):
        compared = []
        for batch, theirs, precise in zip(batches, torch32, exact, strict=True):
            if batch.case.name in alike:
                x32, x64 = theirs.operands[output][place], precise.operands[output][place]
                compared.append(rounding(x32, x32, x64))
        bounds.append(rounding_bound(compared, allowance(operand.type.dtype, units)))
    return rule.slack(bounds)


def _integers(engine: str, output: str, case: str, wrong: Mask) -> list[Diagnostic]:
    count = int(np.count_nonzero(wrong))
    if not count:
        return []
    return [IntegersDiffer(engine=engine, output=output, case=case, count=count, size=wrong.size)]
