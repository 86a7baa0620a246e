"""Do the outputs say anything? Agreement on what is constant, saturated or mere rounding proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph, GraphOutput
from netspec.ops.base import Op
from netspec.verify.certificate import Verdict
from netspec.verify.inputs import Batch, Dimensions
from netspec.verify.tolerance import (
    UNIT_ROUNDOFF,
    VARIATION_BOUND,
    Array,
    is_integer,
    largest,
    rounding,
    variation,
)

NOISE_SHARE = 0.1  # of max|y|; an output that PyTorch itself is off by as much is nothing but rounding
NOISE_FACTOR = 1000  # how far apart the rounding errors of two engines may lie
SATURATED = 1e-6  # how near to a limit counts as at it, in units of what lies between the limits
ORDINARY = ("normal", "uniform", "samples")  # kinds of inputs that no function is expected to saturate at

Outputs = Sequence[Sequence[Array]]
"""What an engine gave: for every batch, its outputs in the order of the graph."""


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


class OutputsSaturate(Diagnostic):
    """An output stands at the limits of its activation for every ordinary input."""

    code = "NS548"
    message = (
        "{output} saturates: {op} gives nothing but {low:g} and {high:g}, whatever the layers before it do"
    )

    output: str
    op: str
    low: float
    high: float

    @property
    def help(self) -> str:
        return (
            "make what goes into it smaller, by another init or by normalising the inputs; "
            "or let the network give what goes into it as a further output"
        )


class OutputsAreNoise(Diagnostic):
    """An output is nothing but what rounding leaves of terms that cancel."""

    code = "NS549"
    message = (
        "{output} is rounding noise: PyTorch's own error in it is {share:.0%} of its largest value, or more, "
        "for every input"
    )

    output: str
    share: float

    @property
    def help(self) -> str:
        return (
            "its terms cancel: a normalisation of one value, or a difference of what is equal, is always so"
        )


@dataclass(frozen=True)
class Signal:
    """What the outputs say: `problems` are reasons why they say nothing.

    `noise` holds of each output that is mere rounding PyTorch's largest error, by the output's name.
    """

    problems: tuple[Diagnostic, ...] = ()
    noise: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Of a gate in which nothing was found wrong."""
        return Verdict.INCONCLUSIVE if self.problems else Verdict.PASSED

    def is_noise(self, output: GraphOutput, error: float) -> bool:
        """Whether an engine is off by no more than rounding may leave of an output that is nothing else."""
        return error <= NOISE_FACTOR * self.noise.get(output.name, -1.0)

    def is_noise64(self, output: GraphOutput, got: Array, exact: Array) -> bool:
        """The same of two results in float64."""
        finer = UNIT_ROUNDOFF["float64"] / UNIT_ROUNDOFF.get(str(output.value.type.dtype), 1.0)
        error = largest(np.subtract(got, exact, dtype=np.float64), np.isfinite(got) & np.isfinite(exact))
        return self.is_noise(output, error / finer)


def judge_signal(graph: Graph, batches: Sequence[Batch], torch32: Outputs, exact: Outputs) -> Signal:
    """What makes agreement worthless: outputs that are alike for all inputs, vanish, saturate, are noise."""
    dimensions = Dimensions.of(graph)
    varying = _depending_on_inputs(graph)
    problems: list[Diagnostic] = []
    noise: dict[str, float] = {}
    for position, output in enumerate(graph.outputs):
        if output.value.name not in varying:
            continue
        samples = list(samples_of(output, dimensions, exact, position))
        spread = variation(samples)
        ordinary = [
            y[position] for y, batch in zip(exact, batches, strict=True) if batch.case.kind in ORDINARY
        ]
        if np.isnan(spread):
            problems.append(OutputsNotFinite(output=output.name))
        elif not any(np.any(sample) for sample in samples):
            problems.append(OutputsVanish(output=output.name))
        elif (share := _noise(position, torch32, exact)) >= NOISE_SHARE:
            problems.append(OutputsAreNoise(output=output.name, share=share))
            noise[output.name] = max(
                rounding(y32[position], y32[position], y64[position]).torch_error
                for y32, y64 in zip(torch32, exact, strict=True)
            )
        elif spread < VARIATION_BOUND:
            problems.append(OutputsAlike(output=output.name, spread=spread))
        elif (saturated := _saturated(graph, output, ordinary)) is not None:
            problems.append(saturated)
    return Signal(tuple(problems), noise)


def samples_of(
    output: GraphOutput, dimensions: Dimensions, outputs: Outputs, position: int
) -> Iterator[Array]:
    """Every sample of one output; the whole where its first axis does not count samples."""
    for batch in outputs:
        y = batch[position]
        yield from y if dimensions.counts(output.value.type) else [y]


def _depending_on_inputs(graph: Graph) -> set[str]:
    """Names of the values that an input can change; a constant output says all that it can."""
    reached = {entry.name for entry in graph.inputs}
    for node in graph:
        if any(value.name in reached for value in node.inputs):
            reached.update(value.name for value in node.outputs)
    return reached


def _noise(position: int, torch32: Outputs, exact: Outputs) -> float:
    """The least share of max|y| that PyTorch is off by in its own type, over the batches."""
    shares = []
    for y32, y64 in zip(torch32, exact, strict=True):
        if is_integer(y32[position]):
            return 0.0
        found = rounding(y32[position], y32[position], y64[position])
        shares.append(found.torch_error / found.scale if found.scale else float(found.torch_error > 0))
    # Zeros that are exactly zero, of a batch of zeros, say nothing against the others.
    return min((share for share, y in zip(shares, exact, strict=True) if np.any(y[position])), default=0.0)


def _saturated(graph: Graph, output: GraphOutput, ordinary: Iterable[Array]) -> Diagnostic | None:
    giver = next((node for node in graph if output.value in node.outputs), None)
    limits = _limits(giver.op) if giver is not None else None
    if giver is None or limits is None:
        return None
    low, high = limits
    near = SATURATED * (high - low)
    every = [y.astype(np.float64) for y in ordinary]
    if not every or any(np.any(np.minimum(abs(y - low), abs(y - high)) > near) for y in every):
        return None
    return OutputsSaturate(output=output.name, op=type(giver.op).__name__, low=low, high=high)


def _limits(op: Op) -> tuple[float, float] | None:
    """The two values between which an activation stays, where it has such limits."""
    known = {
        "Sigmoid": (0.0, 1.0),
        "Hardsigmoid": (0.0, 1.0),
        "Softmax": (0.0, 1.0),
        "Softmax2d": (0.0, 1.0),
        "Softmin": (0.0, 1.0),
        "Tanh": (-1.0, 1.0),
        "Softsign": (-1.0, 1.0),
        "ReLU6": (0.0, 6.0),
    }
    return known.get(type(op).__name__)
