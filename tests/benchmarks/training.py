"""How fast netspec trains on this machine's CPU, beside the usual loop and beside the bare step.

    python -m tests.benchmarks.training [--data-dir FOLDER] [--rounds 5] [--examples 12800]

Aims, on two cores: LeNet and BN-LeNet at batch 256 at least 2.5 times the examples a second of the usual loop
(a DataLoader of 4 workers, each item through PIL, the loss read at every step), and at least 0.95 of the bare
step (the same network and optimizer on one batch that is already in place). Each way is a process of its own,
and they take turns; ratios are medians of those within a round. The usual loop has torch as it comes; netspec
and the bare step have threads that wait awake and memory that is kept, as the command lets them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import sleep

from netspec.process import keep_freed_memory, let_threads_spin
from tests.benchmarks.measuring.tables import show
from tests.benchmarks.measuring.turns import Epoch, in_turns

SUBSET = Path(__file__).parents[1] / "data" / "fashion-mnist-subset"
NETWORKS = ("lenet", "lenet_bn")
WAYS = ("netspec", "usual", "bare")
REST = 0.2  # seconds before each turn, in which the last one's threads go to sleep


def train(name: str, way: str, arguments: argparse.Namespace) -> None:
    """One way's process: trains an epoch for every line that comes in, and tells its examples a second."""
    if way != "usual":
        let_threads_spin()
        keep_freed_memory()
    from tests.benchmarks.measuring.training import Network  # torch reads how to wait when it is loaded

    network = Network(name, arguments.data_dir, examples=arguments.examples)
    if way == "netspec":
        epoch, _ = network.netspec()
    else:
        epoch = network.usual() if way == "usual" else network.bare()
    for _ in sys.stdin:
        print(epoch(), flush=True)


@contextmanager
def apart(name: str, way: str, arguments: argparse.Namespace) -> Iterator[Epoch]:
    """One way to train, in a process of its own."""
    script = [sys.executable, "-m", "tests.benchmarks.training", "--train", name, way]
    options = [f"--data-dir={arguments.data_dir}", f"--examples={arguments.examples}"]
    with subprocess.Popen(
        [*script, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        asking, telling = child.stdin, child.stdout
        assert asking is not None
        assert telling is not None

        def epoch() -> float:
            sleep(REST)
            print("epoch", file=asking, flush=True)
            return float(telling.readline())

        yield epoch
        asking.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data-dir", type=Path, default=SUBSET, help="where Fashion-MNIST lies")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--examples", type=int, default=12800, help="examples an epoch (default: 12800)")
    parser.add_argument("--train", nargs=2, metavar=("NAME", "WAY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        name, way = arguments.train
        train(name, way, arguments)
        return
    rows = []
    for name in NETWORKS:
        with ExitStack() as processes:
            ways = {way: processes.enter_context(apart(name, way, arguments)) for way in WAYS}
            found = list(in_turns(ways, arguments.rounds))
        speeds = [f"{median(turn[way] for turn in found):,.0f}" for way in ways]
        ratios = [f"{median(turn['netspec'] / turn[way] for turn in found):.2f}" for way in ("usual", "bare")]
        rows.append((name, *speeds, *ratios))
    show(
        ("network", "netspec, /s", "usual loop, /s", "bare step, /s", "netspec / usual", "netspec / bare"),
        rows,
    )


if __name__ == "__main__":
    main()
