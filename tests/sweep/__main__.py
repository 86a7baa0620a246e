"""Sweep the catalogue: random configurations of every operation, in every engine.

    python -m tests.sweep [--count 20000] [--compare 500] [--seed 0] [--jobs 2] [--json FILE] [NAME …]

NAME is an operation or a family; without one, all are swept. Each configuration is exported at four opsets
and run at batches of 1 and 3, on inputs around 1 and on large ones, against torch in float64. Ends with 1 if
anything is wrong. The same seed gives the same configurations.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path

import onnx
import onnxruntime
import torch

from tests.sweep import report
from tests.sweep.configurations import known
from tests.sweep.judging import BATCHES, OPSETS
from tests.sweep.sweeping import compared, sweep


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="an operation or a family (default: all)")
    parser.add_argument("--count", type=int, default=20_000, help="configurations (default: 20000)")
    parser.add_argument("--compare", type=int, default=0, help="configurations for torch's exporter too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side (default: 2)")
    parser.add_argument("--json", type=Path, help="write all results there")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    operations = known(arguments.names)
    start = time.perf_counter()
    tallies = sweep(operations, arguments.count, arguments.seed, arguments.jobs)
    seconds = time.perf_counter() - start
    print(report.failures(tallies))
    print(report.plain(report.COLUMNS, report.rows(tallies)), flush=True)
    found = None
    if arguments.compare:
        found = compared(operations, arguments.compare, arguments.count, arguments.seed, arguments.jobs)
        print("\n".join(f"{side}: {op}: {outcome}: {said}" for side, op, outcome, said in found.notes))
        print(report.comparison(found))
    facts = {
        "seed": arguments.seed,
        "opsets": OPSETS,
        "batches": BATCHES,
        "seconds": round(seconds),
        "versions": {library.__name__: library.__version__ for library in (torch, onnx, onnxruntime)},
    }
    if arguments.json:
        content = json.dumps(report.document(tallies, found, facts), indent=1)
        arguments.json.write_text(content + "\n", encoding="utf-8")
    return int(any(any(report.wrongs(tally)) for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
