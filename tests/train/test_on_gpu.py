"""Training on a GPU: as on the CPU, with the step as one CUDA graph where it can be."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.train import assembling, batches
from netspec.train.assembling import Options
from netspec.train.training import Run, train
from tests.train.running import DATA, Heard, checked, every_batch, same, weights

__all__ = ["every_batch"]  # a fixture

pytestmark = pytest.mark.gpu

STEADY: list[Any] = ["Flatten", {"Linear": {"out_features": 32}}, "Tanh", {"Linear": {"out_features": 10}}]

PLANS: dict[str, dict[str, Any]] = {
    "plain": {},
    "adam": {
        "optimizer": {"AdamW": {"lr": 0.01}},
        "schedule": {"cosine": {"warmup": 0.5}},
        "ema": 0.9,
        "clip": 1.0,
    },
    "augmented": {"augment": {"flip": True, "crop": 3}, "metrics": ["accuracy", "top5", "per_class"]},
    "tf32": {"precision": "tf32"},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "accumulated": {"accumulate": 3},
}


def run(plan: dict[str, Any], out: Path, layers: list[Any] | None = None, **settings: Any) -> Run:
    return train(
        checked(plan, layers),
        data_dir=DATA,
        out=out,
        device="cuda",
        options=settings.pop("options", Options(download=False)),
        listener=settings.pop("listener", Heard()),
        progress=lambda stage, done: None,
        **settings,
    )


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_same_seed_gives_the_same_bits(plan: dict[str, Any], tmp_path: Path) -> None:
    one, two = run(plan, tmp_path / "one"), run(plan, tmp_path / "two")
    assert same(weights(one.folder.path), weights(two.folder.path))
    assert one.records[-1].validation["accuracy"] > 0.4


@pytest.mark.usefixtures("every_batch")
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_run_that_is_stopped_goes_on_bit_for_bit(plan: dict[str, Any], tmp_path: Path) -> None:
    whole = run(plan, tmp_path / "whole")
    stopping = Heard(7, lambda: signal.raise_signal(signal.SIGTERM))
    assert run(plan, tmp_path, listener=stopping).stopped == signal.SIGTERM
    assert run(plan, tmp_path, resume=True).stopped is None
    assert same(weights(tmp_path / "small"), weights(whole.folder.path))


@pytest.mark.parametrize("plan", [PLANS["plain"], PLANS["adam"]], ids=["plain", "adam"])
def test_a_captured_step_is_the_eager_one(
    plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = run(plan, tmp_path / "captured", STEADY)
    monkeypatch.setattr(assembling, "_can_capture", lambda *_: False)
    eager = run(plan, tmp_path / "eager", STEADY)
    ours, theirs = weights(captured.folder.path), weights(eager.folder.path)
    assert all(torch.allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5) for name in ours)


def test_the_gpu_learns_as_the_cpu_does(tmp_path: Path) -> None:
    from tests.train.running import run as on_cpu

    gpu, cpu = run({}, tmp_path / "gpu", STEADY), on_cpu(checked({}, STEADY), tmp_path / "cpu")
    for ours, theirs in zip(gpu.records, cpu.records, strict=True):
        assert ours.train == pytest.approx(theirs.train, rel=1e-3)


def test_what_does_not_fit_on_the_device_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = run({}, tmp_path / "resident", STEADY)
    monkeypatch.setattr(batches, "ON_DEVICE", 0.0)
    streamed = run({}, tmp_path / "streamed", STEADY, options=Options(workers=2, download=False))
    ours, theirs = weights(streamed.folder.path), weights(resident.folder.path)
    assert all(torch.allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5) for name in ours)


def test_it_compiles(tmp_path: Path) -> None:
    found = run({"epochs": 1}, tmp_path, options=Options(compile="on", download=False))
    assert found.records[-1].validation["accuracy"] > 0.3
    assert not any(name.startswith("_orig_mod") for name in weights(found.folder.path))
