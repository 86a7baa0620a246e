"""How long `netspec build` takes as a whole process, verification included, beside torch's exporter alone.

    python -m tests.benchmarks.build_process [--runs 5]

Aim: at most 0.6 of a script that imports torch and exports the same network with torch.onnx.export.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.measuring.processes import NETSPEC, PYTHON, in_turns
from tests.benchmarks.measuring.tables import compare

BUILD, EXPORT = "netspec build specs/lenet.yaml", "torch.onnx.export(dynamo=True)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="runs that count (default: 5)")
    runs = parser.parse_args().runs
    script = str(Path(__file__).parent / "measuring" / "export_lenet.py")
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            BUILD: [*NETSPEC, "build", "specs/lenet.yaml", "--out", folder],
            EXPORT: [PYTHON, script, str(Path(folder) / "exported.onnx")],
            'python -c "import torch"': [PYTHON, "-c", "import torch"],
        }
        compare(in_turns(commands, runs), EXPORT)


if __name__ == "__main__":
    main()
