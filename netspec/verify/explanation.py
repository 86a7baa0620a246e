"""What is told beyond the verdict: every layer alone, whose fault a failure is, another exporter's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph
from netspec.verify.certificate import Blame, CrossCheck, Gate, LayerErrors
from netspec.verify.decisions import Answer
from netspec.verify.engines import lanes_of, open_file
from netspec.verify.inputs import Batch
from netspec.verify.judgement import failed_gate, goes_wrong
from netspec.verify.runtime import Lane, RefusedError
from netspec.verify.tolerance import Array


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to tell: whose fault a failure is in any case.

    With `per_layer` every layer's own error even if all is well, with `against_torch` what torch's exporter
    makes of the network. A fault goes to the folder `repro`, alone, if one is given.
    """

    per_layer: bool = False
    against_torch: bool = False
    repro: Path | None = None


@dataclass(frozen=True)
class Judged:
    """A file that went through the gates: what they compared, and what they found."""

    path: Path
    graph: Graph
    opset: int
    parameters: Mapping[str, Array]
    batches: Sequence[Batch]
    probes: Sequence[Batch]
    torch32: Sequence[Answer]
    exact: Sequence[Answer]
    gates: Sequence[Gate]
    report: Callable[[str, float], None]


@dataclass
class Told:
    """What was found out."""

    layers: tuple[LayerErrors, ...] = ()
    blame: Blame | None = None
    against: CrossCheck | None = None
    remarks: list[Diagnostic] = field(default_factory=list)


def explain(judged: Judged, wanted: Explanation) -> Told:
    """Measure every layer alone if one is at fault or that was asked for; compare with torch's export."""
    told = Told()
    failed = failed_gate(judged.gates)
    if failed is not None or wanted.per_layer:
        _look_into_layers(judged, failed, wanted.repro, told)
    if wanted.against_torch:
        from netspec.verify.against import cross_check

        told.against, remarks = cross_check(judged)
        told.remarks += remarks
    return told


def _look_into_layers(judged: Judged, failed: Gate | None, repro: Path | None, told: Told) -> None:
    # Here, since lowering the network again and its tools are needed for this alone.
    from netspec.verify.blame import Suspicion, blame, worst_case
    from netspec.verify.layers import Layers

    judged.report("every layer alone", 0.0)
    run = [lane for lane in lanes_of(judged.graph) if lane.name in {gate.lane for gate in judged.gates}]
    layers = Layers(judged.path, judged.graph, judged.parameters, run)
    if failed is None:
        told.layers = tuple(layer.errors for layer in layers.measure(_typical(judged.batches)))
        return
    lane = next((lane for lane in run if lane.name == failed.lane), None)
    batch = worst_case(failed, judged.probes if lane is None else judged.batches)
    suspicion = Suspicion(failed, batch, lane, lambda trial: _fails(judged, failed, batch, trial))
    place = None if repro is None else (repro, judged.graph.name)
    told.blame, told.layers = blame(suspicion, layers, place)


def _typical(batches: Sequence[Batch]) -> Batch:
    """The batch on which layers are measured that are all right: normal, of two samples where it can be."""
    normal = [batch for batch in batches if batch.case.kind == "normal"]
    return next((batch for batch in normal if batch.samples > 1), normal[0])


def _fails(judged: Judged, gate: Gate, batch: Batch, lane: Lane) -> bool:
    """Whether the file, run as a lane says, is wrong on a batch by the bounds of a gate that failed."""
    try:
        got = open_file(judged.path, lane).run(batch.feeds)
    except RefusedError:
        return True
    bounds = {row.output: row.bound for row in gate.measurements if row.case == batch.case.name}
    place = judged.batches.index(batch)
    arrays = (got, judged.torch32[place].outputs, judged.exact[place].outputs)
    return any(
        goes_wrong(y, y32, y64, bounds.get(output.name))
        for output, y, y32, y64 in zip(judged.graph.outputs, *arrays, strict=True)
    )
