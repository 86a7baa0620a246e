"""A sample of the mutants: each is caught, or proven to compute the same. `make mutants` judges all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verify.mutants.judging import Judge, Outcome
from tests.verify.mutants.mutations import Mutant, mutants
from tests.verify.mutants.networks import networks
from tests.verify.mutants.running import chosen
from tests.verify.mutants.table import report

SAMPLE = {"lenet_bn": 40, "edge_detector": 20, "transformer": 20, "miscellany": 30}
"""How many mutants of each network, untrained."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    found = []
    for name, count in SAMPLE.items():
        network = next(network for network in networks(name) if network.weights_are == "untrained")
        judge = Judge(network, tmp_path_factory.mktemp(name))
        for mutant in chosen(list(mutants(judge.model, 1)), count, 1):
            outcome = judge.judge(mutant)
            if outcome is not None:
                found.append(outcome)
    return found


def test_the_gates_alone_catch_what_computes_something_else(outcomes: list[Outcome]) -> None:
    assert len(outcomes) > 100
    assert [f"{one.network}: {one.kind}: {one.what}" for one in outcomes if one.lives] == []


def test_gates_or_hashes_catch_whatever_differs(outcomes: list[Outcome]) -> None:
    assert [f"{one.network}: {one.kind}: {one.what}" for one in outcomes if one.escapes] == []
    assert [one.what for one in outcomes if not one.hashed] == []


def test_every_gate_is_needed(outcomes: list[Outcome]) -> None:
    for gate in "consistency", "semantic", "rounding", "structure":
        assert any(gate in one.caught for one in outcomes), gate


def test_the_report_counts_them_all(outcomes: list[Outcome]) -> None:
    told = report(outcomes)
    assert f"| **all** | {len(outcomes)} |" in told
    assert told.endswith("shows it\n\nnone")


def test_a_proof_is_refused_to_what_computes_something_else(tmp_path: Path) -> None:
    """The proofs are watched too: none of them holds of a mutant that the gates catch."""
    from tests.verify.mutants.equivalence import proof

    network = next(networks("miscellany"))
    judge = Judge(network, tmp_path)
    wrong = {"attribute epsilon", "attribute alpha", "weight negated", "attribute dilations"}
    tried: list[Mutant] = [m for m in mutants(judge.model, 0) if m.kind in wrong]
    assert len(tried) > 10
    for mutant in tried:
        assert (
            proof(mutant, judge.model, mutant.made_of(judge.model), judge.network.graph, caught=True) is None
        )
