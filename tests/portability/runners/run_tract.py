"""tract, by its Python package: loaded, optimised and run as its documentation has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tract  # type: ignore[import-not-found]

from tests.portability.runners.protocol import Feeds, Run, serve


def load(path: str) -> Run:
    """A runnable model; outputs by name, which tract takes from nodes: their order is the file's."""
    model = tract.onnx().load(path)
    inputs = [model.input_name(i) for i in range(model.input_count())]
    outputs = Path(path).with_name("outputs.txt").read_text(encoding="utf-8").split()
    runnable = model.into_model().into_runnable()

    def run(feeds: Feeds) -> Feeds:
        given = runnable.run([np.ascontiguousarray(feeds[name]) for name in inputs])
        return {name: y.to_numpy() for name, y in zip(outputs, given, strict=True)}

    return run


serve(tract.version(), load)
