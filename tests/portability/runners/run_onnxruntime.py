"""onnxruntime, as it is when nothing is asked of it, on its CPU provider."""

from __future__ import annotations

import onnxruntime

from tests.portability.runners.protocol import Feeds, Run, serve


def load(path: str) -> Run:
    """A session; outputs by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Feeds) -> Feeds:
        return dict(zip(names, session.run(None, dict(feeds)), strict=True))

    return run


serve(onnxruntime.__version__, load)
