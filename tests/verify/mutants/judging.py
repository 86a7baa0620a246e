"""What catches a mutant: each gate by itself, and the hashes by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import ModelProto

from netspec.diagnostics import DiagnosticError
from netspec.ir.fingerprint import graph_hash, spec_hash
from netspec.ir.graph import Graph
from netspec.onnx_backend.digest import weights_hash
from netspec.onnx_backend.export import export
from netspec.onnx_backend.metadata import FILE_HASH, GRAPH_HASH, SPEC, SPEC_HASH, WEIGHTS_HASH
from netspec.onnx_backend.read import Model, read_model
from netspec.onnx_backend.seal import file_hash
from netspec.pipeline import check_text
from netspec.verify.certificate import Gate, Verdict
from netspec.verify.consistency import Findings, expected_weights
from netspec.verify.gates import Answers, _Verification
from netspec.verify.inputs import Batch, rounding_batches, semantic_batches
from netspec.verify.provenance import check_hashes
from netspec.verify.structure import differing_structure, is_comparable
from netspec.verify.tolerance import Array
from tests.verify.mutants.equivalence import proof
from tests.verify.mutants.mutations import Mutant
from tests.verify.mutants.networks import Network

GATES = ("consistency", "semantic", "rounding")
STRUCTURE, HASHES = "NS591", "NS527"


@dataclass(frozen=True)
class Outcome:
    """A mutant and what caught it, or the proof that it computes the same.

    `caught` are the gates by their names, `structure` where the file is not what netspec writes. `hashed`
    says whether the hashes show the change, where they are left as they were.
    """

    kind: str
    what: str
    network: str
    caught: frozenset[str]
    hashed: bool
    proof: str = ""
    said: str = ""

    @property
    def by_numbers(self) -> bool:
        """Caught by a gate that does not compare the file with what netspec writes."""
        return bool(self.caught & {*GATES})

    @property
    def lives(self) -> bool:
        """Computes something else, and no gate but the structure's finds it."""
        return not self.by_numbers and not self.proof

    @property
    def escapes(self) -> bool:
        """Neither a gate nor a hash shows it."""
        return not self.caught and not self.hashed


class _Cached(_Verification):
    """A verification that asks torch only once for a network, and runs whatever a file holds, for the other
    gates' sake."""

    answers: Answers | None = None

    def _check_structure(self, model: Model) -> None:
        if is_comparable(model, self.graph):
            different = differing_structure(model, self.graph)
            if different is not None:
                self.findings.add(different)

    def _ask_torch(self, parameters: Mapping[str, Array]) -> Answers | None:
        return self.answers or super()._ask_torch(parameters)


@dataclass
class Judge:
    """Judges the mutants of one network's export."""

    network: Network
    folder: Path
    seed: int = 0
    model: ModelProto = field(init=False)
    batches: tuple[Batch, ...] = field(init=False)
    probes: tuple[Batch, ...] = field(init=False)
    answers: Answers | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        graph = self.network.graph
        path = self.folder / "right.onnx"
        export(graph, self.network.weights, path)
        self.model = onnx.load(path)
        self.batches = tuple(rounding_batches(graph, self.seed))
        self.probes = tuple(semantic_batches(graph, self.seed))
        right = self._verification(path, graph)
        findings = right._check(None)
        self.answers = right._ask_torch(findings)
        gates = self._gates(path, graph, None)
        assert {gate.verdict for gate in gates} == {Verdict.PASSED}, [
            p.text for g in gates for p in g.problems
        ]

    def _verification(self, path: Path, graph: Graph) -> _Cached:
        made = _Cached(path, graph, self.seed, self.batches, self.probes, None, None)
        made.answers = self.answers
        return made

    def _gates(self, path: Path, graph: Graph, weights: Mapping[str, Array] | None) -> tuple[Gate, ...]:
        if graph is not self.network.graph:
            batches, probes = tuple(rounding_batches(graph, 0)), tuple(semantic_batches(graph, 0))
            return _Cached(path, graph, self.seed, batches, probes, None, None).run(weights)
        return self._verification(path, graph).run(weights)

    def judge(self, mutant: Mutant) -> Outcome | None:
        """What catches a mutant; None where the file is the same afterwards."""
        changed = mutant.made_of(self.model)
        if changed == self.model:
            return None
        path = self.folder / "mutant.onnx"
        told = (mutant.kind, mutant.what, self.network.name)
        try:
            graph = self._graph_in(changed)
            path.write_bytes(changed.SerializeToString())
            findings = Findings()
            check_hashes(read_model(path), graph, findings)
            if not mutant.what.endswith("_hash"):  # else the hashes are what was changed
                rehash(changed, path, graph)
            path.write_bytes(changed.SerializeToString())
            given = self.network.weights if mutant.kind.startswith("weight") else None
            gates = self._gates(path, graph, given)
        except DiagnosticError as error:
            return Outcome(*told, frozenset({"consistency"}), True, said=error.diagnostics[0].text)
        caught = frozenset(_caught(gates))
        problems = [problem.text for gate in gates for problem in gate.problems]
        proven = None if caught & {*GATES} else proof(mutant, self.model, changed, graph, caught=bool(caught))
        return Outcome(
            *told,
            caught,
            bool(findings.problems),
            proof=proven.said if proven else "",
            said=problems[0] if problems else "",
        )

    def _graph_in(self, model: ModelProto) -> Graph:
        """The graph of the spec in the file, as `netspec verify` makes it; an error where there is none."""
        told = {entry.key: entry.value for entry in model.metadata_props}
        right = {entry.key: entry.value for entry in self.model.metadata_props}
        if SPEC not in told or told[SPEC] == right[SPEC]:
            return self.network.graph
        return check_text(told[SPEC], "the mutant's spec").graph


def _caught(gates: tuple[Gate, ...]) -> Iterator[str]:
    for gate in gates:
        codes = {problem.code for problem in gate.problems}
        if gate.name != "consistency":
            if gate.verdict is Verdict.FAILED:
                yield gate.name
            continue
        if STRUCTURE in codes:
            yield "structure"
        if HASHES in codes:
            yield "hashes"
        if codes - {STRUCTURE, HASHES}:
            yield "consistency"


def rehash(model: ModelProto, path: Path, graph: Graph) -> None:
    """Give a model at a path the hashes of what is in it, as whoever forges a file does."""
    written = read_model(path, foreign=True)
    owned = {name: written.weights[name] for name in expected_weights(graph) if name in written.weights}
    hashes = {
        SPEC_HASH: spec_hash(graph.resolved),
        GRAPH_HASH: graph_hash(graph),
        WEIGHTS_HASH: weights_hash(owned),
    }
    for entry in model.metadata_props:
        entry.value = hashes.get(entry.key, entry.value)
    seal = file_hash(model, written.initializers)
    for entry in model.metadata_props:
        if entry.key == FILE_HASH:
            entry.value = seal
