"""Verification of an exported file: the three gates, one engine at a time."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
import torch

import netspec
from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph
from netspec.onnx_backend.opset import DEFAULT_OPSET, is_known
from netspec.onnx_backend.read import Model, read_model
from netspec.verify.certificate import Certificate, Gate, Verdict
from netspec.verify.consistency import (
    Findings,
    RuntimeRefuses,
    WeightDiffers,
    check_file,
    check_initializers,
    check_interface,
    check_nodes,
    check_outputs,
    check_shapes,
    check_weights,
    expected_weights,
    opset_of,
    refused_by_torch,
)
from netspec.verify.cost import too_costly
from netspec.verify.decisions import Answer
from netspec.verify.engines import REFERENCE, lanes_of, open_file
from netspec.verify.explanation import Explanation, Judged, Told, explain
from netspec.verify.fitting import prepare
from netspec.verify.inputs import Batch, batches_of, need_inputs, rounding_batches, semantic_batches
from netspec.verify.inside import Inside
from netspec.verify.judgement import engine_of, judge_rounding, judge_semantic
from netspec.verify.oracle import Oracle
from netspec.verify.provenance import check_hashes, check_metadata
from netspec.verify.reference import Reference, UnevaluatedError
from netspec.verify.rerounding import Rerounding
from netspec.verify.runtime import (
    CPU_PROVIDER,
    Lane,
    LaneLeftOut,
    NotStartedError,
    RefusedError,
)
from netspec.verify.samples import Samples
from netspec.verify.signal import Signal, judge_signal
from netspec.verify.structure import differing_structure, is_comparable, written_by_another
from netspec.verify.tolerance import Array

Y = TypeVar("Y")

Progress = Callable[[str, float], None]
"""Called with what is going on and the part of it that is done, 0 to 1."""


class ReferenceRefuses(Diagnostic):
    """The ONNX reference cannot evaluate a node, so that nothing says what the file means."""

    code = "NS535"
    message = "the ONNX reference cannot evaluate {node} ({op}): {reason}"

    node: str
    op: str
    reason: str


class NoEngine(Diagnostic):
    """No runtime here has kernels for the element type, and the standard's definition cannot stand in."""

    code = "NS546"
    message = (
        "nothing here runs bfloat16: onnxruntime's CPU provider has no kernels, and {lane} fails: {reason}"
    )

    lane: str
    reason: str

    @property
    def help(self) -> str:
        return (
            "build it as float16, which onnxruntime runs; or run the file where you will use it and compare"
        )


