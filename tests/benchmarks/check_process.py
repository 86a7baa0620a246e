"""How long `netspec check` takes as a whole process, beside a Python that only imports torch.

    python -m tests.benchmarks.check_process [--runs 15]

Aim: at most 0.20 of it.
"""

from __future__ import annotations

import argparse

from tests.benchmarks.measuring.processes import NETSPEC, PYTHON, in_turns
from tests.benchmarks.measuring.tables import compare

CHECK, TORCH = "netspec check specs/alexnet.yaml", 'python -c "import torch"'
COMMANDS = {
    CHECK: [*NETSPEC, "check", "specs/alexnet.yaml"],
    TORCH: [PYTHON, "-c", "import torch"],
    'python -c "pass"': [PYTHON, "-c", "pass"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=15, help="runs that count (default: 15)")
    compare(in_turns(COMMANDS, parser.parse_args().runs), TORCH)


if __name__ == "__main__":
    main()
