"""Checkpoints: exact, whole or refused, and free of code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netspec.diagnostics import DiagnosticError, Source, Span
from netspec.ir.training import Named
from netspec.train import checkpoint
from netspec.train.checkpoint import Checkpoint, Checkpoints, load_optimizer, optimizer_state
from netspec.train.optimizing import make_optimizer, set_rate

NOWHERE = Span(Source("spec", ""), 0, 0)
CPU = torch.device("cpu")

OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.01},
    "AdamW": {"lr": 0.01, "amsgrad": True},
    "NAdam": {"lr": 0.01},
    "RAdam": {"lr": 0.01},
    "Adamax": {"lr": 0.01},
    "Adagrad": {"lr": 0.01},
    "Adadelta": {"lr": 0.5},
    "RMSprop": {"lr": 0.01, "momentum": 0.5, "centered": True},
    "ASGD": {"lr": 0.01},
    "Rprop": {"lr": 0.01},
}


def learner(name: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    return module, make_optimizer(Named(name, OPTIMIZERS[name], NOWHERE), module.parameters(), CPU)


def learn(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        set_rate(optimizer, 0.01 * (step + 1))
        optimizer.zero_grad()
        (module(x) - x.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    module, optimizer = learner(name)
    learn(module, optimizer, range(5))
    tensors, plain = optimizer_state(optimizer)
    saved = {**checkpoint.prefixed("model", module.state_dict()), **checkpoint.prefixed("optimizer", tensors)}
    checkpoint.write(tmp_path / "c.safetensors", Checkpoint(saved, {"optimizer": plain}))
    learn(module, optimizer, range(5, 9))
    other, resumed = learner(name)
    found = checkpoint.read(tmp_path / "c.safetensors")
    other.load_state_dict(found.part("model"))
    load_optimizer(resumed, found.part("optimizer"), found.facts["optimizer"])
    learn(other, resumed, range(5, 9))
    for ours, theirs in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def made(step: int) -> Checkpoint:
    return Checkpoint({"model.weight": torch.full((50,), float(step))}, {"step": step})


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() == (None, [])
    for step in range(4):
        checkpoints.save(made(step), 0, step)
    checkpoints.save(made(9), 1, 0)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-000000-000003.safetensors", "checkpoint-000001-000000.safetensors"]
    found, warnings = checkpoints.newest()
    assert found is not None
    assert (found.facts["step"], warnings) == (9, [])


def test_a_torn_one_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(made(1), 0, 1)
    newest = checkpoints.save(made(2), 0, 2)
    whole = newest.read_bytes()
    for length in range(0, len(whole), 7):
        newest.write_bytes(whole[:length])
        found, warnings = checkpoints.newest()
        assert found is not None
        assert found.facts["step"] == 1
        assert [warning.code for warning in warnings] == ["NS471"]


def test_every_flipped_byte_of_the_tensors_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.write(path, made(3))
    whole = path.read_bytes()
    for place in range(len(whole) - 200, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DiagnosticError) as caught:
            checkpoint.read(path)
        assert caught.value.diagnostics[0].code == "NS470"


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("code ran",))


def test_what_is_none_of_ours_is_refused_and_runs_no_code(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    path = folder / "checkpoint-000001-000000.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DiagnosticError) as caught:
        Checkpoints(folder).newest()
    assert [found.code for found in caught.value.diagnostics] == ["NS470"]
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(DiagnosticError, match="not written by this version"):
        Checkpoints(folder).newest()


def test_only_plain_files_are_checkpoints(tmp_path: Path) -> None:
    """Opening a pipe would wait for its writer."""
    (tmp_path / "checkpoint-000009-000000.safetensors").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "checkpoint-000008-000000.safetensors")
    assert Checkpoints(tmp_path).newest() == (None, [])
