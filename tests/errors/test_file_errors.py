"""What `build` and `verify` say when the disk, the data or a model is at fault; goldens as in test_errors."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import save_file

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


def weights_under_other_names() -> list[str]:
    torch.save({"fc.weight": torch.zeros(3, 4), "fc.bias": torch.zeros(3)}, "w.pth")
    return ["build", "tiny.yaml", "--weights", "w.pth"]


def weights_that_were_cut_off() -> list[str]:
    torch.save({"linear_1.weight": torch.zeros(3, 4)}, "whole.pth")
    Path("w.pth").write_bytes(Path("whole.pth").read_bytes()[:700])
    return ["build", "tiny.yaml", "--weights", "w.pth"]


class RunsCode:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("the file of weights has run this",)


def weights_that_run_code() -> list[str]:
    torch.save({"state_dict": {"linear_1.weight": torch.zeros(3, 4)}, "extra": RunsCode()}, "w.pth")
    return ["build", "tiny.yaml", "--weights", "w.pth"]


def weights_that_are_a_module() -> list[str]:
    torch.save(torch.nn.Linear(4, 3), "w.pth")
    return ["build", "tiny.yaml", "--weights", "w.pth"]


def weights_of_several_modules() -> list[str]:
    weights = torch.nn.Linear(4, 3).state_dict()
    torch.save({"generator": weights, "critic": weights}, "w.pth")
    return ["build", "tiny.yaml", "--weights", "w.pth"]


def weights_that_are_sparse() -> list[str]:
    torch.save({"linear_1.weight": torch.eye(3).to_sparse()}, "w.pth")
    return ["build", "tiny.yaml", "--weights", "w.pth"]


def three_layers() -> None:
    """A spec with two layers of one shape between two others."""
    layers = "  - Linear: {out_features: 4}\n" * 2
    Path("tiny.yaml").write_text(SPEC.replace("layers:\n", f"layers:\n{layers}"))


def weights_in_another_order() -> list[str]:
    three_layers()
    weights = {"module.in.weight": torch.zeros(4, 4), "module.in.bias": torch.zeros(4)}
    weights |= {"module.out.weight": torch.zeros(3, 4), "module.out.bias": torch.zeros(3)}
    weights |= {"module.mid.weight": torch.zeros(4, 4), "module.mid.bias": torch.zeros(4)}
    weights |= {"module.norm.weight": torch.zeros(4), "module.norm.bias": torch.zeros(4)}
    torch.save({"model": weights, "epoch": 3}, "w.pth")
    return ["build", "tiny.yaml", "--weights", "w.pth", "--weights-map", "order"]


def weights_without_an_order() -> list[str]:
    three_layers()
    weights = {f"{name}.weight": torch.zeros(4, 4) for name in ("stem", "block")}
    weights |= {f"{name}.bias": torch.zeros(4) for name in ("stem", "block")}
    weights |= {"head.weight": torch.zeros(3, 4), "head.bias": torch.zeros(3)}
    save_file(weights, "w.safetensors")
    return ["build", "tiny.yaml", "--weights", "w.safetensors", "--weights-map", "order"]


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


def model_without_its_plugin() -> list[str]:
    def change(metadata: dict[str, str]) -> None:
        metadata["netspec.spec"] = metadata["netspec.spec"].replace("Sigmoid", "Sigmoids")

    return model_with(change)


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
    weights_under_other_names,
    weights_that_were_cut_off,
    weights_that_run_code,
    weights_that_are_a_module,
    weights_of_several_modules,
    weights_that_are_sparse,
    weights_in_another_order,
    weights_without_an_order,
    samples_that_are_none,
    hostile_metadata,
    model_without_its_plugin,
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
