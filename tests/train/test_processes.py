"""Runs as processes: killed without warning, stopped by signals, several together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.train import records
from netspec.train.distributed import peer_faults
from tests.command_line import ROOT
from tests.train.running import DATA, checked, run, same, spec, weights

PATIENCE = 120.0  # seconds for a process that takes about ten


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def command(folder: Path, plan: dict[str, Any], *options: str, layers: list[Any] | None = None) -> list[str]:
    """`netspec train` on a small spec in the folder."""
    (folder / "small.json").write_text(spec(plan, layers))
    arguments = ["--data-dir", str(DATA), "--out", str(folder), "--device", "cpu", "--no-download"]
    return ["-m", "netspec", "train", str(folder / "small.json"), *arguments, *options]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def started(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def epochs(folder: Path) -> int:
    path = folder / "small" / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def wait_for(condition: Any, process: subprocess.Popen[str]) -> None:
    end = monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or monotonic() > end:
            process.kill()
            pytest.fail(f"ended early: {process.communicate()}")
        sleep(0.005)


PLAN = {"epochs": 12, "batch_size": 65}


def test_a_run_that_is_killed_goes_on_bit_for_bit(folder: Path) -> None:
    whole = run(checked(PLAN), folder / "whole")
    first = started(command(folder, PLAN, "--no-export"))
    wait_for(lambda: epochs(folder) >= 2, first)
    first.kill()
    first.communicate()
    assert epochs(folder) < 12
    second = started(command(folder, PLAN, "--no-export", "--resume"))
    wait_for(lambda: epochs(folder) >= 5, second)
    second.kill()
    second.communicate()
    assert epochs(folder) < 12
    last = started(command(folder, PLAN, "--no-export", "--resume"))
    _, errors = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, errors
    assert same(weights(folder / "small"), weights(whole.folder.path))
    ours = records.read(folder / "small" / "metrics.jsonl")
    assert [r.validation for r in ours] == [r.validation for r in whole.records]
    assert len(list((folder / "small" / "checkpoints").iterdir())) == 2
    leftovers = [path.name for path in (folder / "small").iterdir() if path.name.startswith(".")]
    assert leftovers == [".lock"] or all(name == ".lock" or name.count("-") for name in leftovers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_when_its_step_is_saved(folder: Path, number: signal.Signals) -> None:
    process = started(command(folder, {"epochs": 500}))
    wait_for(lambda: epochs(folder) >= 1, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert errors.endswith("and saved; go on with --resume\n")
    assert "Traceback" not in errors


# --- several processes --------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def torchrun() -> Iterator[Any]:
    running: list[subprocess.Popen[str]] = []

    def start(arguments: list[str]) -> subprocess.Popen[str]:
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}"]
        running.append(started([*launcher, *arguments]))
        return running[-1]

    yield start
    for process in running:
        process.kill()


def test_two_processes_train_as_one(folder: Path, torchrun: Any) -> None:
    """Without batch normalisation and dropout, whose draws and statistics are each process' own."""
    layers = ["Flatten", {"Linear": {"out_features": 16}}, "Tanh", {"Linear": {"out_features": 10}}]
    plan = {
        "epochs": 3,
        "batch_size": 129,
        "clip": 0.5,
        "accumulate": 2,
        "metrics": ["accuracy", "per_class"],
    }
    alone = run(checked(plan, layers), folder / "alone")
    process = torchrun(command(folder, plan, "--no-export", "--format", "json", layers=layers))
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    together = records.read(folder / "small" / "metrics.jsonl")
    assert len(together) == 3
    for ours, theirs in zip(together, alone.records, strict=True):
        assert ours.train == pytest.approx(theirs.train, rel=1e-5)
        assert ours.validation == pytest.approx(theirs.validation, rel=1e-5)
    assert alone.best is not None
    assert json.loads(output)["best"]["epoch"] == alone.best.epoch
    for name, tensor in weights(alone.folder.path).items():
        assert weights(folder / "small")[name].sub(tensor).abs().max() < 1e-5


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not list processes there")
def test_a_run_goes_on_after_a_worker_was_lost(folder: Path, torchrun: Any) -> None:
    plan = {"batch_size": 65}
    process = torchrun(command(folder, {**plan, "epochs": 500}, "--no-export"))
    wait_for(lambda: epochs(folder) >= 2, process)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    done = epochs(folder)
    assert done < 500
    again = torchrun(command(folder, {**plan, "epochs": done + 1}, "--no-export", "--resume"))
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    assert [r.epoch for r in records.read(folder / "small" / "metrics.jsonl")] == list(range(1, done + 2))


def test_what_the_first_process_lacks_ends_the_others_without_a_traceback(folder: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    arguments = [*command(folder, {}, "--no-export"), "--data-dir", str(folder / "nowhere")]
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    both = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**environment(), **world, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for rank in "01"
    ]
    (_, first), (_, second) = (process.communicate(timeout=PATIENCE) for process in both)
    assert [process.returncode for process in both] == [1, 1]
    assert "NS430" in first
    assert "NS482" in second
    assert "Traceback" not in first + second


@pytest.mark.parametrize("text", ["[pair.cc:553] Connection closed by peer", "gloo: Broken pipe"])
def test_a_lost_process_is_told_from_other_faults(text: str) -> None:
    with pytest.raises(DiagnosticError, match="a process that trains along was lost"), peer_faults():
        raise RuntimeError(text)
    with pytest.raises(RuntimeError, match="else"), peer_faults():
        raise RuntimeError("something else")
