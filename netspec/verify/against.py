"""A file beside what torch's own exporter makes of the network: which is wrong, where they differ."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from netspec.diagnostics import Diagnostic, Severity, printable
from netspec.ir.dim import Dim
from netspec.ir.graph import Graph
from netspec.torch_backend.build import build
from netspec.torch_backend.dtypes import tensor_of
from netspec.torch_backend.weights import load
from netspec.verify.certificate import CrossCheck, Gate, Measurement, Side
from netspec.verify.explanation import Judged
from netspec.verify.inputs import Batch
from netspec.verify.judgement import judge_rounding
from netspec.verify.rerounding import Rerounding
from netspec.verify.runtime import PLAIN_CPU, RefusedError, Session
from netspec.verify.signal import Signal
from netspec.verify.tolerance import Array

OLDEST = 18  # of the opsets that torch's exporter writes
INLINE_LIMIT = 1_500_000_000  # bytes of weights, as in netspec's own files
EXPORTER = "torch.onnx.export(dynamo=True)"


class NoCrossCheck(Diagnostic):
    """torch's exporter, or onnxruntime on what it writes, refuses the network: nothing to compare with."""

    code = "NS557"
    message = "the file was not held against torch's export: {reason}"
    severity = Severity.WARNING

    reason: str


class SidesDiffer(Diagnostic):
    """The file and torch's export do not both compute the network."""

    code = "NS558"
    message = "{output}: by exact arithmetic {verdict}"
    severity = Severity.WARNING

    output: str
    file: Side
    torch: Side

    @property
    def verdict(self) -> str:
        if not self.file.right and not self.torch.right:
            return f"both are wrong, the file ({_said(self.file)}) and torch's export ({_said(self.torch)})"
        if self.file.right:
            return f"the file is right, and torch's export is wrong ({_said(self.torch)})"
        return f"torch's export is right, and the file is wrong ({_said(self.file)})"


def _said(side: Side) -> str:
    return side.reason or f"off by {side.error:.1e}, where rounding explains {side.bound:.1e}"


class _RefusedExport(Exception):
    """Why there is nothing to compare with."""


def cross_check(judged: Judged) -> tuple[CrossCheck | None, tuple[Diagnostic, ...]]:
    """Export the network by torch, run that as the file was run, and hold both against the float64 oracle."""
    graph = judged.graph
    judged.report("torch's exporter", 0.0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "torch.onnx"
            _export(graph, judged.parameters, max(judged.opset, OLDEST), judged.batches, path)
            session = Session(path, PLAIN_CPU)
            results = []
            for done, batch in enumerate(judged.batches):
                judged.report("onnxruntime, torch's export", done / len(judged.batches))
                given = (batch.feeds[entry.name] for entry in graph.inputs)
                results.append(session.run(dict(zip(session.inputs, given, strict=True))))
    except (RefusedError, _RefusedExport) as error:
        return None, (NoCrossCheck(reason=printable(" ".join(str(error).split()))),)
    theirs = _side_of(graph, judged, results)
    ours = {output.name: _file_side(output.name, judged.gates) for output in graph.outputs}
    check = CrossCheck(EXPORTER, {name: (ours[name], theirs[name]) for name in ours})
    differ = (
        SidesDiffer(output=name, file=ours[name], torch=theirs[name])
        for name in ours
        if not (ours[name].right and theirs[name].right)
    )
    return check, tuple(differ)


def _export(
    graph: Graph, parameters: Mapping[str, Array], opset: int, batches: Sequence[Batch], path: Path
) -> None:
    module = build(graph, device="meta", parametrized=False).eval()
    load(module, parameters)
    # A size of one would be taken for a constant.
    example = max(batches, key=lambda batch: (min([*batch.case.values.values(), 2]) > 1, -_size(batch)))
    feeds = tuple(tensor_of(example.feeds[entry.name]) for entry in graph.inputs)
    symbolic = tuple(
        {
            axis: torch.export.Dim.DYNAMIC
            for axis, size in enumerate(entry.value.type.known)
            if isinstance(size, Dim)
        }
        for entry in graph.inputs
    )
    size = sum(array.nbytes for array in parameters.values())
    try:
        with _quietly():
            _call_exporter(module, feeds, symbolic, opset, path, size > INLINE_LIMIT)
    except ImportError as error:
        raise _RefusedExport(f"it needs the package {error.name} (pip install onnxscript)") from error
    except Exception as error:  # the exporter raises what it likes
        words = str(error).strip() or type(error).__name__
        raise _RefusedExport(f"it refuses the network: {words.partition(chr(10))[0]}") from error


def _call_exporter(
    module: nn.Module,
    feeds: tuple[torch.Tensor, ...],
    symbolic: tuple[Mapping[int, object], ...],
    opset: int,
    path: Path,
    external: bool,
) -> None:
    torch.onnx.export(
        module,
        feeds,
        path,
        dynamo=True,
        dynamic_shapes=symbolic,
        opset_version=opset,
        external_data=external,
        verbose=False,
    )


def _size(batch: Batch) -> int:
    return sum(feed.size for feed in batch.feeds.values())


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter tells of its progress and of packages that nothing needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _side_of(graph: Graph, judged: Judged, results: Sequence[Sequence[Array]]) -> dict[str, Side]:
    """torch's export, output by output; a shape or type that is not the network's is wrong before all."""
    sides: dict[str, Side] = {}
    for place, output in enumerate(graph.outputs):
        for batch, got, like in zip(judged.batches, results, judged.torch32, strict=True):
            if len(got) != len(graph.outputs):
                sides[output.name] = _wrong(f"it gives {len(got)} outputs, not {len(graph.outputs)}")
            elif (got[place].shape, got[place].dtype) != (
                like.outputs[place].shape,
                like.outputs[place].dtype,
            ):
                told = f"it gives {got[place].shape} {got[place].dtype} ({batch.case.name})"
                sides.setdefault(output.name, _wrong(told))
    if sides:
        right = Side(0.0, 0.0, right=True)
        return {output.name: sides.get(output.name, right) for output in graph.outputs}
    gate = judge_rounding(
        graph,
        PLAIN_CPU,
        judged.batches,
        results,
        judged.torch32,
        judged.exact,
        Signal(),
        Rerounding(graph, judged.parameters),
    )
    return {output.name: _file_side(output.name, [gate]) for output in graph.outputs}


def _wrong(reason: str) -> Side:
    return Side(float("inf"), 0.0, right=False, reason=reason)


def _file_side(output: str, gates: Sequence[Gate]) -> Side:
    """What the gates found of one output: its worst row, and the first problem that is not one of figures."""
    compared = [gate for gate in gates if gate.name != "consistency"]
    rows = [row for gate in compared for row in gate.measurements if row.output == output]
    problems = [
        problem
        for gate in compared
        for problem in gate.problems
        if gate.verdict == "failed" and getattr(problem, "output", None) == output
    ]
    worst = max(rows, key=lambda row: row.share, default=Measurement("", output, 0.0, 0.0))
    figures = [problem for problem in problems if hasattr(problem, "error")]
    reason = problems[0].text if problems and not figures else ""
    return Side(worst.error, worst.bound, right=not problems, reason=reason)
