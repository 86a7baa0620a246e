"""How checking grows with what a spec of blocks, loops and branches expands to.

    python -m tests.benchmarks.expansion [--runs 5]

Aim: at most 12 times as long for 100,000 layers as for 10,000.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.chain import columns_and_rows
from tests.benchmarks.measuring.processes import NETSPEC, in_turns
from tests.benchmarks.measuring.tables import show

SPEC = """\
netspec: 1
inputs: {{image: [batch, 8, 32, 32]}}
params: {{rounds: {rounds}}}
blocks:
  Residual:
    params: {{channels: int, stride: 1}}
    layers:
      - branches:
          main:
            - Conv2d: {{out_channels: $channels, kernel_size: 3, padding: 1}}
            - BatchNorm2d
            - ReLU
            - Conv2d: {{out_channels: $channels, kernel_size: 3, padding: 1}}
          shortcut:
            - Conv2d: {{out_channels: $channels, kernel_size: 1}}
              if: $in.channels != $channels
        merge: Add
      - ReLU
layers:
  - for: {{width: [8, 16]}}
    name: stage
    do:
      - for: {{round: range($rounds)}}
        name: round
        do:
          - Residual: {{channels: $width}}
            repeat: 5
"""
"""Six layers a block, ten blocks a round, and one convolution where the width changes."""

SHORT, LONG = 167, 1_667


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="runs that count (default: 5)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for rounds in (0, SHORT, LONG):
            path = Path(folder) / f"expansion_{rounds}.yaml"
            path.write_text(SPEC.format(rounds=rounds), encoding="utf-8")
            commands[60 * rounds + bool(rounds)] = [*NETSPEC, "check", str(path)]
        costs = in_turns(commands, runs)
    show(*columns_and_rows(costs))


if __name__ == "__main__":
    main()
