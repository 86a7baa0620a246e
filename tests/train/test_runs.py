"""Training: it learns, the same seed gives the same bits, and a run that stops goes on as if it had not."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.diagnostics import DiagnosticError
from netspec.train import loop, records
from tests.train.running import TRAIN, Heard, checked, every_batch, run, same, weights

__all__ = ["every_batch"]  # a fixture

PLANS: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "optimizer": {"AdamW": {"lr": 0.01}},
        "schedule": {"cosine": {"warmup": 0.5}},
        "loss": {"cross_entropy": {"label_smoothing": 0.1}},
        "metrics": ["accuracy", "top5", "per_class"],
        "augment": {"flip": True, "crop": 3},
        "clip": 1.0,
        "accumulate": 3,
        "ema": 0.9,
        "validate_on": 0.2,
        "precision": "bf16",
    },
}


@pytest.fixture(scope="module", params=PLANS)
def plan(request: pytest.FixtureRequest) -> dict[str, Any]:
    return PLANS[request.param]


def test_it_learns(tmp_path: Path) -> None:
    heard = Heard()
    found = run(checked({"epochs": 5}), tmp_path, listener=heard)
    assert [record.epoch for record in heard.records] == [1, 2, 3, 4, 5]
    assert found.records == tuple(heard.records) == tuple(records.read(tmp_path / "small" / "metrics.jsonl"))
    assert found.best is not None
    assert found.best.validation["accuracy"] > 0.6
    assert heard.records[-1].train["loss"] < heard.records[0].train["loss"]
    assert found.judged is found.data.test


def test_the_same_seed_gives_the_same_bits(tmp_path: Path, plan: dict[str, Any]) -> None:
    network = checked({**plan, "epochs": 1})
    run(network, tmp_path / "one")
    torch.manual_seed(99)  # whatever the caller drew before
    run(network, tmp_path / "two")
    run(checked({**plan, "epochs": 1, "seed": 1}), tmp_path / "three")
    one, two, three = (weights(tmp_path / name / "small") for name in ("one", "two", "three"))
    assert same(one, two)
    assert not same(one, three)


def without_times(run: tuple[records.EpochRecord, ...]) -> list[records.EpochRecord]:
    return [record._replace(seconds=0, examples_per_second=0) for record in run]


@pytest.mark.usefixtures("every_batch")
@pytest.mark.parametrize("after", [1, 4, 15, 17, 31])
def test_a_run_that_is_stopped_goes_on_bit_for_bit(
    tmp_path: Path, plan: dict[str, Any], after: int, whole: dict[str, Any]
) -> None:
    network = checked(plan)
    stopping = Heard(after, lambda: signal.raise_signal(signal.SIGTERM))
    stopped = run(network, tmp_path, listener=stopping)
    assert stopped.stopped == signal.SIGTERM
    assert len(stopped.records) < 3
    finished = run(network, tmp_path, resume=True)
    assert finished.stopped is None
    expected = whole[json.dumps(plan)]
    assert without_times(finished.records) == without_times(expected.records)
    assert same(weights(tmp_path / "small"), weights(expected.folder.path))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each plan's run that nothing stopped."""
    return {json.dumps(p): run(checked(p), tmp_path_factory.mktemp("whole")) for p in PLANS.values()}


def test_checkpoints_within_an_epoch_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any]
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    found = run(checked(), tmp_path)
    assert same(weights(tmp_path / "small"), weights(whole[json.dumps({})].folder.path))
    assert len(list(found.folder.checkpoints.iterdir())) == 2


def test_gradients_that_add_up_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    layers = ["Flatten", {"Linear": {"out_features": 10}}]
    small = checked({"batch_size": 50, "accumulate": 4, "epochs": 1}, layers)
    large = checked({"batch_size": 200, "epochs": 1}, layers)
    run(small, tmp_path / "small")
    run(large, tmp_path / "large")
    ours, theirs = (weights(tmp_path / name / "small") for name in ("small", "large"))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)


def test_it_begins_from_given_weights(tmp_path: Path) -> None:
    layers = ["Flatten", {"Linear": {"out_features": 10}}]
    first = run(checked({"epochs": 2}, layers), tmp_path / "first")
    still = checked({"epochs": 1, "optimizer": {"SGD": {"lr": 1e-9}}}, layers)
    again = run(still, tmp_path / "again", weights=first.folder.last_weights)
    assert again.records[0].validation == pytest.approx(first.records[-1].validation, abs=1e-4)


