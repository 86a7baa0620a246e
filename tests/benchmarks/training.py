"""How fast netspec trains on this machine's CPU, beside the usual loop and beside the bare step.

    python -m tests.benchmarks.training [--data-dir FOLDER] [--rounds 5] [--examples 12800]

Aims, on two cores: LeNet and BN-LeNet at batch 256 at least 2.5 times the examples a second of the usual loop
(a DataLoader of 4 workers, each item through PIL, the loss read at every step), and at least 0.95 of the bare
step (the same network and optimizer on one batch that is already in place). The ways take turns; ratios are
medians of those within a round.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

from netspec.process import let_threads_spin
from tests.benchmarks.measuring.tables import show
from tests.benchmarks.measuring.training import Network, in_turns

SUBSET = Path(__file__).parents[1] / "data" / "fashion-mnist-subset"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data-dir", type=Path, default=SUBSET, help="where Fashion-MNIST lies")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--examples", type=int, default=12800, help="examples an epoch (default: 12800)")
    arguments = parser.parse_args()
    let_threads_spin()  # as the command does, for all three
    rows = []
    for name in ("lenet", "lenet_bn"):
        network = Network(name, arguments.data_dir, examples=arguments.examples)
        ways = {"netspec": network.netspec()[0], "usual": network.usual(), "bare": network.bare()}
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
