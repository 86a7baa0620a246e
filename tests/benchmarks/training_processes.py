"""How fast two processes train together on the CPU, beside a bare loop of theirs and beside one process.

    python -m tests.benchmarks.training_processes [--data-dir FOLDER] [--rounds 3] [--examples 12800]

Aim: at least 0.95 of the bare loop: DistributedDataParallel over Gloo around the same network, with the same
optimizer, on a batch that is already in place. Each process has one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from statistics import median

import torch
from torch.nn.parallel import DistributedDataParallel

from netspec.process import keep_freed_memory
from netspec.train.distributed import from_environment, joined
from tests.benchmarks.measuring.tables import show
from tests.benchmarks.measuring.training import Network
from tests.benchmarks.measuring.turns import in_turns

SUBSET = Path(__file__).parents[1] / "data" / "fashion-mnist-subset"
NETWORKS = ("lenet", "lenet_bn")


def measure(name: str, data_dir: Path, rounds: int, examples: int) -> list[dict[str, float]]:
    """Examples a second of this process' world, round by round."""
    keep_freed_memory()  # as the command does, for the bare loop too
    torch.set_num_threads(1)
    world = from_environment()
    with joined(world, torch.device("cpu")):
        network = Network(name, data_dir, examples=examples, world=world)
        wrapped = {"wrap": DistributedDataParallel} if world.size > 1 else {}
        return list(in_turns({"netspec": network.netspec()[0], "bare": network.bare(**wrapped)}, rounds))


def measured(name: str, processes: int, arguments: argparse.Namespace) -> list[dict[str, float]]:
    """The same in processes of their own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", f"--master-port={port}"]
    script = ["-m", "tests.benchmarks.training_processes", "--measure", name]
    options = [f"--{key}={getattr(arguments, key)}" for key in ("rounds", "examples")]
    done = subprocess.run(
        [sys.executable, *launcher, *script, *options, f"--data-dir={arguments.data_dir}"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[{")]
    return list(found[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data-dir", type=Path, default=SUBSET, help="where Fashion-MNIST lies")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (default: 3)")
    parser.add_argument("--examples", type=int, default=12800, help="examples an epoch (default: 12800)")
    parser.add_argument("--measure", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        found = measure(arguments.measure, arguments.data_dir, arguments.rounds, arguments.examples)
        if from_environment().is_first:
            print(json.dumps(found), flush=True)
        return
    rows = []
    for name in NETWORKS:
        two, one = (measured(name, processes, arguments) for processes in (2, 1))
        speed = {way: median(turn[way] for turn in two) for way in ("netspec", "bare")}
        alone = median(turn["netspec"] for turn in one)
        ratio = median(turn["netspec"] / turn["bare"] for turn in two)
        figures = (speed["netspec"], speed["bare"], alone)
        rows.append(
            (name, *(f"{f:,.0f}" for f in figures), f"{ratio:.2f}", f"{speed['netspec'] / alone:.2f}")
        )
    columns = ("network", "two, /s", "bare loop of two, /s", "one, /s", "two / bare", "two / one")
    show(columns, rows)


if __name__ == "__main__":
    main()
