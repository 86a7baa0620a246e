"""What `netspec verify` costs, by itself: seconds and memory beyond importing the libraries.

    python -m tests.benchmarks.verification [--runs 3] [NAME…]

Aims: LeNet at most 0.5 s, ResNet-18 at 224 by 224 at most 8 s, VGG-19 at most 60 s; memory at its peak at
most 8 times the weights. Other work on the machine lengthens the seconds on the clock, and hardly those on
the processor, which adds up what all cores do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from netspec.analysis.table import tabulate
from netspec.onnx_backend.export import export
from netspec.pipeline import check, check_text
from netspec.torch_backend.build import build
from netspec.torch_backend.calibrate import calibrate, has_statistics
from netspec.torch_backend.dtypes import tensor_of
from netspec.torch_backend.weights import arrays
from netspec.verify.inputs import drawn_batch
from tests.benchmarks.measuring.processes import PYTHON, ROOT, in_turns
from tests.benchmarks.measuring.tables import show

FLOAT32 = 4  # bytes
MEMORY_AIM = 8.0  # times the weights
SYMBOLS = {"H": 224, "W": 224}  # the sizes that the figures are for

# The command does so too: threads that wait leave the processor to others.
LIBRARIES = """
import netspec.process, netspec.pipeline
netspec.process.let_threads_sleep()
import netspec.verify.gates, onnx.reference.ops
"""
VERIFY = (
    LIBRARIES
    + """
from pathlib import Path
_, certificate = netspec.pipeline.verify_file(Path({path!r}))
assert certificate.verdict == "passed", certificate.problems
"""
)


class Network(NamedTuple):
    """A spec, the variant of it, and the seconds that its verification may take."""

    spec: str
    variant: str | None
    aim: float


NETWORKS = {
    "lenet": Network("lenet", None, 0.5),
    "resnet18": Network("resnet", "resnet18", 8.0),
    "vgg19": Network("vgg", "vgg19", 60.0),
}


def written(network: Network, folder: Path) -> tuple[Path, int]:
    """The network's file, with drawn weights and images of 224 by 224, and the bytes of its weights."""
    resolved = check(ROOT / "specs" / f"{network.spec}.yaml", variant=network.variant).graph.resolved
    fixed = {**resolved, "inputs": {name: _fixed(entry) for name, entry in resolved["inputs"].items()}}
    fixed.pop("dims", None)
    graph = check_text(json.dumps(fixed), network.spec).graph
    module = build(graph)
    if has_statistics(module):
        feeds = drawn_batch(graph, 4, 0)
        calibrate(module, [tensor_of(feeds[entry.name]) for entry in graph.inputs])
    path = folder / f"{graph.name}.onnx"
    export(graph, arrays(module.eval()), path)
    return path, FLOAT32 * tabulate(graph).params


def _fixed(entry: list[int | str] | Mapping[str, list[int | str]]) -> object:
    if isinstance(entry, Mapping):
        return {**entry, "shape": _fixed(entry["shape"])}
    return [SYMBOLS.get(str(size), size) for size in entry]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="runs that count (default: 3)")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.names or NETWORKS:
        network = NETWORKS[name]
        with tempfile.TemporaryDirectory() as folder:
            path, weights = written(network, Path(folder))
            commands = {
                "libraries": [PYTHON, "-c", LIBRARIES],
                "verify": [PYTHON, "-c", VERIFY.format(path=str(path))],
            }
            costs = in_turns(commands, arguments.runs)
        base, whole = costs["libraries"], costs["verify"]
        memory = (whole.peak - base.peak) / weights
        rows.append(
            (
                name,
                f"{weights / 1e6:.1f} MB",
                f"{whole.wall - base.wall:.2f} s",
                f"{whole.cpu - base.cpu:.2f} s",
                f"{whole.least_cpu - base.least_cpu:.2f} s",
                f"{network.aim:g} s",
                f"{(whole.peak - base.peak) / 1e6:.0f} MB",
                f"{memory:.1f}" if weights > whole.peak / 100 else f"({memory:.0f})",
                f"{MEMORY_AIM:g}",
            )
        )
    columns = ("network", "weights", "clock", "processor", "least", "aim", "peak", "of the weights", "aim")
    show(columns, rows)


if __name__ == "__main__":
    main()
