"""One configuration, judged: its shapes, its files at every opset, what the engines make of them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from netspec.diagnostics import DiagnosticError
from netspec.onnx_backend.opset import DEFAULT_OPSET, installed_runtime, newest_opset
from tests.ops.cases import LAYER, Case, draw_weights, layer_of
from tests.ops.engines import LARGE, Expected, Fault, exported, refused_by_torch
from tests.sweep.configurations import at_batches

OPSETS = (17, 18, 20, newest_opset(installed_runtime()))
BATCHES = (1, 3)
KINDS = ("rounding", "function", "shape", "crash")
"""Beyond the rounding gate in onnxruntime, or the semantic gate in the reference; other shapes; errors."""


class Failure(NamedTuple):
    """What is wrong with one configuration, with the spec that shows it."""

    op: str
    kind: str
    where: str
    text: str
    spec: str


@dataclass
class Tally:
    """What came of the configurations of one operation, or of several."""

    configurations: int = 0
    runs: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    """Configurations by what is wrong with them, each counted once a kind."""
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count the other's as well."""
        self.configurations += other.configurations
        self.runs += other.runs
        self.wrong.update(other.wrong)
        self.failures += other.failures


def judge(case: Case, folder: Path) -> Tally:
    """A configuration at every opset and batch size, on inputs around 1 and on large ones."""
    tally = Tally(configurations=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for bound in at_batches(case, BATCHES):
            try:
                _judge(bound, folder, tally)
            except Exception as error:  # whatever it is, it is a finding and not the end of the sweep
                text = f"{type(error).__name__}: {error}"
                tally.failures.append(Failure(case.op, "crash", "", text, bound[0].spec()))
    tally.wrong.update({failure.kind for failure in tally.failures})
    return tally


def _judge(bound: Sequence[Case], folder: Path, tally: Tally) -> None:
    """Add what is wrong with cases of one graph, which differ in the sizes of its symbols."""
    case = bound[0]
    try:
        graph = case.graph()
    except DiagnosticError:
        if refused_by_torch(case):
            return  # at this batch size, where it was drawn at another
        raise
    node = layer_of(graph)
    least = {name: graph.bounds[name].least for name in case.sizes}
    admitted = [one for one in bound if all(one.sizes[name] >= least[name] for name in least)]
    weights = draw_weights(case.module())
    expected = [Expected.of(one, node, weights, scale) for one in admitted for scale in (1.0, LARGE)]
    types = [node.outputs[place].type for place in case.compared(node)]
    for wanted in expected:
        found = [(type.bind(wanted.case.sizes), type.dtype.value) for type in types]
        given = [(y.shape, y.dtype.name) for y in wanted.torch32]
        if found != given:
            text = f"inferred {found}, torch gives {given}"
            tally.failures.append(Failure(case.op, "shape", "", text, wanted.case.spec()))
    named = {f"{LAYER}.{name}": array for name, array in weights.items()}
    for opset in OPSETS:
        file = exported(graph, named, folder / "one.onnx", opset)
        default = opset == DEFAULT_OPSET
        sessions = [file.session(optimised) for optimised in ((True, False) if default else (True,))]
        reference = file.reference() if default else None
        for wanted in expected:
            faults: list[Fault] = []
            for session in sessions:
                faults += wanted.faults_of_runtime(session.run(None, wanted.feeds))
                tally.runs += 1
            if reference is not None:
                faults += wanted.faults_of_reference(list(reference.run(wanted.feeds).values()))
            where = f"opset {opset} {wanted.case.sizes or ''}".strip()
            spec = wanted.case.spec()
            tally.failures += [Failure(case.op, one.kind, where, one.text, spec) for one in faults]
