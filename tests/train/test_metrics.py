"""Meters against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from netspec.train.distributed import ALONE
from netspec.train.metrics import Meter
from netspec.train.watching import Watch

CPU = torch.device("cpu")
METRICS = ("accuracy", "top5", "per_class")


def test_figures_are_those_of_the_whole_set() -> None:
    random = np.random.default_rng(0)
    scores = random.standard_normal((40, 7)).astype(np.float32)
    targets = random.integers(0, 7, 40)
    meter = Meter(CPU, 7, METRICS)
    for start in range(0, 40, 15):
        part = slice(start, start + 15)
        meter.add(torch.tensor(2.0), torch.from_numpy(scores[part]), torch.from_numpy(targets[part]))
    found = meter.read(ALONE)
    first = np.argsort(-scores, axis=1)
    assert found["loss"] == pytest.approx(6 / 40)
    assert found["accuracy"] == pytest.approx(np.mean(first[:, 0] == targets))
    assert found["top5"] == pytest.approx(np.mean((first[:, :5] == targets[:, None]).any(1)))
    confusion = meter.confusion(ALONE)
    assert confusion is not None
    expected = np.zeros((7, 7), np.int64)
    np.add.at(expected, (targets, first[:, 0]), 1)
    assert np.array_equal(confusion.numpy(), expected)
    meter.reset()
    assert math.isnan(meter.read(ALONE)["loss"])


def test_pixels_count_where_targets_have_them() -> None:
    scores = torch.zeros(2, 3, 4, 4)
    scores[:, 1] = 1.0
    targets = torch.ones(2, 4, 4, dtype=torch.int64)
    targets[0, 0] = 2
    meter = Meter(CPU, 3, ("accuracy",))
    meter.add(torch.tensor(1.0), scores, targets)
    assert meter.read(ALONE) == pytest.approx({"loss": 0.5, "accuracy": 28 / 32})


def test_regression_has_a_loss_alone() -> None:
    meter = Meter(CPU, 0, ())
    meter.add(torch.tensor(3.0), torch.zeros(2, 5), torch.zeros(2, 5))
    assert meter.read(ALONE) == {"loss": 1.5}
    assert meter.confusion(ALONE) is None


def test_fewer_classes_than_five_are_all_among_the_first() -> None:
    meter = Meter(CPU, 3, ("top5",))
    meter.add(torch.tensor(0.0), torch.zeros(4, 3), torch.tensor([0, 1, 2, 0]))
    assert meter.read(ALONE)["top5"] == 1.0


def test_the_state_goes_through_a_checkpoint() -> None:
    meter, other = Meter(CPU, 3, METRICS), Meter(CPU, 3, METRICS)
    meter.add(torch.tensor(1.0), torch.eye(3), torch.tensor([0, 1, 1]))
    other.load(meter.state())
    assert other.read(ALONE) == meter.read(ALONE)
    assert Watch(other).totals() == meter.totals.tolist()


def test_ignored_targets_are_neither_right_nor_wrong() -> None:
    scores = torch.eye(6)  # each example is taken for its own number
    targets = torch.tensor([0, 1, 2, 2, 0, 2])
    meter = Meter(CPU, 6, METRICS, ignored=2)
    meter.add(torch.tensor(0.0), scores, targets)
    found = meter.read(ALONE)
    assert found["accuracy"] == pytest.approx(2 / 3)  # 0 and 1 of 0, 1 and 0
    assert found["top5"] == pytest.approx(3 / 3)
    confusion = meter.confusion(ALONE)
    assert confusion is not None
    assert confusion.sum() == 3
    assert not confusion[2].any()
