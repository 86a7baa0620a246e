"""What a training came to, for people and programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Diagnostic, printable
from netspec.diagnostics.render import render_json
from netspec.display.outcome import built_text, shown
from netspec.display.training import figures_text

if TYPE_CHECKING:
    from netspec.train.finishing import Finished
    from netspec.train.training import Run


def trained_text(run: Run, finished: Finished) -> None:
    """Print the best epoch, what torch and onnxruntime make of the test set, and the model, to stdout."""
    best = run.best
    if best is None:
        print(f"{shown(run.folder.path)}: nothing was trained")
        return
    figures = figures_text(best.validation or best.train)
    print(f"{shown(run.folder.path)}: best epoch {best.epoch} of {len(run.records)}, {figures}")
    for engine, evaluation in (("torch", finished.by_torch), ("onnxruntime", finished.by_onnx)):
        if evaluation is not None and evaluation.figures:
            print(
                f"  {engine:11}  {_percentages(evaluation.figures)} on {len(evaluation.outputs):,} examples"
            )
    width = max(map(len, finished.recall), default=0)
    for name, part in finished.recall.items():
        print(f"  {printable(name):{width}}  {part:.2%}")
    if finished.agreement is not None:
        print(f"  agreement    {agreement_text(finished)}")
    if finished.built is not None:
        built_text(finished.built, weights="trained weights")


def _percentages(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2%}" for name, value in figures.items())


def agreement_text(finished: Finished) -> str:
    """How far torch and onnxruntime are apart over the test set."""
    agreement = finished.agreement
    assert agreement is not None
    apart = f"outputs at most {agreement.error:.1e} apart, where rounding explains {agreement.bound:.1e}"
    if finished.by_torch is None or not finished.by_torch.figures:
        return apart
    same = agreement.compared - agreement.differ
    text = f"{same:,} of {agreement.compared:,} predictions are the same"
    if agreement.ties:
        text += f", {agreement.ties:,} are ties within rounding"
    return f"{text}; {apart}"


def trained_json(
    spec: str, run: Run, finished: Finished, diagnostics: Sequence[Diagnostic]
) -> dict[str, Any]:
    """The same as data."""
    built, agreement = finished.built, finished.agreement
    return {
        "spec": spec,
        "run": str(run.folder.path),
        "device": run.device.type,
        "best": None if run.best is None else _plain(run.best._asdict()),
        "epochs": [_plain(record._asdict()) for record in run.records],
        "torch": None if finished.by_torch is None else _plain(finished.by_torch.figures),
        "onnxruntime": None if finished.by_onnx is None else _plain(finished.by_onnx.figures),
        "per_class": _plain(finished.recall),
        "agreement": None
        if agreement is None
        else _plain({name: value for name, value in agreement._asdict().items() if name != "problems"}),
        "model": None if built is None or built.path is None else str(built.path),
        "certificate": None if built is None else built.certificate.to_data(),
        "diagnostics": json.loads(render_json(diagnostics)),
    }


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as JSON has them; it has no NaN and no infinity."""
    return {
        name: _plain(value)
        if isinstance(value, Mapping)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in figures.items()
    }
