"""The average of the weights, from its definition."""

from __future__ import annotations

import torch
from torch import nn

from netspec.train.averaging import Average
from netspec.train.seeding import order, seed_step


def test_the_average_follows_the_weights() -> None:
    module = nn.Linear(3, 2)
    average = Average(module, 0.9)
    expected = {name: p.detach().double().clone() for name, p in module.named_parameters()}
    for step in range(20):
        with torch.no_grad():
            for p in module.parameters():
                p.add_(torch.full_like(p, 0.1 * step))
        average.update()
        for name, p in module.named_parameters():
            expected[name] = 0.9 * expected[name] + 0.1 * p.detach().double()
    for name, tensor in average.state().items():
        assert torch.allclose(tensor.double(), expected[name], atol=1e-5)


def test_it_takes_the_weights_place_and_gives_it_back() -> None:
    module = nn.Linear(3, 2)
    average = Average(module, 0.5)
    with torch.no_grad():
        module.weight.add_(1.0)
    average.update()
    own, averaged = module.weight.detach().clone(), average.state()["weight"].clone()
    with average.in_place():
        assert torch.equal(module.weight, averaged)
    assert torch.equal(module.weight, own)
    assert torch.equal(average.state()["weight"], averaged)
    other = Average(module, 0.5)
    other.load(average.state())
    assert torch.equal(other.state()["weight"], averaged)


def test_a_step_draws_the_same_whatever_came_before() -> None:
    draws = []
    for before in (0, 5):
        torch.rand(before)
        seed_step(1, 7, 0, torch.device("cpu"))
        draws.append(torch.rand(4))
    assert torch.equal(*draws)
    others = []
    for seed, step, rank in ((2, 7, 0), (1, 8, 0), (1, 7, 1)):
        seed_step(seed, step, rank, torch.device("cpu"))
        others.append(torch.rand(4))
    assert not any(torch.equal(draws[0], other) for other in others)
    assert sorted(order(50, 0, 3).tolist()) == list(range(50))
