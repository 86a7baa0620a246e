"""Build every spec and every variant at its full size, and show what the gates found.

    python -m tests.trials.every_spec [NAME …] [--out FOLDER]

It takes about half an hour on two cores. Exit code 1 where a gate did not pass.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from netspec.analysis.table import tabulate
from netspec.language.source import read
from netspec.pipeline import build, check
from netspec.verify.certificate import Verdict
from tests.benchmarks.measuring.tables import show

SPECS = Path(__file__).parents[2] / "specs"
SAMPLES = Path(__file__).parents[1] / "data" / "fashion-mnist-subset" / "t10k-images-idx3-ubyte.gz"
COLUMNS = ("network", "parameters", "verdict", "semantic", "share of the rounding bound", "seconds")


def networks(names: list[str]) -> list[tuple[Path, str | None]]:
    """Every spec with each of its variants, or those that are named."""
    found: list[tuple[Path, str | None]] = []
    for path in sorted(SPECS.glob("*.yaml")):
        variants = [None, *(read(path).value.get("variants") or {})]
        found += [
            (path, variant)
            for variant in variants
            if not names or {path.stem, variant or path.stem} & {*names}
        ]
    return found


def built(path: Path, variant: str | None, folder: Path) -> tuple[bool, tuple[str, ...]]:
    """Whether a network passed, and its row of the table."""
    start = perf_counter()
    checked = check(path, variant=variant)
    (given, *others) = checked.graph.inputs
    real = SAMPLES if given.preprocess is not None and given.value.type.known[1] == 1 and not others else None
    certificate = build(checked, out=folder, samples=real).certificate
    gates = {gate.name: gate.worst for gate in certificate.gates}
    semantic, rounding = gates["semantic"], gates["rounding"]
    row = (
        checked.graph.name,
        f"{tabulate(checked.graph).params:,}",
        str(certificate.verdict),
        "" if semantic is None else f"{semantic.error:.1e}",
        "" if rounding is None else f"{rounding.share:.2f}",
        f"{perf_counter() - start:.0f}",
    )
    return certificate.verdict is Verdict.PASSED, row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help="specs or variants; all unless given")
    parser.add_argument("--out", type=Path, help="keep the exports in this folder")
    arguments = parser.parse_args()
    rows = []
    passed = True
    for path, variant in networks(arguments.names):
        with tempfile.TemporaryDirectory() as temporary:
            good, row = built(path, variant, arguments.out or Path(temporary))
        print(*row, sep="\t", file=sys.stderr, flush=True)
        passed = passed and good
        rows.append(row)
    show(COLUMNS, rows)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
