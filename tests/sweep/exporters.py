"""The same configurations by netspec and by torch's own exporter, both judged by one oracle and one bound."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import onnx
import torch
from torch import nn

from netspec.torch_backend.build import build
from tests.ops.cases import LAYER, Case, draw_weights, layer_of, with_weights
from tests.ops.engines import LARGE, Expected, File, exported, tensors
from tests.ops.family import family_of
from tests.sweep.configurations import batch_of

OPSET = 18
BATCHES = (2, 3)  # torch takes a batch of 1 for a fixed one, so that it cannot be traced with it

Outcome = Literal["right", "silently wrong", "failing"]
OUTCOMES: tuple[Outcome, ...] = ("right", "silently wrong", "failing")
SIDES = ("netspec", "torch.onnx.export")


@dataclass
class Comparison:
    """How many configurations each side gets right, and what the others show."""

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: {side: Counter() for side in SIDES})
    notes: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(side, operation, outcome, what it said) of everything that is not right."""

    def add(self, other: Comparison) -> None:
        """Count the other's as well."""
        for side in SIDES:
            self.outcomes[side].update(other.outcomes[side])
        self.notes += other.notes


def compare(case: Case, folder: Path) -> Comparison:
    """One configuration, its batch symbolic where it may be, through both exporters."""
    case = of_any_batch(case)
    graph = case.graph()
    weights = draw_weights(case.module())
    named = {f"{LAYER}.{name}": array for name, array in weights.items()}
    module = with_weights(build(graph), named).eval()
    least = {name: graph.bounds[name].least for name in case.sizes}
    sizes = [case]
    if least:
        sizes = [case.at({name: max(batch, least[name]) for name in least}) for batch in BATCHES]
    node = layer_of(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [Expected.of(one, node, weights, scale) for one in sizes for scale in (1.0, LARGE)]
        found = Comparison()
        ways = (
            lambda: exported(graph, named, folder / "netspec.onnx", OPSET),
            lambda: by_torch(module, sizes[0], folder / "torch.onnx"),
        )
        for side, way in zip(SIDES, ways, strict=True):
            try:
                outcome, said = judged(way(), expected)
            except Exception as error:  # an exporter may raise what it likes: it has failed
                outcome, said = "failing", reason(error)
            found.outcomes[side][outcome] += 1
            if outcome != "right":
                found.notes.append((side, case.op, outcome, said))
    return found


def reason(error: BaseException) -> str:
    """What an error goes back to, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def of_any_batch(case: Case) -> Case:
    """The case with its batch symbolic, if it may be, and no other dimension."""
    case = case.static()
    batch = batch_of(case)
    if batch is None:
        return case
    names = family_of(case.op).openable(case)
    symbols = tuple(tuple(name if name == batch else None for name in row) for row in names)
    return replace(case, symbols=symbols)


def judged(file: File, expected: Sequence[Expected]) -> tuple[Outcome, str]:
    """Whether the file computes what is expected; if not, what it gives instead."""
    session = file.session(optimised=True)
    names = [entry.name for entry in session.get_inputs()]
    for wanted in expected:
        outputs = session.run(None, dict(zip(names, wanted.feeds.values(), strict=True)))
        for fault in wanted.faults_of_runtime(outputs):
            return "silently wrong", fault.text
    return "right", ""


def by_torch(module: nn.Module, case: Case, path: Path) -> File:
    """The file that torch.onnx.export writes; raises what it raises."""
    shapes = tuple(dict(dynamic(symbols)) for symbols in case.symbols) if case.symbols else None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            module,
            tuple(tensors(case.feeds())),
            path,
            dynamo=True,
            dynamic_shapes=shapes,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    return File(onnx.load(path))


def dynamic(symbols: Sequence[str | None]) -> Iterator[tuple[int, torch.export.Dim]]:
    """The symbolic dimensions of one input, as torch.export wants them."""
    for axis, name in enumerate(symbols):
        if name is not None:
            yield axis, torch.export.Dim(name)
