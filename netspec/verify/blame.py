"""Whose fault a failed gate is: the first layer that is wrong by itself, or a rewrite of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netspec.diagnostics import Diagnostic, Note, Severity
from netspec.verify.certificate import Blame, Gate, Judged, LayerErrors
from netspec.verify.inputs import Batch
from netspec.verify.layers import Layer, Layers
from netspec.verify.reproduction import reproduce
from netspec.verify.rewrites import culprit
from netspec.verify.runtime import PLAIN, Lane

REACH = 4  # consecutive layers that a rewrite joins, such as Conv2d, BatchNorm2d, Add and ReLU


class LayerAtFault(Diagnostic):
    """The first layer that is wrong by itself, on the input that it should get."""

    code = "NS543"
    message = "{what} {verb} at fault: alone, on the right input, {outcome}"

    layers: tuple[str, ...]
    operations: tuple[str, ...]
    engine: str
    error: float
    bound: float
    reason: str

    @property
    def what(self) -> str:
        named = [f"{name} ({op})" for name, op in zip(self.layers, self.operations, strict=True)]
        return f"{'layer' if len(named) == 1 else 'the layers'} {', '.join(named)}"

    @property
    def verb(self) -> str:
        return "is" if len(self.layers) == 1 else "are together"

    @property
    def outcome(self) -> str:
        if self.reason:
            return f"{self.reason} ({self.engine})"
        they_are = "it is" if len(self.layers) == 1 else "they are"
        return f"{they_are} off by {self.error:.1e}, where {self.engine} may be by {self.bound:.1e}"

    @property
    def label(self) -> str:
        return "the first layer that is wrong by itself"


class RewriteAtFault(Diagnostic):
    """The file is right, and onnxruntime makes another graph of it that is not."""

    code = "NS544"
    message = "an optimisation of onnxruntime ({lane}) is at fault: {what}"

    lane: str
    level: str
    rewrites: tuple[str, ...]

    @property
    def what(self) -> str:
        if not self.rewrites:
            return f"the file is right without optimisation, and wrong at the level {self.level}"
        return f"without {' and '.join(self.rewrites)} the file is right"

    @property
    def help(self) -> str:
        if not self.rewrites:
            return "where you run the file, set graph_optimization_level to a lower level; report it upstream"
        return (
            "where you run the file: InferenceSession(…, disabled_optimizers=[{quoted}]); report it upstream"
        )

    @property
    def quoted(self) -> str:
        return ", ".join(repr(name) for name in self.rewrites)


class NoLayerAtFault(Diagnostic):
    """A gate failed, and every layer alone is within its bound."""

    code = "NS545"
    message = "no layer alone is over its bound: what is wrong builds up, or shows on other inputs ({case})"
    severity = Severity.WARNING

    case: str

    @property
    def help(self) -> str:
        return "netspec verify --per-layer shows how near to its bound each layer comes"


def worst_case(gate: Gate, batches: Sequence[Batch]) -> Batch:
    """The batch on which a gate failed worst; the first where no figures tell."""
    cases = {batch.case.name: batch for batch in batches}
    over = [row for row in gate.measurements if row.share > 1 and row.case in cases]
    named = [case for problem in gate.problems if (case := getattr(problem, "case", None)) in cases]
    if over:
        return cases[max(over, key=lambda row: row.share).case]
    return cases[named[0]] if named else batches[0]


@dataclass(frozen=True)
class Suspicion:
    """A gate that failed, on a batch; `fails` tells whether the whole file goes wrong as a lane runs it.

    `lane` is the gate's, None of the semantic gate.
    """

    gate: Gate
    batch: Batch
    lane: Lane | None
    fails: Callable[[Lane], bool]


def blame(
    suspicion: Suspicion, layers: Layers, repro: tuple[Path, str] | None
) -> tuple[Blame, tuple[LayerErrors, ...]]:
    """Find out why a gate failed, and every layer's own errors.

    `repro` is the folder for files that show the fault alone, and the beginning of their names.
    """
    gate, batch, lane = suspicion.gate, suspicion.batch, suspicion.lane
    rewritten = None
    if lane is not None and lane.optimisation != PLAIN:
        rewritten = culprit(lane, suspicion.fails)
    rewrites = rewritten.rewrites if rewritten is not None else ()
    rows: list[LayerErrors] = []
    found = _guilty(layers, suspicion, rows)
    for reach in range(2, REACH + 1 if rewritten else 2):
        found = found or _guilty(layers, suspicion, [], reach)
    findings: list[Diagnostic] = []
    names: tuple[str, ...] = ()
    if found is not None:
        group, judged = found
        fault = _fault(group, judged)
        if repro is not None and group[-1].cut is not None:
            fault = fault.at(fault.span, Note(reproduce(group[-1], *repro, lane)))
        findings.append(fault)
        names = tuple(node.name for layer in group for node in layer.nodes)
    elif rewritten is None:
        findings.append(NoLayerAtFault(case=batch.case.name))
    if rewritten is not None and lane is not None:
        findings.append(RewriteAtFault(lane=lane.name, level=rewritten.level, rewrites=rewrites))
    return Blame(gate.name, gate.lane, names, rewrites, tuple(findings)), tuple(rows)


def _guilty(
    layers: Layers, suspicion: Suspicion, rows: list[LayerErrors], reach: int = 1
) -> tuple[Sequence[Layer], Judged] | None:
    """The first layer that is wrong by itself, or the first group of `reach` layers that is together.

    A file that means another function is wrong in exact arithmetic; one that is rounded wrongly may be too.
    """
    gate = suspicion.gate
    behind: list[Layer] = []
    found: tuple[Sequence[Layer], Judged] | None = None
    for layer in layers.measure(suspicion.batch, reach):
        rows.append(layer.errors)
        behind = [*behind, layer][-reach:]
        over = [
            entry
            for entry in layer.errors.judged
            if entry.gate == "semantic" or (entry.gate, entry.lane) == (gate.name, gate.lane)
            if not entry.measured.share <= 1
        ]
        if over and found is None:
            found = tuple(behind), over[0]
    return found


def _fault(group: Sequence[Layer], judged: Judged) -> LayerAtFault:
    nodes = [node for layer in group for node in layer.nodes]
    fault = LayerAtFault(
        layers=tuple(node.name for node in nodes),
        operations=tuple(type(node.op).__name__ for node in nodes),
        engine=judged.lane or "exact arithmetic",
        error=judged.measured.error,
        bound=judged.measured.bound,
        reason=judged.reason,
    )
    return fault.at(group[-1].node.span)
