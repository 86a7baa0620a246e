"""What follows a training: the best weights exported, verified, held against torch on the whole test set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.ir.graph import Graph
from netspec.torch_backend.build import build as build_module
from netspec.torch_backend.dtypes import array_of, tensor_of
from netspec.torch_backend.given_weights import take
from netspec.torch_backend.weights import arrays
from netspec.train.agreement import Agreement, agree
from netspec.train.batch_sizes import batch_bounds
from netspec.train.data.examples import Examples, Stream
from netspec.train.evaluation import (
    Evaluation,
    batches_of,
    evaluate_onnx,
    evaluated,
    predictions,
    recall,
    widened,
)
from netspec.train.metrics import ignored_class
from netspec.train.pictures.confusion import confusion
from netspec.train.pictures.curves import curves
from netspec.train.pictures.features import features
from netspec.train.pictures.figure import NothingToDraw, PicturesNeedMatplotlib
from netspec.train.pictures.kernels import kernels
from netspec.train.training import Run
from netspec.verify.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netspec.pipeline import Built, Checked, Progress

SAMPLED = 32  # real examples that the gates see, spread over the test set
BATCH = 256


class NoBest(Diagnostic):
    """A run whose every validation gave NaN: none of its weights is the best."""

    code = "NS481"
    message = "the validation loss is NaN in every epoch, so that no weights are the best"

    path: str

    @property
    def help(self) -> str:
        return "lower the learning rate or clip gradients (train: {{clip: 1.0}}); the last weights are {path}"


@dataclass
class Finished:
    """What became of a run's best weights; each part is None where it was not asked for or not possible."""

    built: Built | None = None
    by_torch: Evaluation | None = None
    by_onnx: Evaluation | None = None
    agreement: Agreement | None = None
    recall: Mapping[str, float] = field(default_factory=dict)
    """The part of each class that is recognised, where the spec asks for it; by the class' name."""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    @property
    def disagrees(self) -> bool:
        """Whether the file answers otherwise than the network where rounding does not explain it."""
        return self.agreement is not None and bool(self.agreement.problems)


def finish(
    checked: Checked, run: Run, *, export: bool = True, opset: int | None = None, progress: Progress
) -> Finished:
    """Export, verify and evaluate the best weights of a run, and draw its pictures, all into its folder.

    Errors: as `netspec.pipeline.build`; NS481.
    """
    finished = Finished()
    graph, folder = run.graph, run.folder
    if run.best is None:
        raise DiagnosticError(NoBest(path=printable(str(folder.last_weights))))
    module = build_module(graph, device="meta")
    take(module, graph, folder.best_weights, None)
    module.eval()
    if run.judged is not None:
        progress("the test set in torch", 0.0)
        finished.by_torch = _by_torch(run, module, run.judged)
        finished.recall = _recall(run, finished.by_torch)
    if export:
        _export(finished, checked, run, opset, progress)
        if finished.built is not None and finished.built.path is not None and run.judged is not None:
            _compare(finished, run, arrays(module), run.judged, progress)
    progress("drawing", 0.0)
    _draw(finished, run, module)
    return finished


def _output(run: Run) -> int:
    """Which output the loss read."""
    assert run.graph.training is not None
    wanted = run.graph.training.output
    return next(i for i, output in enumerate(run.graph.outputs) if output.name == wanted)


def _metrics(graph: Graph) -> tuple[str, ...]:
    return () if graph.training is None else graph.training.metrics


def _ignored(graph: Graph) -> int | None:
    return None if graph.training is None else ignored_class(graph.training.loss)


def _by_torch(run: Run, module: nn.Module, judged: Examples | Stream) -> Evaluation:
    """The trained network over the whole test set, in float32 on the device that trained it."""
    order = [entry.name for entry in run.graph.inputs]
    module.to(run.device)
    given = []
    for feeds in batches_of(run.graph, judged, BATCH):
        inputs = tuple(tensor_of(feeds.inputs[name]).to(run.device) for name in order)
        outputs = predictions(module, [inputs], output=_output(run))[: feeds.examples]
        given.append(widened(array_of(outputs)))
    module.to("cpu")
    return evaluated(np.concatenate(given), judged.targets, _metrics(run.graph), _ignored(run.graph))


