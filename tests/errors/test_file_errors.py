"""What `build` and `verify` say when the disk, the data or a model is at fault; goldens as in test_errors."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from tests.command_line import TINY, netspec
from tests.errors.test_errors import HERE, compare

SPEC = TINY.format(name="tiny", last="Sigmoid")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good spec, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SPEC)
    return tmp_path


def out_within_a_file() -> list[str]:
    return ["build", "tiny.yaml", "--out", "tiny.yaml/exports"]


def out_is_a_file() -> list[str]:
    return ["build", "tiny.yaml", "--out", "tiny.yaml"]


def model_s_place_is_a_folder() -> list[str]:
    os.makedirs("exports/tiny.onnx")
    return ["build", "tiny.yaml"]


def weights_that_are_none() -> list[str]:
    Path("w.safetensors").write_bytes(b"not weights at all")
    return ["build", "tiny.yaml", "--weights", "w.safetensors"]


def weights_of_another_network() -> list[str]:
    Path("other.yaml").write_text(SPEC.replace("out_features: 3", "out_features: 5"))
    assert netspec("build", "other.yaml", "--save-weights", "w.safetensors").code == 0
    return ["build", "tiny.yaml", "--weights", "w.safetensors"]


def samples_that_are_none() -> list[str]:
    Path("images.idx").write_bytes(b"P6 28 28 255\n")
    return ["build", "tiny.yaml", "--samples", "images.idx"]


def model_with(change: Callable[[dict[str, str]], None]) -> list[str]:
    """A model whose metadata somebody has altered."""
    assert netspec("build", "tiny.yaml").code == 0
    model = onnx.load("exports/tiny.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    change(metadata)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, "tiny.onnx")
    return ["verify", "tiny.onnx"]


def hostile_metadata() -> list[str]:
    def change(metadata: dict[str, str]) -> None:
        spec = json.loads(metadata["netspec.spec"])
        spec["inputs"] = {"forward": spec["inputs"]["x"]}
        spec["layers"] = [
            {"Linear": {"out_features": 3}, "name": "x'); __import__('os').system('true'); ('"},
            {"Sigmoid": {}, "name": "__class__"},
            {"Linear": {"out_features": "$__import__('os')"}, "name": "lambda"},
        ]
        metadata["netspec.spec"] = json.dumps(spec)

    return model_with(change)


def model_of_a_stranger() -> list[str]:
    def change(metadata: dict[str, str]) -> None:
        del metadata["netspec.spec"]

    return model_with(change)


def no_model() -> list[str]:
    Path("tiny.onnx").write_bytes(b"\x89PNG\r\n\x1a\n")
    return ["verify", "tiny.onnx"]


def test_a_dtype_that_onnxruntime_lacks() -> None:
    spec = SPEC.replace("[batch, 4]", "{shape: [batch, 1, 4, 4], dtype: float64}")
    Path("tiny.yaml").write_text(
        spec.replace("Linear: {out_features: 3}", "Conv2d: {out_channels: 3, kernel_size: 2}")
    )
    outcome = netspec("build", "tiny.yaml")
    assert outcome.code == 3
    assert "give the inputs the dtype float32" in " ".join(outcome.err.split())
    assert not Path("exports/tiny.onnx").exists()


CASES = [
    out_within_a_file,
    out_is_a_file,
    model_s_place_is_a_folder,
    weights_that_are_none,
    weights_of_another_network,
    samples_that_are_none,
    hostile_metadata,
    model_of_a_stranger,
    no_model,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_message_is_the_expected_one(case: Callable[[], list[str]]) -> None:
    outcome = netspec(*case())
    assert outcome.code == 1
    compare(outcome.err, HERE / f"made_{case.__name__}.txt")


def test_a_disk_that_fills(folder: Path) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
    try:
        outcome = netspec("build", "tiny.yaml")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert outcome.code == 1
    compare(outcome.err, HERE / "made_full_disk.txt")
    assert not list((folder / "exports").iterdir())
