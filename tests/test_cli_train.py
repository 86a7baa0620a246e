"""`netspec train`: what appears, what is said, and the code to leave with."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from netspec.train.agreement import Agreement
from tests.command_line import SPECS, files, netspec, tiny
from tests.train.running import DATA, spec

HERE = ["--data-dir", DATA, "--no-download", "--device", "cpu"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_train_goes_from_a_spec_to_a_verified_model_with_its_pictures(tmp_path):
    outcome = netspec("train", SPECS / "lenet_bn.yaml", *HERE, "--set", "train.epochs=2", "--tensorboard")
    assert outcome.code == 0, outcome.err
    folder = tmp_path / "runs" / "lenet_bn"
    events, *found = sorted(files(folder), key=lambda name: "events" not in name)
    assert events.startswith("tensorboard/events")
    assert found == [
        ".lock",
        "checkpoints",
        "checkpoints/checkpoint-000001-000000.safetensors",
        "checkpoints/checkpoint-000002-000000.safetensors",
        "confusion.png",
        "curves.png",
        "environment.json",
        "features.png",
        "kernels.png",
        "last.safetensors",
        "lenet_bn.cert.json",
        "lenet_bn.onnx",
        "metrics.jsonl",
        "spec.yaml",
        "tensorboard",
        "weights.safetensors",
    ]
    first, torch_line, onnx_line, agreement, model, *gates = outcome.out.splitlines()
    assert first.startswith("runs/lenet_bn: best epoch ")
    assert torch_line.split()[0] == "torch"
    assert torch_line.split()[1:] == onnx_line.split()[1:]
    assert "500 of 500 predictions are the same" in agreement
    assert model.startswith("runs/lenet_bn/lenet_bn.onnx: passed")
    assert model.endswith("trained weights")
    assert all(gate.split()[0] == "passed" for gate in gates)
    assert "32 real samples" in gates[-1]
    lines = [line for line in outcome.err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    # What lies there is what a user deploys: bytes in, classes out.
    session = onnxruntime.InferenceSession(folder / "lenet_bn.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": np.zeros((3, 1, 28, 28), np.float32)})[0].shape == (3, 10)
    assert netspec("check", folder / "spec.yaml").code == 0
    assert netspec("build", folder / "spec.yaml", "--weights", folder / "weights.safetensors").code == 0


def test_json_has_it_all(tmp_path):
    (tmp_path / "small.json").write_text(spec({"epochs": 1, "metrics": ["accuracy", "per_class"]}))
    outcome = netspec("train", "small.json", *HERE, "--format", "json", "--no-export")
    assert outcome.code == 0, outcome.err
    assert outcome.data["run"] == "runs/small"
    assert outcome.data["best"]["epoch"] == 1
    assert len(outcome.data["epochs"]) == 1
    assert outcome.data["torch"]["accuracy"] == outcome.data["best"]["validation"]["accuracy"]
    recall = outcome.data["per_class"]
    assert list(recall)[:2] == ["T-shirt/top", "Trouser"]
    assert sum(recall.values()) / 10 == pytest.approx(outcome.data["torch"]["accuracy"])  # 50 of each class
    assert outcome.data["model"] is outcome.data["certificate"] is outcome.data["onnxruntime"] is None
    assert not (tmp_path / "runs" / "small" / "small.onnx").exists()


def test_a_spec_without_training_says_what_to_add(tmp_path):
    outcome = netspec("train", tiny(tmp_path), *HERE)
    assert outcome.code == 1
    assert "NS474" in outcome.err
    assert "train: {data: fashion-mnist, epochs: 10" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_data_that_is_not_there_is_named_file_by_file(tmp_path):
    (tmp_path / "small.json").write_text(spec())
    outcome = netspec("train", "small.json", "--data-dir", "nowhere", "--no-download", "--device", "cpu")
    assert outcome.code == 1
    assert "train-images-idx3-ubyte.gz" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_gpu_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "small.json").write_text(spec())
    outcome = netspec("train", "small.json", "--data-dir", DATA, "--device", "cuda")
    assert outcome.code == 1
    assert "NS475" in outcome.err
    assert "--device cpu" in outcome.err


def test_a_run_is_resumed_or_refused_or_begun_anew(tmp_path):
    (tmp_path / "small.json").write_text(spec({"epochs": 1}))
    assert netspec("train", "small.json", *HERE, "--no-export").code == 0
    again = netspec("train", "small.json", *HERE, "--no-export")
    assert again.code == 1
    assert "--resume" in again.err
    both = netspec("train", "small.json", *HERE, "--resume", "--force")
    assert both.code == 2
    longer = netspec("train", "small.json", *HERE, "--no-export", "--resume", "--set", "train.epochs=2")
    assert longer.code == 0
    assert [line.split()[1] for line in longer.err.splitlines() if "epoch" in line] == ["2/2"]
    assert len((tmp_path / "runs" / "small" / "metrics.jsonl").read_text().splitlines()) == 2
    assert netspec("train", "small.json", *HERE, "--no-export", "--force").code == 0
    assert len((tmp_path / "runs" / "small" / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    """The system refuses the third file that a checkpoint would be."""
    from netspec.train import checkpoint

    (tmp_path / "small.json").write_text(spec())
    written, refuse = [], checkpoint.write

    def write(path, content):
        written.append(path)
        if len(written) > 2:
            from netspec.diagnostics import DiagnosticError
            from netspec.files import CannotWrite

            raise DiagnosticError(CannotWrite(path=str(path), reason="no space left on device", number=28))
        refuse(path, content)

    monkeypatch.setattr(checkpoint, "write", write)
    outcome = netspec("train", "small.json", *HERE, "--no-export")
    assert outcome.code == 1
    assert "no space left on device" in outcome.err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert netspec("train", "small.json", *HERE, "--no-export", "--resume").code == 0
    loss = json.loads((tmp_path / "runs" / "small" / "metrics.jsonl").read_text().splitlines()[-1])
    assert loss["epoch"] == 3


def test_json_has_no_infinity(tmp_path, monkeypatch):
    """Outputs that are infinite at other places are infinitely far apart."""
    apart = Agreement(500, 0, 0, math.inf, 1e-6, ())
    monkeypatch.setattr("netspec.train.finishing.agree", lambda *arguments, **options: apart)
    (tmp_path / "small.json").write_text(spec({"epochs": 1}))
    outcome = netspec("train", "small.json", *HERE, "--format", "json")
    assert outcome.code == 0, outcome.err
    assert "Infinity" not in outcome.out
    assert outcome.data["agreement"] == {
        "compared": 500,
        "differ": 0,
        "ties": 0,
        "error": None,
        "bound": 1e-6,
    }
