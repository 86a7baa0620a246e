"""How long onnxruntime takes for netspec's exports, beside those of torch's exporter and beside a copy.

    python -m tests.benchmarks.latency [--rounds 60] [--size 224]

Aim: at most 1.02 times as long. One thread that does not spin, the sessions in turns, medians; the copy is
netspec's own file once more, and how far its ratio is from 1 is what the machine's noise amounts to.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import onnxruntime

from netspec.ir.graph import Graph
from netspec.pipeline import check
from netspec.torch_backend.build import build
from tests.benchmarks.lowering import SPECS, netspec_way, torch_way
from tests.benchmarks.measuring.tables import show

NETWORKS = (("resnet", "resnet50"), ("densenet", "densenet121"))


def session(path: Path) -> onnxruntime.InferenceSession:
    """A session of one thread, which waits instead of spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def latencies(
    sessions: Mapping[str, onnxruntime.InferenceSession], graph: Graph, size: int, rounds: int
) -> Mapping[str, float]:
    """Seconds of one image: medians over rounds in which every session has its turn, in changing order."""
    (given,) = graph.inputs
    shape = given.value.type.bind({"batch": 1, "H": size, "W": size})
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    names = list(sessions)
    for turn in range(rounds + 3):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = perf_counter()
            sessions[name].run(None, {sessions[name].get_inputs()[0].name: image})
            taken[name].append(perf_counter() - start)
    return {name: median(times[3:]) for name, times in taken.items()}


def main() -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="rounds that count (default: 60)")
    parser.add_argument("--size", type=int, default=224, help="height and width of the image (default: 224)")
    arguments = parser.parse_args()
    rows = []
    for name, variant in NETWORKS:
        graph = check(SPECS / f"{name}.yaml", variant=variant).graph
        module = build(graph).eval()
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = Path(folder) / "netspec.onnx", Path(folder) / "torch.onnx"
            netspec_way(graph, module)(ours)
            torch_way(graph, module)(theirs)
            sessions = {"netspec": session(ours), "copy": session(ours), "torch": session(theirs)}
            seconds = latencies(sessions, graph, arguments.size, arguments.rounds)
        rows.append(
            (
                graph.name,
                *(f"{seconds[way] * 1e3:.1f} ms" for way in ("netspec", "torch")),
                f"{seconds['netspec'] / seconds['torch']:.3f}",
                f"{seconds['copy'] / seconds['netspec']:.3f}",
            )
        )
    show(("network", "netspec", "torch's export", "netspec / torch", "copy / netspec"), rows)


if __name__ == "__main__":
    main()
