"""onnxruntime, the engine that users run: the lanes that a file is judged on, sessions pinned to one each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import onnxruntime
from onnxruntime import GraphOptimizationLevel, SessionOptions

from netspec.diagnostics import Diagnostic, Severity, printable
from netspec.onnx_backend.runtimes import has_gpu
from netspec.verify.tolerance import Array

CPU_PROVIDER, CUDA_PROVIDER = "CPUExecutionProvider", "CUDAExecutionProvider"
PROVIDER_OPTIONS = {CUDA_PROVIDER: {"use_tf32": "0"}}
"""TensorFloat-32 keeps ten bits of a float32's fraction, which no bound on rounding in float32 admits."""

LOG_WARNINGS, LOG_NOTHING = 2, 4  # onnxruntime's levels; warnings are its default


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to run a file: a provider, and how far it may rewrite the graph.

    `allowance` is the error granted in any case, in unit roundoffs of the output's dtype. `disabled` names
    the rewrites that are left out.
    """

    name: str
    provider: str
    allowance: float
    optimisation: GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL
    disabled: tuple[str, ...] = ()

    def but(self, *, optimisation: GraphOptimizationLevel, disabled: Sequence[str] = ()) -> Lane:
        """The same engine, with other rewrites of the graph."""
        return replace(self, optimisation=optimisation, disabled=tuple(disabled))


PLAIN = GraphOptimizationLevel.ORT_DISABLE_ALL
PLAIN_CPU = Lane("cpu unoptimised", CPU_PROVIDER, 4, PLAIN)
CPU = Lane("cpu", CPU_PROVIDER, 4)
CUDA = Lane("cuda", CUDA_PROVIDER, 32)


def lanes() -> tuple[Lane, ...]:
    """The lanes of this machine: the CPU, as the file is written and as onnxruntime rewrites it, and CUDA.

    The last only where there is a device; onnxruntime-gpu offers CUDA on machines that have none.
    """
    offered = CUDA_PROVIDER in onnxruntime.get_available_providers()
    return (PLAIN_CPU, CPU, CUDA) if offered and has_gpu() else (PLAIN_CPU, CPU)


class RefusedError(Exception):
    """onnxruntime refuses to load or to run a file."""


class NotStartedError(RefusedError):
    """The provider that was asked for runs nothing of a file; another would have, unnoticed."""


class LaneLeftOut(Diagnostic):
    """A device is there, and the file could not be judged on it."""

    code = "NS547"
    message = "the file was not judged on {lane}: {reason}"
    severity = Severity.WARNING

    lane: str
    reason: str

    @property
    def help(self) -> str:
        return "netspec doctor says what the provider needs"


class Session:
    """A file loaded into onnxruntime, or a model in memory whose external `weights` are those given."""

    def __init__(self, source: Path | bytes, lane: Lane, weights: Mapping[str, Array] | None = None) -> None:
        self.lane = lane
        self._source = source
        options = SessionOptions()
        options.graph_optimization_level = lane.optimisation
        options.log_severity_level = LOG_NOTHING
        # Idle threads that spin would take the processor from the other engines.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if weights:
            self._held = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
            options.add_external_initializers(list(weights), self._held)
        providers = [(lane.provider, PROVIDER_OPTIONS.get(lane.provider, {}))]
        try:
            with _quiet(lane):
                self._session = onnxruntime.InferenceSession(
                    source if isinstance(source, bytes) else str(source),
                    options,
                    providers=providers,
                    disabled_optimizers=list(lane.disabled) or None,
                )
        except Exception as error:
            raise RefusedError(self._sentence(error)) from error
        used = self._session.get_providers()
        if used[0] != lane.provider:
            raise NotStartedError(f"it runs on {used[0]} where {lane.provider} was asked for")
        self.nodes = Counter(self._assigned())
        if self.nodes and not self.nodes[lane.provider]:
            raise NotStartedError(f"no operator of the file runs on {lane.provider}")

    def _assigned(self) -> Iterator[str]:
        """The provider of every node; empty where this onnxruntime does not tell."""
        if hasattr(self._session, "get_provider_graph_assignment_info"):
            for part in self._session.get_provider_graph_assignment_info():
                yield from (part.ep_name for _ in part.get_nodes())

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs, in the file's order."""
        return [entry.name for entry in self._session.get_inputs()]

    @property
    def elsewhere(self) -> int:
        """Nodes that another provider runs: shapes, and operators for which this one has no kernel."""
        return self.nodes.total() - self.nodes[self.lane.provider]

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs, in the file's order."""
        try:
            outputs: Sequence[Array] = self._session.run(None, dict(feeds))
        except Exception as error:
            raise RefusedError(self._sentence(error)) from error
        return outputs

    def _sentence(self, error: Exception) -> str:
        """onnxruntime's words on one line, without its error number and without the path to the file."""
        words = str(error)
        if isinstance(self._source, Path):
            words = words.replace(str(self._source), self._source.name)
        return printable(re.sub(r"^(\[\w+\] )?: \d+ : \w+ : ", "", " ".join(words.split())))


@contextmanager
def _quiet(lane: Lane) -> Iterator[None]:
    """A provider that does not start complains in red on stderr; that is said in one's own words."""
    if lane.provider == CPU_PROVIDER:
        yield
        return
    onnxruntime.set_default_logger_severity(LOG_NOTHING)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(LOG_WARNINGS)
