"""OpenVINO on its CPU plugin, in float32: left alone it takes bfloat16 where the processor has it."""

from __future__ import annotations

import openvino  # type: ignore[import-not-found]

from tests.portability.runners.protocol import Feeds, Run, serve


def load(path: str) -> Run:
    """A compiled model; outputs by name."""
    core = openvino.Core()
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(feeds: Feeds) -> Feeds:
        given = compiled(dict(feeds))
        return {output.get_any_name(): given[output].copy() for output in compiled.outputs}

    return run


serve(openvino.__version__.partition("-")[0], load)
