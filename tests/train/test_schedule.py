"""Learning rates against torch's schedulers, step by step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as theirs

from netspec.diagnostics import Source, Span
from netspec.ir.training import Named
from netspec.train.schedule import make_schedule

STEPS, EPOCHS, LR = 7, 5, 0.4
NOWHERE = Span(Source("spec", ""), 0, 0)


def ours(name: str, **arguments: object) -> list[float]:
    rate = make_schedule(Named(name, arguments, NOWHERE), LR, STEPS, EPOCHS)
    return [rate(step) for step in range(STEPS * EPOCHS)]


def torchs(make: Callable[[Optimizer], theirs.LRScheduler], *, by_epoch: bool) -> list[float]:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler = make(optimizer)
    rates = []
    for step in range(STEPS * EPOCHS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if not by_epoch or (step + 1) % STEPS == 0:
            scheduler.step()
    return rates


def test_constant() -> None:
    assert ours("constant", warmup=0) == [LR] * STEPS * EPOCHS


def test_step() -> None:
    expected = torchs(lambda o: theirs.StepLR(o, step_size=2, gamma=0.3), by_epoch=True)
    assert ours("step", step_size=2, gamma=0.3, warmup=0) == pytest.approx(expected)


def test_multistep() -> None:
    expected = torchs(lambda o: theirs.MultiStepLR(o, milestones=[1, 3], gamma=0.2), by_epoch=True)
    assert ours("multistep", milestones=(1, 3), gamma=0.2, warmup=0) == pytest.approx(expected)


def test_cosine() -> None:
    expected = torchs(lambda o: theirs.CosineAnnealingLR(o, STEPS * EPOCHS, eta_min=0.01), by_epoch=False)
    assert ours("cosine", min_lr=0.01, warmup=0) == pytest.approx(expected)


def test_linear() -> None:
    expected = torchs(lambda o: theirs.LinearLR(o, 1.0, 0.25, total_iters=STEPS * EPOCHS), by_epoch=False)
    assert ours("linear", min_lr=LR / 4, warmup=0) == pytest.approx(expected)


@pytest.mark.parametrize("start", [0.3, 0.5])
def test_one_cycle(start: float) -> None:
    def make(optimizer: Optimizer) -> theirs.LRScheduler:
        total = STEPS * EPOCHS
        return theirs.OneCycleLR(
            optimizer, max_lr=2.0, total_steps=total, pct_start=start, cycle_momentum=False
        )

    found = ours("one_cycle", max_lr=2.0, pct_start=start, div_factor=25.0, final_div_factor=1e4, warmup=0)
    assert found == pytest.approx(torchs(make, by_epoch=False))


def test_a_warm_up_rises_in_a_line_to_the_schedule_behind_it() -> None:
    rates = ours("constant", warmup=2)
    assert rates[: 2 * STEPS] == pytest.approx(
        [LR * (step + 1) / (2 * STEPS + 1) for step in range(2 * STEPS)]
    )
    assert set(rates[2 * STEPS :]) == {LR}
    cosine = ours("cosine", min_lr=0.0, warmup=1)
    assert cosine[STEPS] == pytest.approx(LR)
    assert max(cosine) == pytest.approx(LR)
    assert cosine[-1] < 0.01 * LR
