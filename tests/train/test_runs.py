"""Training: it learns, the same seed gives the same bits, and a run that stops goes on as if it had not."""

from __future__ import annotations

import json
import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.diagnostics import DiagnosticError
from netspec.pipeline import check_text
from netspec.train import assembling, checkpoint, loop, records, training
from netspec.train.data.examples import Data, Examples
from netspec.train.data.opening import open_data
from netspec.train.distributed import World
from netspec.train.finishing import finish
from netspec.train.precision import precision_faults
from tests.train.running import TRAIN, Heard, checked, every_batch, run, same, spec, weights

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


@pytest.mark.usefixtures("every_batch")
def test_a_signal_in_the_last_epoch_is_heeded_too(tmp_path: Path, whole: dict[str, Any]) -> None:
    """Behind its last batch, where what follows would be the export."""
    last = 3 * 16  # batches
    stopped = run(checked(), tmp_path, listener=Heard(last, lambda: signal.raise_signal(signal.SIGTERM)))
    assert stopped.stopped == signal.SIGTERM
    assert len(stopped.records) == 3
    finished = run(checked(), tmp_path, resume=True)
    assert finished.stopped is None
    assert same(weights(tmp_path / "small"), weights(whole[json.dumps({})].folder.path))


@pytest.mark.parametrize("what", ["inputs", "targets"])
def test_a_checkpoint_of_other_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Of as many examples, under the same name."""
    run(checked({"epochs": 1}), tmp_path)

    def changed(*arguments: Any, **options: Any) -> Data:
        data = open_data(*arguments, **options)
        assert isinstance(data.train, Examples)
        array = data.train.inputs[0] if what == "inputs" else data.train.targets
        array[0] = array[0] + 1 if what == "inputs" else (array[0] + 1) % 10
        return data

    monkeypatch.setattr(training, "open_data", changed)
    with pytest.raises(DiagnosticError, match="the data set is not that of this spec"):
        run(checked({"epochs": 2}), tmp_path, resume=True)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"epoch": "one", "batch": 0, "best": None, "optimizer": {}, "scaler": {}},
        {"epoch": 1, "batch": 0, "best": "best", "optimizer": {}, "scaler": {}},
        {"epoch": 1, "batch": 0, "best": None, "optimizer": {"x": 1}, "scaler": {}},
        {"epoch": 1, "batch": 0, "best": None, "optimizer": [], "scaler": {}},
    ],
)
def test_a_checkpoint_that_only_says_to_be_this_runs_is_refused(
    tmp_path: Path, facts: dict[str, Any]
) -> None:
    first = run(checked({"epochs": 1}), tmp_path)
    (newest, *_) = sorted(first.folder.checkpoints.iterdir(), reverse=True)
    true = checkpoint.read(newest)
    forged = {"identity": true.facts["identity"], **facts}
    checkpoint.write(newest, checkpoint.Checkpoint(true.tensors, forged))
    with pytest.raises(DiagnosticError) as caught:
        run(checked({"epochs": 1}), tmp_path, resume=True)
    assert caught.value.diagnostics[0].code == "NS472"
    wrong = {name: torch.zeros(3) for name in true.tensors}
    said = {name: fact for name, fact in true.facts.items() if name != "sha256"}
    checkpoint.write(newest, checkpoint.Checkpoint(wrong, said))
    with pytest.raises(DiagnosticError, match="what it holds is not that of this spec"):
        run(checked({"epochs": 1}), tmp_path, resume=True)


# --- batches of the sizes that networks take ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "dims"),
    [(130, {}), ("batch", {"batch": {"min": 26, "max": 130, "multiple_of": 26}})],
    ids=["fixed", "multiples"],
)
def test_a_network_sees_only_batches_that_it_takes(
    tmp_path: Path, batch: int | str, dims: dict[str, Any]
) -> None:
    """2,000 examples make 15 batches of 130, and 50 are left; 500 are validated on."""
    given = json.loads(spec({"epochs": 1, "ema": 0.5}, ["Flatten", {"Linear": {"out_features": 10}}]))
    given |= {"inputs": {"image": [batch, 1, 28, 28]}} | ({"dims": dims} if dims else {})
    network = check_text(json.dumps(given), "small.json")
    seen: set[int] = set()

    def look(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen.add(len(inputs[0]))

    handle = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        found = run(network, tmp_path)
    finally:
        handle.remove()
    assert found.best is not None
    assert seen == ({130} if batch == 130 else {26, 130})
    finished = finish(network, found, progress=lambda stage, done: None)
    assert finished.built is not None
    assert finished.built.path is not None
    assert finished.agreement is not None
    assert finished.agreement.compared == 500
    assert finished.by_torch is not None
    assert finished.by_torch.figures == pytest.approx(
        {"accuracy": found.best.validation["accuracy"]}, abs=1e-9
    )


def test_a_batch_of_one_trains_where_images_have_many_pixels(tmp_path: Path) -> None:
    found = run(checked({"batch_size": 1, "epochs": 1, "validate_on": 0.99}), tmp_path)
    assert len(found.records) == 1


def test_processes_whose_part_is_too_small_are_told(tmp_path: Path) -> None:
    layers = ["Flatten", {"Linear": {"out_features": 10}}, "BatchNorm1d"]
    network = checked({"batch_size": 3}, layers)
    assert network.graph.training is not None
    admits = assembling.admitted(network.graph)
    assert [admits(count) for count in (1, 2, 3)] == [False, True, True]
    with pytest.raises(DiagnosticError) as caught:
        assembling.check_shares(network.graph.training, World(0, 2), admits)
    (found,) = caught.value.diagnostics
    assert found.code == "NS478"
    assert found.span is not None
    assembling.check_shares(network.graph.training, World(0, 1), admits)


# --- what torch has not -------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_tables_with_sparse_gradients_train(tmp_path: Path, optimizer: str) -> None:
    table = {"Embedding": {"num_embeddings": 256, "embedding_dim": 2, "sparse": True}}
    layers = ["Flatten", {"Cast": {"dtype": "int64"}}, table, "Flatten", {"Linear": {"out_features": 10}}]
    plan = {"optimizer": optimizer, "clip": 1.0, "ema": 0.9, "accumulate": 2, "epochs": 1}
    assert run(checked(plan, layers), tmp_path).best is not None


def test_a_layer_that_torch_lacks_in_half_precision_is_no_traceback() -> None:
    lacking = RuntimeError("could not create a primitive descriptor for the LSTM\nand more")
    with pytest.raises(DiagnosticError) as caught, precision_faults("fp16", torch.device("cpu")):
        raise lacking
    (found,) = caught.value.diagnostics
    assert (found.code, "primitive descriptor for the LSTM" in found.text) == ("NS480", True)
    assert "\n" not in found.text
    with pytest.raises(RuntimeError), precision_faults("float32", torch.device("cpu")):
        raise lacking


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


def test_a_run_whose_validation_is_never_a_number_has_no_best(tmp_path: Path) -> None:
    found = run(checked({"epochs": 1}), tmp_path)
    nan = found.records[0]._replace(validation={"loss": math.nan})
    with pytest.raises(DiagnosticError) as caught:
        finish(checked(), replace(found, records=(nan,)), progress=lambda stage, done: None)
    (fault,) = caught.value.diagnostics
    assert fault.code == "NS481"
    assert "last.safetensors" in fault.fill(fault.help)


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
