"""Change exports in every way at hand, and show which gate finds it.

    python -m tests.verify.mutants [NAME …] [--each 56] [--seed 0] [--jobs 2]

Each network gives up to `--each` mutants untrained and as many trained, drawn from all that there are. Ends
with 1 if a mutant lives that is not proven to compute the same.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter

from tests.verify.mutants.judging import Outcome
from tests.verify.mutants.networks import names
from tests.verify.mutants.running import in_own_process
from tests.verify.mutants.table import report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.verify.mutants")
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all unless given")
    parser.add_argument(
        "--each", type=int, default=56, help="mutants of each network's weights (default: 56)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side (default: 2)")
    arguments = parser.parse_args()
    start = time.perf_counter()
    work = [(name, arguments.each, arguments.seed) for name in arguments.names or names()]
    found: list[Outcome] = []
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        for outcomes in pool.imap(in_own_process, work):
            found += outcomes
            for network, count in Counter(outcome.network for outcome in outcomes).items():
                print(f"{network}: {count} mutants", file=sys.stderr, flush=True)
    print(report(found))
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 1 if any(outcome.lives for outcome in found) else 0


if __name__ == "__main__":
    sys.exit(main())