def _recall(run: Run, evaluation: Evaluation) -> Mapping[str, float]:
    if evaluation.confusion is None or "per_class" not in _metrics(run.graph):
        return {}
    parts = recall(evaluation.confusion)
    names = _classes(run) or [str(number) for number in range(len(parts))]
    return {name: float(part) for name, part in zip(names, parts, strict=True)}


def _export(finished: Finished, checked: Checked, run: Run, opset: int | None, progress: Progress) -> None:
    """As `netspec build`, on the trained weights and real examples."""
    from netspec.pipeline import build

    finished.built = build(
        checked,
        weights=run.folder.best_weights,
        out=run.folder.path,
        opset=opset,
        samples=None if run.judged is None else _samples(run.graph, run.judged),
        keep_rejected=True,
        progress=progress,
    )
    finished.diagnostics += finished.built.certificate.findings


def _samples(graph: Graph, judged: Examples | Stream) -> Samples:
    """Examples from the first to the last, raw, as a file of samples would have them."""
    count = max(min(SAMPLED, len(judged)), batch_bounds(graph).least)  # some more than once, if need be
    chosen = np.linspace(0, len(judged) - 1, count).round().astype(np.int64)
    part = judged.part(chosen)
    if isinstance(part, Examples):
        inputs = part.inputs
    else:
        inputs = tuple(
            np.stack(arrays) for arrays in zip(*map(part.read, part.indices.tolist()), strict=True)
        )
    names = [entry.name for entry in graph.inputs]
    return Samples("the test set", dict(zip(names, inputs, strict=True)))


def _compare(
    finished: Finished,
    run: Run,
    weights: Mapping[str, np.ndarray],
    judged: Examples | Stream,
    progress: Progress,
) -> None:
    """The exported file over the whole test set, beside torch."""
    assert finished.built is not None
    assert finished.built.path is not None
    assert finished.by_torch is not None
    finished.by_onnx = evaluate_onnx(
        finished.built.path,
        run.graph,
        judged,
        output=_output(run),
        metrics=_metrics(run.graph),
        ignored=_ignored(run.graph),
        batch_size=BATCH,
        progress=progress,
    )
    finished.agreement = agree(
        run.graph,
        weights,
        judged,
        finished.by_torch.outputs,
        finished.by_onnx.outputs,
        output=_output(run),
        on_cuda=run.device.type == "cuda",
    )
    finished.diagnostics += finished.agreement.problems


def _draw(finished: Finished, run: Run, module: nn.Module) -> None:
    """The pictures of a run; what cannot be drawn is a warning."""
    folder, judged = run.folder, run.judged
    with _told(finished):
        curves(run.records, folder.curves)
    with _told(finished):
        kernels(module, run.graph, folder.kernels)
    if finished.by_torch is not None and finished.by_torch.confusion is not None:
        with _told(finished):
            confusion(finished.by_torch.confusion, _classes(run), folder.confusion)
    if judged is not None:
        feeds = next(batches_of(run.graph, judged.part(np.arange(1)), 1))
        inputs = [tensor_of(feeds.inputs[entry.name]) for entry in run.graph.inputs]
        with _told(finished):
            features(module, run.graph, inputs, folder.features)


def _classes(run: Run) -> tuple[str, ...] | None:
    """What the classes are called: as the spec labels its output, else as the data set does."""
    return run.graph.outputs[_output(run)].labels or run.data.classes


@contextmanager
def _told(finished: Finished) -> Iterator[None]:
    """A picture that cannot be drawn is no reason to fail; that matplotlib is missing is said once."""
    try:
        yield
    except DiagnosticError as error:
        if not all(isinstance(d, NothingToDraw | PicturesNeedMatplotlib) for d in error.diagnostics):
            raise
        finished.diagnostics += [d for d in error.diagnostics if d not in finished.diagnostics]