def verify(
    path: Path,
    graph: Graph,
    weights: Mapping[str, Array] | None,
    *,
    samples: Samples | None = None,
    seed: int = 0,
    file: str | None = None,
    explanation: Explanation | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Judge an exported file against the graph that it claims to be.

    `weights` are the parameters that were exported, by name, and each initializer must equal its own; with
    None the file's own are taken, and the hashes that it carries are checked. `file` is the name that the
    certificate gives the file, where it is not yet in its place. With an `explanation` to give, a gate that
    fails is followed by the search for the layer or the optimisation at fault.
    """
    need_inputs(graph)
    real = [] if samples is None else list(batches_of(graph, prepare(samples, graph), samples.name))
    batches = (*rounding_batches(graph, seed), *real)
    probes = tuple(semantic_batches(graph, seed))
    verification = _Verification(path, graph, seed, batches, probes, progress, explanation)
    gates = verification.run(weights)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Certificate(
        network=graph.name,
        file=path.name if file is None else file,
        sha256=digest,
        opset=verification.opset,
        seed=seed,
        versions=versions(),
        cases=tuple(batch.case for batch in (*verification.batches, *verification.probes)),
        gates=gates,
        layers=verification.told.layers,
        blame=verification.told.blame,
        against=verification.told.against,
        exported_by_torch=tuple(node.name for node in graph if not node.op.is_lowered),
        remarks=(*verification.remarks, *verification.told.remarks),
    )


def versions() -> dict[str, str]:
    """What the certificate depends on beside the file."""
    return {
        "netspec": netspec.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }


@dataclass(frozen=True)
class Answers:
    """What PyTorch gives: in float32 and in float64 on the batches, in float64 on the semantic gate's."""

    torch32: list[Answer]
    exact: list[Answer]
    probes: list[Answer]
    inside: Inside

    def signal(self, graph: Graph, batches: Sequence[Batch]) -> Signal:
        """Whether the outputs say anything."""
        rough, exact = ([answer.outputs for answer in answers] for answers in (self.torch32, self.exact))
        return judge_signal(graph, batches, rough, exact)


@dataclass
class _Verification:
    """One run of the gates over one file. Every engine holds its weights while it runs and no longer."""

    path: Path
    graph: Graph
    seed: int
    batches: Sequence[Batch]
    probes: Sequence[Batch]
    progress: Progress | None
    explanation: Explanation | None
    findings: Findings = field(default_factory=Findings)
    remarks: list[Diagnostic] = field(default_factory=list)
    opset: int = 0
    told: Told = field(default_factory=Told)

    def run(self, weights: Mapping[str, Array] | None) -> tuple[Gate, ...]:
        parameters = self._check(weights)
        answers = self._ask_torch(parameters) if self.findings.comparable else None
        if answers is None:
            others = [Gate(name, Verdict.NOT_RUN, {}) for name in ("semantic", "rounding")]
        else:
            signal = answers.signal(self.graph, self.batches)
            others = [self._semantic(parameters, answers, signal)]
            # What computes another function is given no benefit of the doubt.
            doubtful = others[0].verdict is not Verdict.FAILED
            rerounding = Rerounding(self.graph, parameters, self.progress) if doubtful else None
            judged = (self._rounding(lane, answers, signal, rerounding) for lane in lanes_of(self.graph))
            first, *further = (gate for gate in judged if gate is not None)
            others += [replace(first, problems=(*first.problems, *signal.problems)), *further]
            if self.explanation is not None:
                self.told = self._explained(self.explanation, others, parameters, answers)
        problems = tuple(self.findings.problems)
        verdict = Verdict.FAILED if problems else Verdict.PASSED
        return (Gate("consistency", verdict, self.findings.facts, problems=problems), *others)

    def _check(self, weights: Mapping[str, Array] | None) -> Mapping[str, Array]:
        """Hold the file against the graph, without running either; gives the parameters to run with."""
        if self.progress:
            self.progress("checking the file", 0.0)
        model = read_model(self.path)
        self.opset = opset_of(model.message)
        check_file(self.path, self.findings)
        check_nodes(model.message, self.findings)
        check_interface(model.message, self.graph, self.findings)
        check_weights(model.weights, self.graph, weights, self.findings)
        names = expected_weights(self.graph)
        if weights is not None:
            return {name: weights[name] for name in names}
        check_hashes(model, self.graph, self.findings)
        check_metadata(model, self.graph, self.findings)
        check_initializers(model, self.graph, self.findings)
        self._check_structure(model)
        # A view of the file need not be aligned to its elements, as torch takes for granted.
        held = {name: model.weights[name] for name in names if name in model.weights}
        return {name: np.require(array, requirements=["C", "A"]) for name, array in held.items()}

    def _check_structure(self, model: Model) -> None:
        """Hold a file that stands alone against what netspec writes; what differs is run only if cheap."""
        if is_comparable(model, self.graph):
            different = differing_structure(model, self.graph)
            if different is None:
                return
            self.findings.add(different)
        elif (remark := written_by_another(model)) is not None:
            self.remarks.append(remark)
        if (costly := too_costly(model.message, self.graph, self.seed)) is not None:
            self.findings.add(costly, comparable=False)

    def _ask_torch(self, parameters: Mapping[str, Array]) -> Answers | None:
        """Run the module; None where its shapes are not the graph's, so that there is nothing to compare."""
        oracle = Oracle(self.graph)
        check_shapes(self.graph, oracle, self.seed, self.findings)
        if not self.findings.comparable:
            return None
        oracle.load(parameters)
        inputs = [entry.name for entry in self.graph.inputs]

        def asked(run: Callable[[Sequence[Array]], Answer]) -> Callable[[Batch], Answer]:
            return lambda batch: run([batch.feeds[name] for name in inputs])

        inside = Inside(self.graph, self.opset if is_known(self.opset) else DEFAULT_OPSET)
        try:
            torch32 = self._each(f"PyTorch in {self._element_type()}", self.batches, asked(oracle.run))
            with oracle.exactly():
                exact = self._each("PyTorch in float64", self.batches, asked(oracle.run_exact))
                probes = [self._probed(oracle, batch, inside) for batch in self.probes]
        except (RuntimeError, ValueError) as error:
            refused_by_torch({}, error, self.findings)
            return None
        if not self._shapes_agree("PyTorch", [answer.outputs for answer in torch32]):
            return None
        return Answers(torch32, exact, probes, inside)

    def _probed(self, oracle: Oracle, batch: Batch, inside: Inside) -> Answer:
        """The module in float64 on a batch of the semantic gate, every layer kept an eye on."""
        feeds = [batch.feeds[entry.name] for entry in self.graph.inputs]
        for entry, feed in zip(self.graph.inputs, feeds, strict=True):
            inside.expect(batch.case.name, entry.name, feed)
        with oracle.shown(partial(inside.expect, batch.case.name)):
            return oracle.run_exact(feeds)

    def _element_type(self) -> str:
        """What the network computes in, for progress."""
        floating = (value.type.dtype for node in self.graph for value in node.outputs)
        return next((str(dtype) for dtype in floating if dtype.is_floating), "its own types")

    def _semantic(self, parameters: Mapping[str, Array], answers: Answers, signal: Signal) -> Gate:
        # Mapped anew: the checks have paged the whole file in. Where they found its initializers to be the
        # parameters, bit for bit, those in memory are read and the file's pages stay out.
        model = read_model(self.path)
        initializers = dict(model.initializers)
        if not any(isinstance(problem, WeightDiffers) for problem in self.findings.problems):
            initializers.update(parameters)
        try:
            reference = Reference(model.message, initializers)
            answers.inside.forget()
            given = self._each(
                "the ONNX reference",
                self.probes,
                lambda batch: reference.run(batch.feeds, partial(answers.inside.compare, batch.case.name)),
            )
        except UnevaluatedError as error:
            problem = ReferenceRefuses(node=error.node.name, op=error.node.op_type, reason=error.reason)
            return Gate("semantic", Verdict.FAILED, {}, problems=(problem,))
        gate = judge_semantic(self.graph, self.probes, answers.probes, given, signal)
        fault = answers.inside.fault()
        if fault is None:
            return gate
        return replace(gate, verdict=Verdict.FAILED, problems=(*gate.problems, fault))

    def _rounding(
        self, lane: Lane, answers: Answers, signal: Signal, rerounding: Rerounding | None
    ) -> Gate | None:
        """The rounding gate on one lane; what the engine gets wrong before any rounding is inconsistent.

        None where a device is there whose provider does not start: that is said, and proves nothing.
        """
        not_run = Gate("rounding", Verdict.NOT_RUN, {}, lane=lane.name, provider=lane.provider)
        try:
            session = open_file(self.path, lane)
            stage = lane.name if lane is REFERENCE else f"onnxruntime, {lane.name}"
            results = self._each(stage, self.batches, lambda batch: list(session.run(batch.feeds)))
        except RefusedError as error:
            if lane is REFERENCE:
                unjudged = NoEngine(lane=lane.name, reason=str(error))
                return replace(not_run, verdict=Verdict.INCONCLUSIVE, problems=(unjudged,))
            if isinstance(error, NotStartedError) and lane.provider != CPU_PROVIDER:
                self.remarks.append(LaneLeftOut(lane=lane.name, reason=str(error)))
                return None
            self._refused(lane, str(error))
            return not_run
        if not self._shapes_agree(engine_of(lane), results):
            return not_run
        gate = judge_rounding(
            self.graph,
            lane,
            self.batches,
            results,
            answers.torch32,
            answers.exact,
            signal,
            rerounding,
        )
        if session.elsewhere:
            nodes = {
                "nodes on the device": session.nodes[lane.provider],
                "nodes on the CPU": session.elsewhere,
            }
            return replace(gate, facts={**gate.facts, **nodes})
        return gate

    def _explained(
        self,
        wanted: Explanation,
        gates: Sequence[Gate],
        parameters: Mapping[str, Array],
        answers: Answers,
    ) -> Told:
        report = self.progress or (lambda stage, done: None)
        given = (self.batches, self.probes, answers.torch32, answers.exact)
        return explain(Judged(self.path, self.graph, self.opset, parameters, *given, gates, report), wanted)

    def _refused(self, lane: Lane, reason: str) -> None:
        """Record that a lane does not run the file; what several say in the same words is said once."""
        known = [p for p in self.findings.problems if isinstance(p, RuntimeRefuses) and p.reason == reason]
        if not known:
            version = onnxruntime.__version__
            self.findings.add(RuntimeRefuses(version=version, lane=lane.name, reason=reason))

    def _shapes_agree(self, engine: str, results: Sequence[list[Array]]) -> bool:
        equal = True
        for batch, outputs in zip(self.batches, results, strict=True):
            self.findings.bound(batch.case.values)
            shapes = [(y.shape, y.dtype.name) for y in outputs]
            equal &= check_outputs(engine, self.graph, batch.case.values, shapes, self.findings)
        return equal

    def _each(self, stage: str, batches: Sequence[Batch], run: Callable[[Batch], Y]) -> list[Y]:
        """`run` over all batches, with progress."""
        results = []
        for done, batch in enumerate(batches):
            if self.progress:
                self.progress(stage, done / len(batches))
            results.append(run(batch))
        return results
