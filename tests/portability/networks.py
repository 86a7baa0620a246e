"""The networks that are run elsewhere: each an export, inputs to run it on, and what must come out.

A folder per network holds `model.onnx`, `cases.npz` and `cases.json`. The archive has for every case N and
every input X `N/in/X`, and for every output Y `N/exact/Y` in float64. `cases.json` names them, and says for
every case and output how far an engine may be off: by the rounding gate as it judges onnxruntime's CPU
provider (`near`), and as it judges any other engine (`far`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from netspec.files import published
from netspec.ir.graph import Graph
from netspec.language.source import read
from netspec.onnx_backend.export import export
from netspec.pipeline import check
from netspec.torch_backend.build import build
from netspec.torch_backend.calibrate import calibrate, has_statistics
from netspec.torch_backend.weights import arrays
from netspec.verify.certificate import Verdict
from netspec.verify.decisions import Answer
from netspec.verify.inputs import Batch, drawn_batch, rounding_batches
from netspec.verify.judgement import judge_rounding
from netspec.verify.oracle import Oracle
from netspec.verify.publishing import CALIBRATION_BATCH
from netspec.verify.runtime import CPU, CUDA, Lane
from netspec.verify.signal import judge_signal

SPECS = Path(__file__).parents[2] / "specs"
VARIANTS = ("densenet121", "resnet34", "vgg11_bn", "vgg11_small", "vgg19")
"""What is run beside every spec as it stands: they differ from it in more than their depth, or are large."""

STAMP = ".stamp"  # names what a folder was made from
FORMAT = 1  # of what stands in a folder; raised when it changes, or the inputs do
SEED = 0
LANES = {"near": CPU, "far": replace(CPU, allowance=CUDA.allowance)}
"""The rounding gate's lanes whose bounds hold: onnxruntime's CPU provider, and what is granted to others."""


@dataclass(frozen=True, order=True)
class Network:
    """A spec, or one of its variants, under the name of its file."""

    name: str
    spec: Path
    variant: str | None = None


def networks() -> Iterator[Network]:
    """Every spec, each followed by those of its variants that are run."""
    for path in sorted(SPECS.glob("*.yaml")):
        yield Network(path.stem, path)
        variants = read(path).value.get("variants") or {}
        yield from (Network(variant, path, variant) for variant in variants if variant in VARIANTS)


def prepare(network: Network, folder: Path) -> None:
    """Write a network's model and cases into `folder`, which appears whole or not at all.

    They stay as they are where the model comes out the same, as do the answers then.
    """
    graph = check(network.spec, variant=network.variant).graph
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    module = _module(graph)
    weights = arrays(module)
    export(graph, weights, beside / "model.onnx")
    del module
    stamp = f"{FORMAT} {substance(beside / 'model.onnx')} {torch.__version__}"
    kept = folder / STAMP
    if kept.is_file() and kept.read_text(encoding="utf-8") == stamp:
        (beside / "model.onnx").replace(folder / "model.onnx")  # whose metadata may be other
        shutil.rmtree(beside)
        return
    batches = list(rounding_batches(graph, SEED))
    single, exact = _answers(graph, weights, batches)
    _write(graph, batches, single, exact, beside)
    (beside / STAMP).write_text(stamp, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def substance(model: Path) -> str:
    """The SHA-256 of a model but for its metadata, which no runtime reads."""
    message = onnx.load(model)
    del message.metadata_props[:]
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def _module(graph: Graph) -> nn.Module:
    """The module as `netspec build` draws it: untrained, BatchNorm's statistics those of one batch."""
    module = build(graph, seed=SEED)
    if has_statistics(module):
        feeds = drawn_batch(graph, CALIBRATION_BATCH, SEED)
        calibrate(module, [torch.from_numpy(feeds[entry.name]) for entry in graph.inputs])
    return module.eval()


def _answers(
    graph: Graph, weights: Mapping[str, Any], batches: Sequence[Batch]
) -> tuple[list[Answer], list[Answer]]:
    """What PyTorch gives in float32 and in float64."""
    oracle = Oracle(graph)
    oracle.load(weights)
    feeds = [[batch.feeds[entry.name] for entry in graph.inputs] for batch in batches]
    single = [oracle.run(arguments) for arguments in feeds]
    with oracle.exactly():
        return single, [oracle.run_exact(arguments) for arguments in feeds]


def _write(
    graph: Graph, batches: Sequence[Batch], single: list[Answer], exact: list[Answer], folder: Path
) -> None:
    names = [output.name for output in graph.outputs]
    archive: dict[str, Any] = {}
    cases: list[dict[str, Any]] = []
    bounds = {kind: _bounds(graph, batches, single, exact, lane) for kind, lane in LANES.items()}
    for number, (batch, answer) in enumerate(zip(batches, exact, strict=True)):
        archive |= {f"{number}/in/{name}": feed for name, feed in batch.feeds.items()}
        for name, y in zip(names, answer.outputs, strict=True):
            # A verdict may then take a NaN for wrong, wherever it stands.
            assert y.dtype == np.float64, f"{name} holds integers, which no bound judges"
            assert np.isfinite(y).all(), f"{name} is not finite"
            archive[f"{number}/exact/{name}"] = y
        allowed = {
            name: {kind: found[batch.case.name, name] for kind, found in bounds.items()} for name in names
        }
        cases.append({"name": batch.case.name, "values": dict(batch.case.values), "bounds": allowed})
    np.savez(folder / "cases.npz", **archive)
    inputs = {entry.name: [str(size) for size in entry.value.type.known] for entry in graph.inputs}
    with published(folder / "cases.json") as beside:
        told = {"network": graph.name, "inputs": inputs, "outputs": names, "cases": cases}
        beside.write_text(json.dumps(told, indent=1), encoding="utf-8")


def _bounds(
    graph: Graph, batches: Sequence[Batch], single: list[Answer], exact: list[Answer], lane: Lane
) -> dict[tuple[str, str], float]:
    """The rounding gate's bounds by case and output, as it states them when PyTorch itself is judged."""
    outputs = [answer.outputs for answer in single]
    signal = judge_signal(graph, batches, outputs, [answer.outputs for answer in exact])
    gate = judge_rounding(graph, lane, batches, outputs, single, exact, signal)
    # An engine that agrees on outputs which say nothing would be called right.
    assert gate.verdict is Verdict.PASSED, gate.problems
    return {(row.case, row.output): row.bound for row in gate.measurements}
