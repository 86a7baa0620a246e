"""From a checked network to its verified file: a module made ready, exported, judged, and put in place."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from netspec.files import published, writing
from netspec.ir.graph import Graph
from netspec.onnx_backend.export import export
from netspec.onnx_backend.retyped import rounded
from netspec.pipeline import Built, Checked, Progress
from netspec.torch_backend.alignment import Taken, Way
from netspec.torch_backend.build import build as build_module
from netspec.torch_backend.calibrate import calibrate, has_statistics
from netspec.torch_backend.given_weights import take
from netspec.torch_backend.weights import arrays
from netspec.verify.certificate import Verdict
from netspec.verify.explanation import Explanation
from netspec.verify.gates import verify
from netspec.verify.inputs import drawn_batch
from netspec.verify.samples import Samples

CALIBRATION_BATCH = 16  # samples from which an untrained network's BatchNorm takes its statistics


def ready(
    graph: Graph, weights: Path | None, weights_map: Way | None, seed: int
) -> tuple[nn.Module, Taken | None]:
    """The module in evaluation mode, with given weights or drawn ones, and what became of those given."""
    taken = None
    if weights is not None:
        module = build_module(graph, device="meta")
        taken = take(module, graph, weights, weights_map)
    else:
        module = build_module(graph, seed=seed)
        _calibrate(module, graph, seed)
    return module.eval(), taken


def _calibrate(module: nn.Module, graph: Graph, seed: int) -> None:
    if has_statistics(module):
        feeds = drawn_batch(graph, CALIBRATION_BATCH, seed)
        calibrate(module, [torch.from_numpy(feeds[graph_input.name]) for graph_input in graph.inputs])


def publish(
    checked: Checked,
    module: nn.Module,
    out: Path,
    opset: int,
    seed: int,
    samples: Samples | None,
    keep_rejected: bool,
    repro: Path | None,
    taken: Taken | None,
    report: Progress,
) -> Built:
    """Export and verify beside the file's place; move it there if it passed."""
    graph = checked.graph
    target = out / f"{graph.name}.onnx"
    weights = rounded(arrays(module), graph)
    try:
        with published(target) as beside:
            report("exporting", 0.0)
            exported = export(graph, weights, beside, opset=opset)
            certificate = verify(
                beside,
                graph,
                weights,
                samples=samples,
                seed=seed,
                file=target.name,
                explanation=Explanation(repro=repro),
                progress=report,
            )
            certificate_path = target.with_suffix(".cert.json")
            with writing(certificate_path):
                beside.with_name(certificate_path.name).write_text(certificate.to_json(), encoding="utf-8")
            if certificate.verdict is not Verdict.PASSED:
                raise _Rejected
    except _Rejected:
        kept = target.with_suffix(".rejected.onnx") if keep_rejected else None
        if kept is not None:
            # Written anew, since a file names its external data after itself; it comes out the same.
            with published(kept) as beside:
                export(graph, weights, beside, opset=opset)
        return Built(checked, exported, certificate, None, None, kept, taken)
    return Built(checked, exported, certificate, target, certificate_path, None, taken)


class _Rejected(Exception):
    """Leaves `published` so that nothing appears."""