def test_a_longer_run_goes_on_from_a_finished_one(tmp_path: Path, whole: dict[str, Any]) -> None:
    run(checked({"epochs": 2}), tmp_path)
    assert len(run(checked({"epochs": 2}), tmp_path, resume=True).records) == 2
    longer = run(checked({"epochs": 3}), tmp_path, resume=True)
    assert same(weights(longer.folder.path), weights(whole[json.dumps({})].folder.path))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"optimizer": {"SGD": {"lr": 0.2, "momentum": 0.9}}}, "train.optimizer"),
        ({"batch_size": 128}, "train.batch_size"),
        ({"seed": 5}, "train.seed"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    run(checked({"epochs": 1}), tmp_path)
    with pytest.raises(DiagnosticError) as caught:
        run(checked({"epochs": 1, **change}), tmp_path, resume=True)
    (found,) = caught.value.diagnostics
    assert (found.code, named in found.text) == ("NS472", True)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    run(checked({"epochs": 1}), tmp_path)
    other = checked({"epochs": 1}, ["Flatten", {"Linear": {"out_features": 10}}])
    with pytest.raises(DiagnosticError, match="the network is not that of this spec"):
        run(other, tmp_path, resume=True)


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    run(checked({"epochs": 1}), tmp_path)
    before = weights(tmp_path / "small")
    with pytest.raises(DiagnosticError, match="holds a run already"):
        run(checked({"epochs": 1, "seed": 3}), tmp_path)
    assert same(weights(tmp_path / "small"), before)
    run(checked({"epochs": 1, "seed": 3}), tmp_path, overwrite=True)
    assert not same(weights(tmp_path / "small"), before)


# --- losses that are no numbers ---------------------------------------------------------------------------


def test_the_step_and_the_layer_that_blow_up_are_named(tmp_path: Path) -> None:
    """A rate of 1e30 makes the first update's weights so large that the next step overflows."""
    layers = ["Flatten", {"Linear": {"out_features": 8}}, "ReLU", {"Linear": {"out_features": 10}}]
    network = checked({"optimizer": {"SGD": {"lr": 1e30}}}, layers)
    with pytest.raises(DiagnosticError) as caught:
        run(network, tmp_path)
    (found,) = caught.value.diagnostics
    assert found.code == "NS473"
    assert "step 2 (epoch 1)" in found.text
    assert "linear_2 is the first that gives NaN or infinity" in found.text
    assert found.notes[0].span is not None
    kept = list((tmp_path / "small" / "checkpoints").iterdir())
    assert kept
    with pytest.raises(DiagnosticError) as resumed:
        run(network, tmp_path, resume=True)
    assert resumed.value.diagnostics[0].text == found.text


def test_an_update_that_makes_weights_infinite_is_named(tmp_path: Path) -> None:
    layers = ["Flatten", {"Linear": {"out_features": 10}}]
    huge = {"SGD": {"lr": 3e38, "weight_decay": 1e4}}
    network = checked({"optimizer": huge, "batch_size": 2000, "epochs": 1}, layers)
    with pytest.raises(DiagnosticError) as caught:
        run(network, tmp_path)
    assert "step 1 (epoch 1): the update makes weights of layer linear_1" in caught.value.diagnostics[0].text


# --- devices ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    from netspec.train.devices import choose_device
    from netspec.train.distributed import ALONE

    assert choose_device("auto", ALONE) == torch.device("cpu")
    with pytest.raises(DiagnosticError) as caught:
        choose_device("cuda", ALONE)
    assert caught.value.diagnostics[0].code == "NS475"


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: no")],
)
def test_too_little_memory_names_what_to_lower(error: Exception) -> None:
    from netspec.train.devices import memory_faults

    with pytest.raises(DiagnosticError) as caught, memory_faults(torch.device("cpu"), 128):
        raise error
    (found,) = caught.value.diagnostics
    assert found.code == "NS476"
    assert "train.batch_size=64" in found.fill(found.help)
    with pytest.raises(RuntimeError, match="else"), memory_faults(torch.device("cpu"), 128):
        raise RuntimeError("something else")


def test_every_metric_is_finite(tmp_path: Path) -> None:
    found = run(checked(PLANS["everything"]), tmp_path)
    assert {"loss", "accuracy", "top5"} == found.records[-1].validation.keys()
    assert all(math.isfinite(value) for record in found.records for value in record.train.values())
    assert len(found.judged or ()) == 500
    assert TRAIN["epochs"] == len(found.records)
