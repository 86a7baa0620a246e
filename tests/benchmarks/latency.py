"""How long onnxruntime takes for netspec's exports, beside those of torch's exporter and beside a copy.

    python -m tests.benchmarks.latency [--rounds 60] [--seconds 8] [--size 224] [--all] [NAME ...]

NAME is a spec, or SPEC:VARIANT; without one, ResNet-50 and DenseNet-121 are measured, with --all every spec.

Aim: at most 1.02 times as long. One thread that does not spin, the sessions in turns, medians; the copy is
netspec's own file once more, and how far its ratio is from 1 is what the machine's noise amounts to.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import onnxruntime

from netspec.ir.graph import Graph
from netspec.pipeline import check
from netspec.torch_backend.build import build
from netspec.verify.inputs import admissible, drawn_batch
from tests.benchmarks.lowering import SPECS, netspec_way, torch_way
from tests.benchmarks.measuring.tables import show

NETWORKS = ("resnet:resnet50", "densenet:densenet121")


def session(path: Path) -> onnxruntime.InferenceSession:
    """A session of one thread, which waits instead of spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds_of(graph: Graph, size: int) -> list[np.ndarray]:
    """One example: images of the size that the spec resizes to, else of `size` where it is open."""
    if not all(entry.value.type.dtype.is_floating for entry in graph.inputs):
        return list(drawn_batch(graph, 1, 0).values())
    values = {symbol: admissible(bounds, size) for symbol, bounds in graph.bounds.items()}
    for entry in graph.inputs:
        values[str(entry.value.type.known[0])] = 1
        if entry.preprocess is not None and entry.preprocess.resize is not None:
            values |= dict(zip(map(str, entry.value.type.known[2:]), entry.preprocess.resize, strict=True))
    random = np.random.default_rng(0)
    shapes = [entry.value.type.bind(values) for entry in graph.inputs]
    return [
        random.standard_normal(shape).astype(str(entry.value.type.dtype))
        for shape, entry in zip(shapes, graph.inputs, strict=True)
    ]


def latencies(
    sessions: Mapping[str, onnxruntime.InferenceSession],
    feeds: list[np.ndarray],
    rounds: int,
    seconds: float,
) -> Mapping[str, float]:
    """Seconds of one run: medians over rounds in which every session has its turn, in changing order.

    There are so many rounds at least, and as many as fit into so many seconds.
    """
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    names = list(sessions)
    begun = perf_counter()
    for turn in count():
        if turn >= rounds + 3 and perf_counter() - begun >= seconds:
            break
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            inputs = {
                given.name: feed for given, feed in zip(sessions[name].get_inputs(), feeds, strict=True)
            }
            start = perf_counter()
            sessions[name].run(None, inputs)
            taken[name].append(perf_counter() - start)
    return {name: median(times[3:]) for name, times in taken.items()}


def row(name: str, size: int, rounds: int, least: float) -> tuple[str, ...]:
    """The line of one network; without figures where torch's exporter or its file fails."""
    spec, _, variant = name.partition(":")
    graph = check(SPECS / f"{spec}.yaml", variant=variant or None).graph
    module = build(graph).eval()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "netspec.onnx", Path(folder) / "torch.onnx"
        netspec_way(graph, module)(ours)
        feeds = feeds_of(graph, size)
        try:
            torch_way(graph, module)(theirs)
            sessions = {"netspec": session(ours), "copy": session(ours), "torch": session(theirs)}
            seconds = latencies(sessions, feeds, rounds, least)
        except Exception as error:  # whatever torch's exporter dies of is its figure
            return graph.name, "", f"fails: {type(error).__name__}", "", ""
    return (
        graph.name,
        *(f"{seconds[way] * 1e3:.3g} ms" for way in ("netspec", "torch")),
        f"{seconds['netspec'] / seconds['torch']:.3f}",
        f"{seconds['copy'] / seconds['netspec']:.3f}",
    )


def main() -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a spec, or SPEC:VARIANT")
    parser.add_argument("--all", action="store_true", help="every spec, without its variants")
    parser.add_argument("--rounds", type=int, default=60, help="rounds at the least (default: 60)")
    parser.add_argument("--seconds", type=float, default=8, help="and for so long (default: 8)")
    parser.add_argument("--size", type=int, default=224, help="height and width of images (default: 224)")
    arguments = parser.parse_args()
    every = sorted(path.stem for path in SPECS.glob("*.yaml")) if arguments.all else NETWORKS
    rows = []
    for name in arguments.names or every:
        rows.append(row(name, arguments.size, arguments.rounds, arguments.seconds))
        print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
    show(("network", "netspec", "torch's export", "netspec / torch", "copy / netspec"), rows)


if __name__ == "__main__":
    main()
