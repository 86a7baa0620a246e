"""The semantic and rounding gates' verdicts on what the engines gave."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph, GraphOutput
from netspec.ir.tensor import DType, TensorType, evaluate
from netspec.verify.certificate import Gate, Measurement, Verdict
from netspec.verify.decisions import Answer, Decided, Mask, decided_outputs
from netspec.verify.inputs import Batch, Dimensions
from netspec.verify.runtime import Lane
from netspec.verify.tolerance import (
    MEAN_TERMS,
    ROUNDING_FACTOR,
    SEMANTIC_BOUND,
    UNIT_ROUNDOFF,
    VARIATION_BOUND,
    Array,
    Rounding,
    is_integer,
    largest,
    rounding,
    rounding_bound,
    same_masks,
    scaled_error,
    variation,
)

AROUND_ONE = ("normal", "uniform", "zeros", "ones")  # kinds of inputs of magnitude 1 or less

Outputs = Sequence[Sequence[Array]]
"""What an engine gave: for every batch, its outputs in the order of the graph."""


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
    message = (
        "onnxruntime ({lane}) is off by {error:.1e} in {output}, where rounding explains {bound:.1e} ({case})"
    )

    lane: str
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


class OutputsAlike(Diagnostic):
    """An output hardly depends on the inputs, so that agreement proves nothing."""

    code = "NS540"
    message = (
        "{output} hardly differs between inputs: by {spread:.1e} of its largest value, where "
        "{bound:.0e} is needed to tell a right network from a wrong one"
    )

    output: str
    spread: float
    bound: float = VARIATION_BOUND

    @property
    def help(self) -> str:
        return "train the network or choose another init: so far its layers let next to nothing through"


class OutputsVanish(Diagnostic):
    """An output is zero for every input."""

    code = "NS541"
    message = "{output} is zero for every input that was tried"

    output: str

    @property
    def help(self) -> str:
        return "check the init and the activations: a ReLU behind negative biases alone is always zero"


class OutputsNotFinite(Diagnostic):
    """An output is NaN or infinite, so that there is nothing to compare."""

    code = "NS542"
    message = "{output} has no finite value to compare"

    output: str

    @property
    def help(self) -> str:
        return "check the weights for NaN and for values that overflow"


def judge_semantic(
    graph: Graph, batches: Sequence[Batch], exact: Sequence[Answer], reference: Sequence[Mapping[str, Array]]
) -> Gate:
    """The graph by the standard against the module, both in float64, per output and per sample."""
    dimensions = Dimensions.of(graph)
    decided = decided_outputs(graph)
    measured: list[Measurement] = []
    problems: list[Diagnostic] = []
    every = [answer.outputs for answer in exact]
    typical = [_typical(_samples(output, dimensions, every, i)) for i, output in enumerate(graph.outputs)]
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
            pairs = zip(got, y, strict=True) if dimensions.counts(output.value.type) else [(got, y)]
            error = max((scaled_error(ours, exactly, scale) for ours, exactly in pairs), default=0.0)
            measured.append(Measurement(case, output.name, error, SEMANTIC_BOUND))
            if not error <= SEMANTIC_BOUND:
                problems.append(
                    FunctionDiffers(output=output.name, case=case, error=error, bound=SEMANTIC_BOUND)
                )
    facts = {"samples in float64": sum(batch.samples for batch in batches)}
    return Gate("semantic", _verdict(problems), facts, tuple(measured), tuple(problems))


def _samples(output: GraphOutput, dimensions: Dimensions, outputs: Outputs, position: int) -> Iterator[Array]:
    """Every sample of one output; the whole where its first axis does not count samples."""
    for batch in outputs:
        y = batch[position]
        yield from y if dimensions.counts(output.value.type) else [y]


def _typical(samples: Iterable[Array]) -> float:
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
    inconclusive: Sequence[Diagnostic],
) -> Gate:
    """An engine's float32 results against float64, beside torch's own, per output and per case.

    Cases share a bound, as `_alike` says. A long mean raises what is granted in any case.
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
                problems.extend(_integers("onnxruntime", output.name, case, wrong))
            elif not same_masks(y, y32):
                problems.append(MasksDiffer(engine="onnxruntime", output=output.name, case=case))
            else:
                compared[case] = rounding(y, y32, y64)
        allowance = _allowance(output.value.type.dtype, units)
        for case, errors in compared.items():
            alike = [compared[name] for name in _alike(case, batches) if name in compared]
            bound = rounding_bound(alike, allowance)
            row = Measurement(case, output.name, errors.error, bound, torch_error=errors.torch_error)
            measured.append(row)
            if not row.error <= bound:
                problems.append(
                    RoundingExceeds(
                        lane=lane.name, output=output.name, case=case, error=row.error, bound=bound
                    )
                )
    real = sum(batch.samples for batch in batches if batch.case.kind == "samples")
    facts = {"drawn inputs": sum(batch.samples for batch in batches) - real}
    if real:
        facts["real samples"] = real
    verdict = _verdict(problems)
    if verdict is Verdict.PASSED and inconclusive:
        verdict = Verdict.INCONCLUSIVE
    return Gate(
        "rounding",
        verdict,
        facts,
        tuple(measured),
        (*problems, *inconclusive),
        lane=f"onnxruntime {lane.name}",
        provider=lane.provider,
    )


def longest_mean(graph: Graph, values: Mapping[str, int]) -> int:
    """Of how many elements the largest window is that a layer without weights takes a mean or maximum of, or
    the longest sum that a layer says it has."""
    longest = 1
    for node in graph:
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


def judge_signal(graph: Graph, exact: Outputs) -> list[Diagnostic]:
    """What makes agreement worthless: outputs that are alike for all inputs, vanish, or are not finite."""
    dimensions = Dimensions.of(graph)
    varying = _depending_on_inputs(graph)
    found: list[Diagnostic] = []
    for position, output in enumerate(graph.outputs):
        if output.value.name not in varying:
            continue
        samples = list(_samples(output, dimensions, exact, position))
        spread = variation(samples)
        if np.isnan(spread):
            found.append(OutputsNotFinite(output=output.name))
        elif not any(np.any(sample) for sample in samples):
            found.append(OutputsVanish(output=output.name))
        elif spread < VARIATION_BOUND:
            found.append(OutputsAlike(output=output.name, spread=spread))
    return found


def _depending_on_inputs(graph: Graph) -> set[str]:
    """Names of the values that an input can change; a constant output says all that it can."""
    reached = {entry.name for entry in graph.inputs}
    for node in graph:
        if any(value.name in reached for value in node.inputs):
            reached.update(value.name for value in node.outputs)
    return reached


def _allowance(dtype: DType, units: float) -> float:
    """The part of max|y| that an engine may be off by whatever torch's own error is, over the factor of 8."""
    allowance = units * UNIT_ROUNDOFF.get(str(dtype), 0)
    # In float64 the oracle is no more exact than the engine.
    return max(allowance, SEMANTIC_BOUND / ROUNDING_FACTOR) if dtype is DType.FLOAT64 else allowance


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
        bounds.append(rounding_bound(compared, _allowance(operand.type.dtype, units)))
    return rule.slack(bounds)


def _integers(engine: str, output: str, case: str, wrong: Mask) -> list[Diagnostic]:
    count = int(np.count_nonzero(wrong))
    if not count:
        return []
    return [IntegersDiffer(engine=engine, output=output, case=case, count=count, size=wrong.size)]


def _verdict(problems: Sequence[Diagnostic]) -> Verdict:
    return Verdict.FAILED if problems else Verdict.PASSED
