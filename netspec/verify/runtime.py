"""onnxruntime, the engine that users run: sessions pinned to one provider."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
from onnxruntime import GraphOptimizationLevel

from netspec.diagnostics import printable
from netspec.verify.tolerance import Array


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to run a file: a provider, and how far it may rewrite the graph.

    `allowance` is the error granted in any case, in unit roundoffs of the output's dtype.
    """

    name: str
    provider: str
    optimisation: GraphOptimizationLevel
    allowance: float


LANES = (Lane("cpu", "CPUExecutionProvider", GraphOptimizationLevel.ORT_ENABLE_ALL, allowance=4),)


class RefusedError(Exception):
    """onnxruntime refuses to load or to run a file."""


class Session:
    """A file loaded into onnxruntime."""

    def __init__(self, path: Path, lane: Lane) -> None:
        self._path = path
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = lane.optimisation
        options.log_severity_level = 4
        # Idle threads that spin would take the processor from the other engines.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[lane.provider])
        except Exception as error:
            raise RefusedError(_sentence(error, path)) from error
        used = self._session.get_providers()
        if lane.provider not in used:
            raise RefusedError(f"it runs on {used[0]} where {lane.provider} was asked for")

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs, in the file's order."""
        try:
            outputs: Sequence[Array] = self._session.run(None, dict(feeds))
        except Exception as error:
            raise RefusedError(_sentence(error, self._path)) from error
        return outputs


def _sentence(error: Exception, path: Path) -> str:
    """onnxruntime's words on one line, without its error number and without the path to the file."""
    words = " ".join(str(error).replace(str(path), path.name).split())
    return printable(re.sub(r"^(\[\w+\] )?: \d+ : \w+ : ", "", words))
