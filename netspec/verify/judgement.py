"""The semantic and rounding gates' verdicts on what the engines gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph
from netspec.verify.certificate import Gate, Measurement, Verdict
from netspec.verify.inputs import Batch, Dimensions
from netspec.verify.runtime import Lane
from netspec.verify.tolerance import (
    SEMANTIC_BOUND,
    UNIT_ROUNDOFF,
    VARIATION_BOUND,
    Array,
    is_integer,
    rounding,
    same_masks,
    scaled_error,
    variation,
)

Outputs = Sequence[Sequence[Array]]
"""What an engine gave: for every batch, its outputs in the order of the graph."""


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class MasksDiffer(Diagnostic):
    """NaN or an infinity stands in one engine's output and not in the other's."""

    code = "NS532"
    message = "NaN or infinity stands at other places in {output} of {engine} than in PyTorch's ({case})"

    engine: str
    output: str
    case: str


@dataclass(frozen=True, kw_only=True)
class IntegersDiffer(Diagnostic):
    """An output of whole numbers is not exactly PyTorch's."""

    code = "NS533"
    message = "{count:,} of {size:,} integers in {output} of {engine} differ from PyTorch's ({case})"

    engine: str
    output: str
    case: str
    count: int
    size: int


@dataclass(frozen=True, kw_only=True)
class ShapesDiffer(Diagnostic):
    """The standard's own shape of an output is not the network's."""

    code = "NS534"
    message = "by the ONNX standard {output} is {got}, but the network gives {expected} ({case})"

    output: str
    case: str
    expected: str
    got: str


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class OutputsVanish(Diagnostic):
    """An output is zero for every input."""

    code = "NS541"
    message = "{output} is zero for every input that was tried"

    output: str

    @property
    def help(self) -> str:
        return "check the init and the activations: a ReLU behind negative biases alone is always zero"


@dataclass(frozen=True, kw_only=True)
class OutputsNotFinite(Diagnostic):
    """An output is NaN or infinite, so that there is nothing to compare."""

    code = "NS542"
    message = "{output} has no finite value to compare"

    output: str

    @property
    def help(self) -> str:
        return "check the weights for NaN and for values that overflow"


def judge_semantic(
    graph: Graph, batches: Sequence[Batch], exact: Outputs, reference: Sequence[Mapping[str, Array]]
) -> Gate:
    """The graph by the standard against the module, both in float64, per output and per sample."""
    dimensions = Dimensions.of(graph)
    measured: list[Measurement] = []
    problems: list[Diagnostic] = []
    for batch, outputs, given in zip(batches, exact, reference, strict=True):
        case = batch.case.name
        for output, y in zip(graph.outputs, outputs, strict=True):
            got = given[output.name]
            if got.shape != y.shape:
                problems.append(
                    ShapesDiffer(output=output.name, case=case, expected=str(y.shape), got=str(got.shape))
                )
                continue
            if is_integer(y):
                problems.extend(_integers("the ONNX reference", output.name, case, got, y, y))
                continue
            if not same_masks(got, y):
                engine = "the ONNX reference"
                problems.append(MasksDiffer(engine=engine, output=output.name, case=case))
                continue
            pairs = zip(got, y, strict=True) if dimensions.counts(output.value.type) else [(got, y)]
            error = max((scaled_error(*pair) for pair in pairs), default=0.0)
            measured.append(Measurement(case, output.name, error, SEMANTIC_BOUND))
            if not error <= SEMANTIC_BOUND:
                problems.append(
                    FunctionDiffers(output=output.name, case=case, error=error, bound=SEMANTIC_BOUND)
                )
    facts = {"samples in float64": sum(batch.samples for batch in batches)}
    return Gate("semantic", _verdict(problems), facts, tuple(measured), tuple(problems))


def judge_rounding(
    graph: Graph,
    lane: Lane,
    batches: Sequence[Batch],
    got: Outputs,
    torch32: Outputs,
    exact: Outputs,
    inconclusive: Sequence[Diagnostic],
) -> Gate:
    """An engine's float32 results against float64, beside torch's own, per output and per case."""
    measured: list[Measurement] = []
    problems: list[Diagnostic] = []
    for batch, ours, theirs, precise in zip(batches, got, torch32, exact, strict=True):
        case = batch.case.name
        for output, y, y32, y64 in zip(graph.outputs, ours, theirs, precise, strict=True):
            if is_integer(y32):
                problems.extend(_integers("onnxruntime", output.name, case, y, y32, y64))
                continue
            if not same_masks(y, y32):
                problems.append(MasksDiffer(engine="onnxruntime", output=output.name, case=case))
                continue
            judged = rounding(y, y32, y64, lane.allowance * UNIT_ROUNDOFF[y32.dtype.name])
            measured.append(
                Measurement(case, output.name, judged.error, judged.bound, torch_error=judged.torch_error)
            )
            if not judged.within:
                problems.append(
                    RoundingExceeds(
                        lane=lane.name, output=output.name, case=case, error=judged.error, bound=judged.bound
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
        "rounding", verdict, facts, tuple(measured), (*problems, *inconclusive), f"onnxruntime {lane.name}"
    )


def judge_signal(graph: Graph, exact: Outputs) -> list[Diagnostic]:
    """What makes agreement worthless: outputs that are alike for all inputs, vanish, or are not finite."""
    dimensions = Dimensions.of(graph)
    varying = _depending_on_inputs(graph)
    found: list[Diagnostic] = []
    for position, output in enumerate(graph.outputs):
        if output.value.name not in varying:
            continue
        samples: list[Array] = []
        for outputs in exact:
            y = outputs[position]
            samples.extend(y if dimensions.counts(output.value.type) else [y])
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


def _integers(engine: str, output: str, case: str, got: Array, y32: Array, y64: Array) -> list[Diagnostic]:
    """Whole numbers are compared exactly. Where float32 and float64 decide a comparison differently, either
    is right; judging an index by the value that it points at belongs here."""
    different = int(np.count_nonzero((got != y32) & (got != y64)))
    if not different:
        return []
    return [IntegersDiffer(engine=engine, output=output, case=case, count=different, size=got.size)]


def _verdict(problems: Sequence[Diagnostic]) -> Verdict:
    return Verdict.FAILED if problems else Verdict.PASSED
