"""Stochastic depth: what it draws, and that it keeps the mean."""

from __future__ import annotations

import pytest
import torch

from netspec.torch_backend.stochastic_depth import StochasticDepth


def test_a_sample_is_there_or_not():
    torch.manual_seed(0)
    x = 2.0 ** torch.randint(3, (1000, 3, 2))
    y = StochasticDepth(0.2, "row")(x)
    ratio = (y / x).flatten(1)
    assert torch.equal(ratio, ratio[:, :1].expand_as(ratio))
    assert set(ratio[:, 0].tolist()) == {0, 1.25}
    assert 0.15 < (ratio[:, 0] == 0).float().mean() < 0.25


def test_a_batch_is_there_or_not():
    torch.manual_seed(0)
    module, x = StochasticDepth(0.5, "batch"), torch.ones(4, 2)
    drawn = [module(x) for _ in range(50)]
    assert all(torch.equal(y, y[:1, :1].expand_as(y)) for y in drawn)
    assert {y[0, 0].item() for y in drawn} == {0, 2}


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_the_extremes(mode: str):
    x = torch.randn(5, 3)
    assert torch.equal(StochasticDepth(0, mode)(x), x)
    assert torch.equal(StochasticDepth(1, mode)(x), torch.zeros_like(x))
    assert StochasticDepth(1, mode).eval()(x) is x
    assert repr(StochasticDepth(0.1, mode)) == f"StochasticDepth(p=0.1, mode={mode})"
