"""Verification of an exported file: the three gates, one engine at a time."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
import torch

import netspec
from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph
from netspec.onnx_backend.read import read_model
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
from netspec.verify.decisions import Answer
from netspec.verify.fitting import prepare
from netspec.verify.inputs import Batch, batches_of, need_inputs, rounding_batches, semantic_batches
from netspec.verify.judgement import judge_rounding, judge_semantic, judge_signal
from netspec.verify.oracle import Oracle
from netspec.verify.provenance import check_hashes, check_metadata
from netspec.verify.reference import Reference, UnevaluatedError
from netspec.verify.runtime import LANES, Lane, RefusedError, Session
from netspec.verify.samples import Samples
from netspec.verify.tolerance import Array

Y = TypeVar("Y")

Progress = Callable[[str, float], None]
"""Called with what is going on and the part of it that is done, 0 to 1."""

Outputs = list[list[Array]]
"""What an engine gave: for every batch, its outputs in the order of the graph."""


class ReferenceRefuses(Diagnostic):
    """The ONNX reference cannot evaluate a node, so that nothing says what the file means."""

    code = "NS535"
    message = "the ONNX reference cannot evaluate {node} ({op}): {reason}"

    node: str
    op: str
    reason: str


def verify(
    path: Path,
    graph: Graph,
    weights: Mapping[str, Array] | None,
    *,
    samples: Samples | None = None,
    seed: int = 0,
    file: str | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Judge an exported file against the graph that it claims to be.

    `weights` are the parameters that were exported, by name, and each initializer must equal its own; with
    None the file's own are taken, and the hashes that it carries are checked. `file` is the name that the
    certificate gives the file, where it is not yet in its place.
    """
    need_inputs(graph)
    real = [] if samples is None else list(batches_of(graph, prepare(samples, graph), samples.name))
    batches = (*rounding_batches(graph, seed), *real)
    verification = _Verification(path, graph, seed, batches, tuple(semantic_batches(graph, seed)), progress)
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
        exported_by_torch=tuple(node.name for node in graph if not node.op.is_lowered),
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


@dataclass
class _Verification:
    """One run of the gates over one file. Every engine holds its weights while it runs and no longer."""

    path: Path
    graph: Graph
    seed: int
    batches: Sequence[Batch]
    probes: Sequence[Batch]
    progress: Progress | None
    findings: Findings = field(default_factory=Findings)
    opset: int = 0

    def run(self, weights: Mapping[str, Array] | None) -> tuple[Gate, ...]:
        parameters = self._check(weights)
        answers = self._ask_torch(parameters) if self.findings.comparable else None
        if answers is None:
            others = [Gate(name, Verdict.NOT_RUN, {}) for name in ("semantic", "rounding")]
        else:
            others = [self._semantic(parameters, answers)]
            others += [self._rounding(lane, answers) for lane in LANES]
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
        # A view of the file need not be aligned to its elements, as torch takes for granted.
        held = {name: model.weights[name] for name in names if name in model.weights}
        return {name: np.require(array, requirements=["C", "A"]) for name, array in held.items()}

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

        count = len(self.batches)
        try:
            torch32 = self._each("PyTorch in float32", self.batches, asked(oracle.run))
            with oracle.exactly():
                everything = (*self.batches, *self.probes)
                exact = self._each("PyTorch in float64", everything, asked(oracle.run_exact))
        except (RuntimeError, ValueError) as error:
            refused_by_torch({}, error, self.findings)
            return None
        if not self._shapes_agree("PyTorch", [answer.outputs for answer in torch32]):
            return None
        return Answers(torch32, exact[:count], exact[count:])

    def _semantic(self, parameters: Mapping[str, Array], answers: Answers) -> Gate:
        # Mapped anew: the checks have paged the whole file in. Where they found its initializers to be the
        # parameters, bit for bit, those in memory are read and the file's pages stay out.
        model = read_model(self.path)
        initializers = dict(model.initializers)
        if not any(isinstance(problem, WeightDiffers) for problem in self.findings.problems):
            initializers.update(parameters)
        try:
            reference = Reference(model.message, initializers)
            given = self._each("the ONNX reference", self.probes, lambda batch: reference.run(batch.feeds))
        except UnevaluatedError as error:
            problem = ReferenceRefuses(node=error.node.name, op=error.node.op_type, reason=error.reason)
            return Gate("semantic", Verdict.FAILED, {}, problems=(problem,))
        return judge_semantic(self.graph, self.probes, answers.probes, given)

    def _rounding(self, lane: Lane, answers: Answers) -> Gate:
        """The rounding gate on one lane; what the engine gets wrong before any rounding is inconsistent."""
        stage = f"onnxruntime {lane.name}"
        try:
            session = Session(self.path, lane)
            results = self._each(stage, self.batches, lambda batch: list(session.run(batch.feeds)))
        except RefusedError as error:
            self.findings.add(RuntimeRefuses(version=onnxruntime.__version__, reason=str(error)))
            return Gate("rounding", Verdict.NOT_RUN, {}, lane=stage, provider=lane.provider)
        if not self._shapes_agree("onnxruntime", results):
            return Gate("rounding", Verdict.NOT_RUN, {}, lane=stage, provider=lane.provider)
        signal = judge_signal(self.graph, [answer.outputs for answer in answers.exact])
        return judge_rounding(self.graph, lane, self.batches, results, answers.torch32, answers.exact, signal)

    def _shapes_agree(self, engine: str, results: Outputs) -> bool:
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
