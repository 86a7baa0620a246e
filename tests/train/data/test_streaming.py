"""Batches that workers read: in order, resumable, and gone when nobody reads on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from netspec.diagnostics import DiagnosticError
from netspec.train.data.examples import Stream
from netspec.train.data.images import ImageUnreadable
from netspec.train.data.streaming import streamed
from netspec.verify.tolerance import Array

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Numbered:
    """Examples that are ten times their number; one may fail, one may end the process."""

    failing: int = -1
    ending: int = -1

    def __call__(self, index: int) -> tuple[Array, ...]:
        if index == self.failing:
            raise DiagnosticError(ImageUnreadable(path=f"image {index}", reason="torn {x}"))
        if index == self.ending:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((1, 2, 2), index * 10, np.int64), np.array([index], np.float32)


def stream(**faults: int) -> Stream:
    return Stream(Numbered(**faults), np.arange(100, 120), np.arange(20))


def cut(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    return list(order.split(size))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_their_order(workers: int) -> None:
    part = stream().part(np.arange(19, 0, -2))  # positions are of the part, not of the whole
    order = torch.tensor([3, 1, 4, 0, 9, 2, 6])
    got = list(streamed(part, cut(order, 3), CPU, workers=workers))
    numbers = [19 - 2 * position for position in order.tolist()]
    assert [len(targets) for _, targets in got] == [3, 3, 1]
    assert torch.cat([targets for _, targets in got]).tolist() == [100 + number for number in numbers]
    assert torch.cat([inputs[0] for inputs, _ in got])[:, 0, 1, 1].tolist() == [10 * n for n in numbers]
    assert torch.cat([inputs[1] for inputs, _ in got])[:, 0].tolist() == numbers
    assert got[0][0][0].shape == (3, 1, 2, 2)


def test_no_batches_are_no_batches() -> None:
    assert list(streamed(stream(), [], CPU, workers=0)) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_example_is_the_readers_own_word(workers: int) -> None:
    batches = streamed(stream(failing=5), cut(torch.arange(20), 4), CPU, workers=workers)
    assert next(batches)[1].tolist() == [100, 101, 102, 103]
    with pytest.raises(DiagnosticError) as raised:
        next(batches)
    assert raised.value.diagnostics == (ImageUnreadable(path="image 5", reason="torn {x}"),)


def test_a_lost_worker_is_told() -> None:
    batches = streamed(stream(ending=5), cut(torch.arange(20), 4), CPU, workers=1)
    with pytest.raises(DiagnosticError) as raised:
        list(batches)
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "NS469"
    assert "DataLoader worker" in diagnostic.text


def test_reading_draws_nothing() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(streamed(stream(), cut(torch.arange(20), 8), CPU, workers=1))
    assert torch.equal(torch.get_rng_state(), before)


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of processes")
def test_workers_end_with_the_iterator() -> None:
    before = children()
    batches = streamed(stream(), cut(torch.arange(20), 2), CPU, workers=2)
    next(batches)
    assert len(children() - before) == 2
    batches.close()  # type: ignore[attr-defined]
    assert children() - before == set()


PARENT = """
import sys, time
import numpy as np, torch
from pathlib import Path
from netspec.train.data.examples import Stream
from netspec.train.data.streaming import streamed

def read(index):
    return (np.zeros(1),)

batches = streamed(Stream(read, np.zeros(99), np.arange(99)), list(torch.arange(99).split(1)),
                   torch.device("cpu"), workers=2)
next(batches)
import os
print(*Path(f"/proc/self/task/{os.getpid()}/children").read_text().split(), flush=True)
time.sleep(60)
"""


def gone(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of processes")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        workers = parent.stdout.readline().split()
        assert len(workers) == 2
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)  # as a terminal does
        else:
            parent.send_signal(number)
        parent.wait(20)
        deadline = time.monotonic() + 20
        while not all(map(gone, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert all(map(gone, workers))
        # The parent's own traceback at most: workers have nothing to say.
        assert "worker" not in parent.stderr.read()
