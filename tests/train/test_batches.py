"""Batches: every example once an epoch, in an order that the seed decides, shared out among processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netspec.train.batches import Plan, Resident, make_batches
from netspec.train.data.examples import Examples
from netspec.train.distributed import ALONE, World

CPU = torch.device("cpu")


def numbered(count: int) -> Examples:
    """Examples whose input and target are their number."""
    return Examples((np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1),), np.arange(count))


@given(
    count=st.integers(1, 200),
    size=st.integers(1, 50),
    world=st.integers(1, 5),
    accumulate=st.integers(1, 4),
    least=st.integers(1, 3),
)
def test_the_processes_share_every_example_out_once(
    count: int, size: int, world: int, accumulate: int, least: int
) -> None:
    plans = [
        Plan(count, size, World(rank, world), seed=3, admits=lambda n: n >= least, accumulate=accumulate)
        for rank in range(world)
    ]
    seen = [
        index
        for batch in range(plans[0].steps)
        for plan in plans
        for index in plan.indices(1)[plan.own(batch)].tolist()
    ]
    last = count % size
    # A process without a part runs on one example.
    kept = last if least == 1 or last >= least * world else 0
    assert len(seen) == len(set(seen)) == count - last + kept
    # What a step is divided by is what its batches have in all.
    steps: dict[int, int] = {}
    for batch in range(plans[0].steps):
        steps[batch // accumulate] = steps.get(batch // accumulate, 0) + plans[0].length(batch)
    assert all(plans[0].whole(b) == steps[b // accumulate] for b in range(plans[0].steps))
    assert sum(plans[0].updates(b) for b in range(plans[0].steps)) == len(steps)


def test_the_order_is_the_seeds_and_the_epochs() -> None:
    plan = Plan(100, 10, ALONE, seed=0)
    assert torch.equal(plan.indices(0), plan.indices(0))
    assert not torch.equal(plan.indices(0), plan.indices(1))
    assert not torch.equal(plan.indices(0), Plan(100, 10, ALONE, seed=1).indices(0))
    assert torch.equal(Plan(100, 10, ALONE, seed=None).indices(5), torch.arange(100))


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_are_the_resident_ones(workers: int) -> None:
    from netspec.train.batches import Streamed, _Reader
    from netspec.train.data.examples import Stream

    examples = numbered(23)
    plan = Plan(23, 5, ALONE, seed=4)
    stream = Stream(_Reader(examples), examples.targets, np.arange(23))
    for start in (0, 3):
        resident = list(Resident(examples, plan, CPU).epoch(2, start))
        streamed = list(Streamed(stream, plan, CPU, workers).epoch(2, start))
        assert len(resident) == len(streamed) == 5 - start
        for ours, theirs in zip(resident, streamed, strict=True):
            assert torch.equal(ours.inputs[0], theirs.inputs[0])
            assert torch.equal(ours.targets, theirs.targets)
            assert ours.whole == theirs.whole


def test_an_idle_process_gets_an_example_that_counts_for_nothing() -> None:
    batches = make_batches(numbered(7), 3, CPU, World(2, 3), seed=0)
    *full, last = batches.epoch(0)
    assert [batch.weight for batch in full] == [1.0, 1.0]
    assert last.whole == 1
    weights = [
        list(make_batches(numbered(7), 3, CPU, World(r, 3), seed=0).epoch(0))[-1].weight for r in range(3)
    ]
    assert sorted(weights) == [0.0, 0.0, 1.0]
    assert len(last.targets) == 1
