"""What rounding can do to a network is granted to an engine, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from torch import Tensor

from netspec.ir.graph import Graph, Value
from netspec.verify.certificate import Gate, Verdict
from netspec.verify.decisions import Answer
from netspec.verify.inputs import Batch, rounding_batches
from netspec.verify.judgement import judge_rounding
from netspec.verify.oracle import Oracle
from netspec.verify.rerounding import Rerounding
from netspec.verify.runtime import CPU
from netspec.verify.signal import Signal
from netspec.verify.tolerance import ROUNDING_FACTOR, UNIT_ROUNDOFF, Array
from tests.verify.small_networks import chain, op, weights_of

UNIT = UNIT_ROUNDOFF["float32"]


def answers(graph: Graph, weights: Mapping[str, Array]) -> tuple[list[Batch], list[Answer], list[Answer]]:
    """The gate's own inputs, with what torch gives for them in float32 and in float64."""
    oracle = Oracle(graph)
    oracle.load(weights)
    batches = list(rounding_batches(graph, 0))
    feeds = [[batch.feeds[entry.name] for entry in graph.inputs] for batch in batches]
    rough = [oracle.run(one) for one in feeds]
    with oracle.exactly():
        return batches, rough, [oracle.run_exact(one) for one in feeds]


def steady() -> tuple[Graph, Mapping[str, Array]]:
    """Layers that hand on what they are off by as it is."""
    graph = chain(("batch", 6), op("Linear", out_features=5), op("Tanh"), op("Linear", out_features=4))
    return graph, weights_of(graph)


def magnifying() -> tuple[Graph, Mapping[str, Array]]:
    """A difference of nearly equal terms, stretched by a normalisation: errors grow 10,000 times."""
    graph = chain(("batch", 6), op("Add", other=1000.0), op("Sub", other=1000.0), op("Mul", other=10.0))
    return graph, weights_of(graph)


def lucky() -> tuple[Graph, Mapping[str, Array]]:
    """A network in which torch happens to be exact: it adds to whole numbers and takes away again."""
    graph = chain(("batch", 6), op("Round"), op("Add", other=8192.0), op("Sub", other=8192.0))
    return graph, weights_of(graph)


def judged(graph: Graph, weights: Mapping[str, Array], off_by: float, *, granting: bool) -> Gate:
    """The gate on an engine whose outputs are all off by so much."""
    batches, rough, exact = answers(graph, weights)
    got = [[(y + off_by).astype(np.float32) for y in answer.outputs] for answer in exact]
    again = Rerounding(graph, weights) if granting else None
    return judge_rounding(graph, CPU, batches, got, rough, exact, Signal(), again)


def test_a_steady_network_moves_by_little_more_than_its_layers() -> None:
    graph, weights = steady()
    batches, _, exact = answers(graph, weights)
    reached = Rerounding(graph, weights).reach(batches[3], exact[3], 0, 4.0, np.inf)
    scale = np.abs(exact[3].outputs[0]).max()
    assert UNIT * scale < reached < 40 * UNIT * scale


def test_a_network_that_magnifies_errors_moves_by_far_more() -> None:
    graph, weights = magnifying()
    batches, _, exact = answers(graph, weights)
    reached = Rerounding(graph, weights).reach(batches[3], exact[3], 0, 4.0, np.inf)
    assert reached > 100 * UNIT * np.abs(exact[3].outputs[0]).max()


def test_looking_ends_once_enough_was_seen() -> None:
    graph, weights = magnifying()
    batches, _, exact = answers(graph, weights)
    again = Rerounding(graph, weights)
    first = again.reach(batches[0], exact[0], 0, 4.0, 0.0)
    assert 0 < first < again.reach(batches[0], exact[0], 0, 4.0, np.inf)


def test_looking_twice_shows_the_same() -> None:
    graph, weights = magnifying()
    batches, _, exact = answers(graph, weights)
    looks = [Rerounding(graph, weights).reach(batches[0], exact[0], 0, 4.0, np.inf) for _ in range(2)]
    assert looks[0] == looks[1]


@pytest.mark.parametrize("off_by", [1e-4, 1e-3, 0.5])
def test_a_wrong_engine_stays_wrong(off_by: float) -> None:
    gate = judged(*steady(), off_by, granting=True)
    assert gate.verdict is Verdict.FAILED
    (looked,) = [row for row in gate.measurements if row.rerounded_error is not None]
    assert looked.share > 1


def test_an_engine_unluckier_than_torch_is_right_where_rounding_explains_it() -> None:
    assert judged(*lucky(), 1e-3, granting=False).verdict is Verdict.FAILED
    gate = judged(*lucky(), 1e-3, granting=True)
    assert gate.verdict is Verdict.PASSED
    looked = [row for row in gate.measurements if row.rerounded_error is not None]
    assert looked
    assert all(row.bound == ROUNDING_FACTOR * (row.rerounded_error or 0) for row in looked)


def test_what_is_no_real_number_is_not_moved() -> None:
    graph = chain(("batch", 6), op("Linear", out_features=5), op("ArgMax", dim=1))
    weights = weights_of(graph)
    batches, _, exact = answers(graph, weights)
    assert exact[0].outputs[0].dtype == np.int64
    oracle = Oracle(graph)
    oracle.load(weights)
    seen = []

    def see(value: Value, tensor: Tensor) -> Tensor:
        seen.append(value.name)
        return tensor

    with oracle.exactly(), oracle.changed(see):
        oracle.run_exact([batches[0].feeds["x"]])
    assert seen == ["layer1"]
