"""How much memory the export and the verification of a large model need, weights in a file of their own.

    python -m tests.benchmarks.large [--gigabytes 0.3]

Aims: the export takes at most 0.3 of the weights beyond the weights themselves, the verification at most 4
of them beyond the libraries. With 2.4 gigabytes and more protobuf could not hold the model; that takes some
minutes and 12 GB of memory, so that it is run by choice. A smaller one goes the same way, since no model of
this benchmark keeps its weights inline.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.measuring.processes import PYTHON, ROOT
from tests.benchmarks.measuring.tables import show

LAYERS = 4
FLOAT32 = 4  # bytes
AIMS = {"export": 0.3, "verification": 4.0}

EXPORT = """
import json, sys, time
from pathlib import Path

import numpy as np

import netspec.onnx_backend.export as exporting
from netspec.pipeline import check
from tests.benchmarks.large import peak

graph = check(Path(sys.argv[1])).graph
exporting.INLINE_LIMIT = 0
draw = np.random.default_rng(0)
weights = {}
for node in graph:
    for weight in node.op.weights(*node.input_types):
        array = draw.standard_normal(weight.shape, dtype=np.float32)
        array *= np.float32(weight.shape[-1] ** -0.5)
        weights[f"{node.name}.{weight.name}"] = array
before, start = peak(), time.perf_counter()
written = exporting.export(graph, weights, Path(sys.argv[2]))
held = sum(array.nbytes for array in weights.values())
print(json.dumps([held, written.size, peak() - before, time.perf_counter() - start]))
"""

VERIFY = """
import json, sys, time
from pathlib import Path

import netspec.verify.gates
from netspec.pipeline import verify_file
from tests.benchmarks.large import peak

before, start = peak(), time.perf_counter()
_, certificate = verify_file(Path(sys.argv[2]))
assert certificate.verdict == "passed", [problem.text for problem in certificate.problems]
print(json.dumps([0, 0, peak() - before, time.perf_counter() - start]))
"""


def peak() -> int:
    """The largest amount of memory that this process has had so far, in bytes, mapped pages included.

    The system's own count would begin with that of the process from which this one was forked.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise OSError("the system does not tell")


def spec(gigabytes: float) -> str:
    """A network of square layers with that much weight."""
    width = math.isqrt(int(gigabytes * 1e9 / FLOAT32 / LAYERS))
    layers = ", ".join(f"{{Linear: {{out_features: {width}}}}}, ReLU" for _ in range(LAYERS))
    return f"netspec: 1\nname: large\ninputs: {{x: [batch, {width}]}}\nlayers: [{layers}]\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--gigabytes", type=float, default=0.3, help="of weights (default: 0.3)")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, model = Path(folder) / "large.yaml", Path(folder) / "large.onnx"
        source.write_text(spec(arguments.gigabytes), encoding="utf-8")
        weights = 0
        for name, script in ("export", EXPORT), ("verification", VERIFY):
            command = [PYTHON, "-c", script, str(source), str(model)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            held, _, beyond, seconds = json.loads(done.stdout)
            weights = weights or held
            share = beyond / weights
            aim = f"{AIMS[name]}, {'kept' if share <= AIMS[name] else 'missed'}"
            size = f"{weights / 1e9:.2f} GB"
            rows.append((name, size, f"{beyond / 1e9:.2f} GB", f"{share:.2f}", aim, f"{seconds:.0f} s"))
    show(("of a large model", "weights", "peak beyond", "of the weights", "aim", "time"), rows)


if __name__ == "__main__":
    main()
