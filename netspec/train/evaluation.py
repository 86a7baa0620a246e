"""A data set through a network: all of it in torch and in onnxruntime, a part in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph
from netspec.language.training.kinds import CONFUSION_LIMIT
from netspec.train.batch_sizes import batch_bounds
from netspec.train.data.examples import Examples, Stream
from netspec.train.distributed import ALONE
from netspec.train.evaluating import evaluating
from netspec.train.metrics import Meter
from netspec.verify.consistency import RuntimeRefuses
from netspec.verify.fitting import prepare_input
from netspec.verify.inputs import admissible
from netspec.verify.oracle import Oracle
from netspec.verify.runtime import CPU, RefusedError, Session
from netspec.verify.tolerance import Array

BATCH = 256
EXACT_BATCH = 8
READERS = 4  # threads that read a stream

Progress = Callable[[str, float], None]
"""Called with what is going on and the part of it that is done, 0 to 1."""


class Evaluation(NamedTuple):
    """What a network gives for a data set, and how often it is right.

    `outputs` (N, ...) are those that the loss reads. `figures` has `accuracy` and `top5` as parts of 1; it is
    empty where targets are no classes. `confusion` (K, K) counts true classes by rows, predicted by columns.
    """

    outputs: Array
    figures: Mapping[str, float]
    confusion: Array | None


class Feeds(NamedTuple):
    """Prepared inputs by name, of which the first `examples` are real; others fill up the batch."""

    inputs: Mapping[str, Array]
    examples: int


def predictions(module: nn.Module, batches: Iterable[tuple[Tensor, ...]], *, output: int = 0) -> Tensor:
    """What a module gives for batches of inputs that lie on its device, (N, ...) in one tensor on the CPU.

    In evaluation mode, in float32, without autocast and TF32. Of several outputs it is that at a place.
    """
    given: list[Tensor] = []
    device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))
    with evaluating(module, device):
        for inputs in batches:
            result = module(*inputs)
            chosen: Tensor = result[output] if isinstance(result, tuple) else result
            given.append(chosen.cpu())
    return torch.cat(given)


def evaluate_onnx(
    model: Path,
    graph: Graph,
    data: Examples | Stream,
    *,
    output: int = 0,
    metrics: Sequence[str] = ("accuracy",),
    ignored: int | None = None,
    batch_size: int = BATCH,
    progress: Progress | None = None,
) -> Evaluation:
    """Run an exported file in onnxruntime on raw data, prepared as whoever runs the file does it.

    Errors: NS521 where onnxruntime refuses the file; those of reading and preparing the data.
    """
    given: list[Array] = []
    done = 0
    try:
        session = Session(model, CPU)
        for feeds in batches_of(graph, data, batch_size):
            if progress:
                progress("the test set in onnxruntime", done / len(data))
            given.append(widened(session.run(feeds.inputs)[output][: feeds.examples]))
            done += feeds.examples
    except RefusedError as error:
        refusal = RuntimeRefuses(version=onnxruntime.__version__, lane=CPU.name, reason=str(error))
        raise DiagnosticError(refusal) from error
    return evaluated(np.concatenate(given), data.targets, metrics, ignored)


def evaluated(
    outputs: Array, targets: Array, metrics: Sequence[str], ignored: int | None = None
) -> Evaluation:
    """Outputs (N, K, ...) beside the classes (N, ...) that they should give, or beside numbers.

    The class `ignored` is no answer that counts.
    """
    if targets.dtype.kind not in "iu":
        return Evaluation(outputs, {}, None)
    classes = outputs.shape[1]
    counted = {*metrics, "per_class"} if classes <= CONFUSION_LIMIT else {*metrics} - {"per_class"}
    meter = Meter(torch.device("cpu"), classes, sorted(counted), ignored)
    meter.add(torch.zeros(()), torch.from_numpy(outputs), torch.from_numpy(targets))
    figures = {name: value for name, value in meter.read(ALONE).items() if name != "loss"}
    matrix = meter.confusion(ALONE)
    return Evaluation(outputs, figures, None if matrix is None else matrix.numpy())


def widened(outputs: Array) -> Array:
    """Outputs of half precision in float32, which holds them all and which numpy computes in."""
    return outputs if outputs.dtype in (np.float32, np.float64) else outputs.astype(np.float32)


def recall(confusion: Array) -> Array:
    """The part of each class that is recognised, (K,); NaN for one without examples."""
    totals = confusion.sum(axis=1)
    parts: Array = np.full(len(totals), np.nan)
    np.divide(np.diag(confusion), totals, out=parts, where=totals > 0)
    return parts


def run_exactly(
    graph: Graph, weights: Mapping[str, Array], data: Examples | Stream, *, output: int = 0
) -> tuple[Array, Array]:
    """One output in float32 and in float64, on the CPU; for a few examples."""
    oracle = Oracle(graph)
    oracle.load(weights)
    batches = list(batches_of(graph, data, EXACT_BATCH))
    fed = [([feeds.inputs[entry.name] for entry in graph.inputs], feeds.examples) for feeds in batches]
    single = [oracle.run(inputs).outputs[output][:count] for inputs, count in fed]
    with oracle.exactly():
        exact = [oracle.run_exact(inputs).outputs[output][:count] for inputs, count in fed]
    return np.concatenate(single), np.concatenate(exact)


def batches_of(graph: Graph, data: Examples | Stream, batch_size: int) -> Iterator[Feeds]:
    """The data set in its order, prepared in numpy, in batches of one size that the network takes."""
    size = admissible(batch_bounds(graph), min(batch_size, len(data)))
    for start in range(0, len(data), size):
        places = np.arange(start, min(start + size, len(data)))
        inputs = _filled(_prepared(graph, data, places), size)
        yield Feeds(inputs, len(places))


def _filled(inputs: Mapping[str, Array], size: int) -> Mapping[str, Array]:
    """The last example again, until the batch is full."""
    return {
        name: np.concatenate([array, np.repeat(array[-1:], size - len(array), axis=0)])
        if len(array) < size
        else array
        for name, array in inputs.items()
    }


def _prepared(graph: Graph, data: Examples | Stream, places: Array) -> Mapping[str, Array]:
    entries = graph.inputs
    if isinstance(data, Examples):
        raw = [array[places] for array in data.inputs]
        return {
            entry.name: prepare_input(array, entry, graph.bounds, "the data set")
            for entry, array in zip(entries, raw, strict=True)
        }

    def read(index: int) -> list[Array]:
        return [
            prepare_input(array[np.newaxis], entry, graph.bounds, "the data set")
            for entry, array in zip(entries, data.read(index), strict=True)
        ]

    # Images differ in size until they are prepared. Decoding leaves Python to other threads.
    with ThreadPoolExecutor(READERS) as readers:
        examples = list(readers.map(read, data.indices[places].tolist()))
    columns = zip(*examples, strict=True)
    return {entry.name: np.concatenate(column) for entry, column in zip(entries, columns, strict=True)}
