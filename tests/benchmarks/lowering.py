"""How long lowering and writing take, against torch's exporter and against one plain write of the same bytes.

    python -m tests.benchmarks.lowering [--folder DIR] [--runs 5]

Each figure is the median of several runs after a warm-up, the ways in turns, each into a new file of the
same folder, without waiting for the disk. Run it on a machine with nothing else to do: the weights' hash
wants a second core.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import nn

from netspec.ir.graph import Graph
from netspec.onnx_backend.export import export
from netspec.pipeline import check
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from netspec.verify.inputs import drawn_batch
from tests.benchmarks.measuring.tables import show

SPECS = Path(__file__).parents[2] / "specs"
LARGE = 10_000_000  # bytes; below, a plain write measures little but the opening of a file
TRACED_BATCH = 2  # while torch traces, which takes a batch of 1 for a fixed one

NETWORKS = (("lenet", None), ("alexnet", None), ("resnet", "resnet50"), ("densenet", "densenet121"))
"""Specs, and the variant that is measured."""

Way = Callable[[Path], object]


def netspec_way(graph: Graph, module: nn.Module) -> Way:
    weights = arrays(module)
    return lambda path: export(graph, weights, path)


def torch_way(graph: Graph, module: nn.Module) -> Way:
    example = tuple(map(torch.from_numpy, drawn_batch(graph, TRACED_BATCH, 0).values()))
    symbolic = tuple(
        {
            axis: torch.export.Dim.DYNAMIC
            for axis, size in enumerate(item.value.type.known)
            if not isinstance(size, int)
        }
        for item in graph.inputs
    )

    def run(path: Path) -> None:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                example,
                path,
                dynamo=True,
                dynamic_shapes=symbolic,
                opset_version=18,
                external_data=False,
                verbose=False,
            )

    return run


def plain_way(content: bytes) -> Way:
    def run(path: Path) -> None:
        with path.open("wb", buffering=0) as file:
            written = 0
            while written < len(content):
                written += file.write(memoryview(content)[written:]) or 0

    return run


def measured(ways: Mapping[str, Way], folder: Path, runs: int) -> Mapping[str, float]:
    """Seconds that each way takes: the median of `runs`, after one that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs + 1):
        for name, way in ways.items():
            path = folder / "model.onnx"
            start = perf_counter()
            way(path)
            taken[name].append(perf_counter() - start)
            for leftover in folder.iterdir():
                leftover.unlink()
    return {name: median(times[1:]) for name, times in taken.items()}


def main() -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, help="where to write (default: the system's)")
    parser.add_argument("--runs", type=int, default=5, help="runs that count (default: 5)")
    arguments = parser.parse_args()
    columns = ("network", "size", "netspec", "torch", "plain write", "torch / netspec", "netspec / plain")
    rows = []
    for name, variant in NETWORKS:
        graph = check(SPECS / f"{name}.yaml", variant=variant).graph
        module = build(graph).eval()
        with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
            folder = Path(temporary)
            ours = netspec_way(graph, module)
            ours(folder / "model.onnx")
            content = (folder / "model.onnx").read_bytes()
            ways = {"netspec": ours, "torch": torch_way(graph, module), "plain": plain_way(content)}
            seconds = measured(ways, folder, arguments.runs)
        rows.append(
            (
                graph.name,
                f"{len(content) / 1e6:.2f} MB",
                *(f"{seconds[way] * 1e3:.1f} ms" for way in ways),
                f"{seconds['torch'] / seconds['netspec']:.0f}",
                f"{seconds['netspec'] / seconds['plain']:.2f}" if len(content) > LARGE else "",
            )
        )
    show(columns, rows)


if __name__ == "__main__":
    main()
