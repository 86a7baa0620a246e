"""How checking grows with a network's length: straight chains of layers, each written out.

    python -m tests.benchmarks.chain [--runs 5]

Aims: at most 1 s for 10,000 layers, and at most 12 times that for 100,000.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measuring.processes import NETSPEC, Costs, in_turns
from tests.benchmarks.measuring.tables import show

SHORT, LONG = 10_000, 100_000
HEAD = "netspec: 1\ninputs: {image: [batch, 8, 32, 32]}\nlayers:\n"
LAYERS = ("Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}", "BatchNorm2d", "ReLU", "Dropout")


def chain(length: int) -> str:
    """A spec of so many layers, one after the other."""
    return HEAD + "".join(f"  - {LAYERS[number % len(LAYERS)]}\n" for number in range(length))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="runs that count (default: 5)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for length in (1, SHORT, LONG):
            path = Path(folder) / f"chain_{length}.yaml"
            path.write_text(chain(length), encoding="utf-8")
            commands[length] = [*NETSPEC, "check", str(path)]
        costs = in_turns(commands, runs)
    show(*columns_and_rows(costs))


def columns_and_rows(costs: Mapping[int, Costs]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table of what networks cost by their number of layers; the first is nothing but the start."""
    columns = (
        "layers",
        "clock",
        "processor",
        "least processor",
        "ratio",
        "ratio without the start",
        "peak memory",
    )
    start, short, *_ = costs.values()
    rows = [
        (
            f"{length:,}",
            *(f"{seconds:.2f} s" for seconds in (taken.wall, taken.cpu, taken.least_cpu)),
            f"{taken.least_cpu / short.least_cpu:.2f}",
            f"{_beyond(taken, start) / _beyond(short, start):.2f}",
            f"{taken.peak / 1e6:.0f} MB",
        )
        for length, taken in costs.items()
    ]
    return columns, rows


def _beyond(taken: Costs, start: Costs) -> float:
    """Seconds that the layers themselves take."""
    return taken.least_cpu - start.least_cpu


if __name__ == "__main__":
    main()
