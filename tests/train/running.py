"""A small network and a small data set, trained in a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from netspec.pipeline import Checked, check_text
from netspec.train.assembling import Options
from netspec.train.records import EpochRecord
from netspec.train.training import Run, train

DATA = Path(__file__).parents[1] / "data" / "fashion-mnist-subset"

LAYERS: list[Any] = [
    {"Conv2d": {"out_channels": 4, "kernel_size": 5, "stride": 4}},
    "BatchNorm2d",
    "ReLU",
    "Flatten",
    {"Dropout": {"p": 0.2}},
    {"Linear": {"out_features": 10}},
]
TRAIN: dict[str, Any] = {
    "data": "fashion-mnist",
    "epochs": 3,
    "batch_size": 130,
    "optimizer": {"SGD": {"lr": 0.1, "momentum": 0.9}},
}


def spec(train: Mapping[str, Any] = {}, layers: list[Any] | None = None) -> str:
    """A spec as JSON, its `train` changed."""
    return json.dumps(
        {
            "netspec": 1,
            "name": "small",
            "inputs": {"image": ["batch", 1, 28, 28]},
            "layers": layers or LAYERS,
            "train": {**TRAIN, **train},
        }
    )


def checked(train: Mapping[str, Any] = {}, layers: list[Any] | None = None) -> Checked:
    return check_text(spec(train, layers), "small.json")


class Heard:
    """A listener that keeps what it hears, and may do something after so many batches."""

    def __init__(self, after: int = 0, act: Any = None) -> None:
        self.batches = 0
        self.records: list[EpochRecord] = []
        self._after, self._act = after, act

    def batch(self, epoch: int, done: float, figures: Mapping[str, float], speed: float) -> None:
        self.batches += 1
        if self._act is not None and self.batches == self._after:
            self._act()

    def epoch(self, record: EpochRecord) -> None:
        self.records.append(record)


def run(network: Checked, out: Path, *, listener: Heard | None = None, **settings: Any) -> Run:
    """Train on the subset, on the CPU."""
    return train(
        network,
        data_dir=DATA,
        out=out,
        device="cpu",
        options=settings.pop("options", Options(download=False)),
        listener=listener or Heard(),
        progress=lambda stage, done: None,
        **settings,
    )


def weights(folder: Path) -> dict[str, Tensor]:
    """The weights after the last epoch."""
    return load_file(folder / "last.safetensors")


def same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    """Whether two sets of weights are equal, bit for bit."""
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener hears of every batch."""
    monkeypatch.setattr("netspec.train.loop.LOOK_EVERY", 0.0)
