"""A fault by itself: a model of one layer, and beside it the inputs and what they should give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netspec.files import published, writing
from netspec.verify.layers import Layer
from netspec.verify.runtime import PLAIN_CPU, Lane
from netspec.verify.tolerance import Array

SIZE_LIMIT = 2**31 - 2**20  # bytes of a model's weights: protobuf ends at 2 GiB

PROGRAM = """\
import numpy as np, onnxruntime as ort

data = np.load({data!r})
inputs = {{name.partition(".")[2]: data[name] for name in data.files if name.startswith("input.")}}
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.{level}
session = ort.InferenceSession({model!r}, options, providers=[{provider!r}])
for output, y in zip(session.get_outputs(), session.run(None, inputs)):
    error = np.abs(y.astype(np.float64) - data["exact." + output.name])
    print(f"{{output.name}}: off by {{error.max():.3e}}")
"""


def reproduce(layer: Layer, folder: Path, name: str, lane: Lane | None) -> str:
    """Write NAME.LAYER.onnx, .npz with its inputs and exact outputs, and .py, which runs it; says so.

    Errors: NS511 where the system refuses.
    """
    cut = layer.cut
    assert cut is not None
    if sum(array.nbytes for array in cut.weights.values()) > SIZE_LIMIT:
        return f"the weights of {layer.node.name} are too large for a model of one layer"
    target = folder / f"{name}.{layer.node.name}.onnx"
    data, program = (target.with_suffix(end) for end in (".npz", ".py"))
    run = lane or PLAIN_CPU
    with published(target) as beside, writing(target):
        beside.write_bytes(cut.model().SerializeToString(deterministic=True))
        arrays: Mapping[str, Array] = {
            **{f"input.{tensor}": _portable(array) for tensor, array in cut.feeds.items()},
            **{f"exact.{tensor}": array for tensor, array in layer.exact.items()},
        }
        with beside.with_name(data.name).open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        text = PROGRAM.format(
            data=data.name, model=target.name, level=run.optimisation.name, provider=run.provider
        )
        beside.with_name(program.name).write_text(text, encoding="utf-8")
    alone = "this layer" if len(layer.nodes) == 1 else "these layers"
    return f"{target} is {alone} alone, with its input; run {program.name} in that folder"


def _portable(array: Array) -> Array:
    """An array that numpy can save and read without knowing of bfloat16."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array
