"""What whole processes cost: seconds on the clock and on the processor, and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).parents[3]
PYTHON = sys.executable
NETSPEC = (PYTHON, "-m", "netspec")
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in which the system counts memory


Name = TypeVar("Name", bound=Hashable)


class Cost(NamedTuple):
    """One run of a process: seconds on the clock, seconds on the processor, bytes of memory at the peak."""

    wall: float
    cpu: float
    peak: int


class Costs(NamedTuple):
    """Several runs of one process."""

    runs: Sequence[Cost]

    @property
    def wall(self) -> float:
        return median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)

    @property
    def least_cpu(self) -> float:
        """The best run's: what other work on the machine disturbs least."""
        return min(run.cpu for run in self.runs)

    @property
    def peak(self) -> int:
        return max(run.peak for run in self.runs)


def in_turns(commands: Mapping[Name, Sequence[str]], runs: int) -> dict[Name, Costs]:
    """Run every command `runs` times, A B A B, after one run of each that warms the caches."""
    found: dict[Name, list[Cost]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            cost = run(command)
            if number:
                found[name].append(cost)
    return {name: Costs(costs) for name, costs in found.items()}


def run(command: Sequence[str]) -> Cost:
    """Run one command to its end; one that fails ends the benchmark with what it printed."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT, env=_environment())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)}\n{output.read().decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT)


def _environment() -> dict[str, str]:
    """The caller's, with this checkout first; bytecode is kept, as that of an installed package is."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
