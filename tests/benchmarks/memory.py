"""How much memory `netspec build` needs at its peak, as a multiple of the network's weights.

    python -m tests.benchmarks.memory

Aim: beyond what importing the libraries takes, at most 4 times the weights. Counted are all pages that are
resident, those of the mapped file included.
"""

from __future__ import annotations

import tempfile

from netspec.analysis.table import tabulate
from netspec.pipeline import check
from tests.benchmarks.measuring.processes import NETSPEC, PYTHON, ROOT, run
from tests.benchmarks.measuring.tables import show

FLOAT32 = 4  # bytes
SPEC = "specs/alexnet.yaml"
LIBRARIES = (
    "import netspec.pipeline, netspec.onnx_backend.export, netspec.torch_backend.build, netspec.verify.gates"
)


def main() -> None:
    weights = FLOAT32 * tabulate(check(ROOT / SPEC).graph).params
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "importing the libraries": [PYTHON, "-c", LIBRARIES],
            "netspec build specs/edge_detector.yaml": [
                *NETSPEC, "build", "specs/edge_detector.yaml", "--out", folder
            ],
            f"netspec build {SPEC}": [*NETSPEC, "build", SPEC, "--out", folder],
        }  # fmt: skip
        peaks = {name: run(command).peak for name, command in commands.items()}
    base = peaks["importing the libraries"]
    rows = [
        (name, f"{peak / 1e6:.0f} MB", f"{peak / weights:.2f}", f"{(peak - base) / weights:.2f}")
        for name, peak in peaks.items()
    ]
    show(("process", "peak", "of the weights", "beyond the libraries"), rows)


if __name__ == "__main__":
    main()
