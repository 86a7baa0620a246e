"""The certificate: what was verified, on what, with which errors and bounds, and the verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic

FORMAT = 1  # of the JSON; raised when a field changes its meaning
DIGITS = 4  # significant digits of an error in the JSON; more would be noise


class Verdict(StrEnum):
    """What a gate, or all of them together, found."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"  # an earlier gate failed in a way that leaves this one nothing to compare


@dataclass(frozen=True, slots=True)
class Case:
    """One set of inputs: how it was drawn, the symbolic dimensions' values, and every input's shape."""

    name: str
    kind: str
    values: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The error of one output on one case, beside its bound; `torch_error` is PyTorch's own, in float32."""

    case: str
    output: str
    error: float
    bound: float
    torch_error: float | None = None

    @property
    def share(self) -> float:
        """The error as a part of its bound: at most 1 where it is within."""
        if self.error == 0:
            return 0.0
        return self.error / self.bound if self.bound > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's verdict, what it measured, and what it found wrong.

    `facts` says what was compared, as counts by name; `lane` is the engine that was judged, where a gate
    is run on several, and `provider` what it ran on.
    """

    name: str
    verdict: Verdict
    facts: Mapping[str, int | float]
    measurements: tuple[Measurement, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    lane: str | None = None
    provider: str | None = None

    @property
    def worst(self) -> Measurement | None:
        """The measurement nearest to its bound, or furthest beyond it."""
        return max(self.measurements, key=lambda m: m.share, default=None)


@dataclass(frozen=True, slots=True)
class LayerError:
    """One layer alone: the error of its output on the oracle's input."""

    layer: str
    error: float
    bound: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """The outcome of verifying one file. The same file, versions and machine give the same certificate."""

    network: str
    file: str
    sha256: str
    opset: int
    seed: int
    versions: Mapping[str, str]
    cases: tuple[Case, ...]
    gates: tuple[Gate, ...]
    layers: tuple[LayerError, ...] = ()
    exported_by_torch: tuple[str, ...] = ()  # layers without a lowering of their own

    @property
    def verdict(self) -> Verdict:
        """Failed if any gate failed, else inconclusive if any is, else passed."""
        found = {gate.verdict for gate in self.gates}
        for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE):
            if verdict in found:
                return verdict
        return Verdict.PASSED if found == {Verdict.PASSED} else Verdict.FAILED

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """What the gates found wrong, in their order."""
        return tuple(problem for gate in self.gates for problem in gate.problems)

    def to_data(self) -> dict[str, Any]:
        """The certificate as plain data, in the order in which it is written."""
        return {
            "netspec_certificate": FORMAT,
            "network": self.network,
            "file": self.file,
            "sha256": self.sha256,
            "verdict": str(self.verdict),
            "opset": self.opset,
            "seed": self.seed,
            "versions": dict(self.versions),
            "cases": [
                {
                    "name": case.name,
                    "kind": case.kind,
                    "values": dict(case.values),
                    "shapes": {name: list(shape) for name, shape in case.shapes.items()},
                }
                for case in self.cases
            ],
            "gates": [_gate_data(gate) for gate in self.gates],
            "layers": [
                {"layer": row.layer, "error": _figure(row.error), "bound": _figure(row.bound)}
                for row in self.layers
            ],
            "exported_by_torch": list(self.exported_by_torch),
        }

    def to_json(self) -> str:
        """The text of `NAME.cert.json`."""
        return json.dumps(self.to_data(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _gate_data(gate: Gate) -> dict[str, Any]:
    data: dict[str, Any] = {"name": gate.name, "verdict": str(gate.verdict)}
    if gate.lane is not None:
        data["lane"] = gate.lane
        data["provider"] = gate.provider
    data["facts"] = dict(gate.facts)
    data["measurements"] = []
    for measured in gate.measurements:
        row: dict[str, Any] = {"case": measured.case, "output": measured.output}
        row["error"] = _figure(measured.error)
        row["bound"] = _figure(measured.bound)
        if measured.torch_error is not None:
            row["torch_error"] = _figure(measured.torch_error)
        data["measurements"].append(row)
    data["problems"] = [
        {"code": problem.code, "message": problem.text, "help": problem.fill(problem.help)}
        for problem in gate.problems
    ]
    return data


def _figure(value: float) -> float | str:
    """A number as JSON has it; infinity and NaN, which it lacks, as their names."""
    return float(f"{value:.{DIGITS - 1}e}") if math.isfinite(value) else str(value)


class Row(NamedTuple):
    """One line of the summary that `build` and `verify` show."""

    gate: str
    verdict: Verdict
    detail: str


def summary(certificate: Certificate) -> tuple[Row, ...]:
    """The certificate in a few lines, one a gate."""
    rows = [Row(_title(gate), gate.verdict, _detail(gate)) for gate in certificate.gates]
    if rows and certificate.exported_by_torch:
        layers = ", ".join(certificate.exported_by_torch)
        rows[0] = rows[0]._replace(detail=f"{rows[0].detail}; exported by torch: {layers}")
    return tuple(rows)


def _title(gate: Gate) -> str:
    return gate.name if gate.lane is None else f"{gate.name}, {gate.lane}"


def _detail(gate: Gate) -> str:
    if gate.verdict is Verdict.NOT_RUN:
        return "nothing to compare: an earlier check failed"
    compared = ", ".join(_counted(count, name) for name, count in gate.facts.items())
    worst = gate.worst
    if worst is None:
        return compared
    error = "no error" if worst.error == 0 else f"error {worst.error:.1e}, bound {worst.bound:.1e}"
    return f"{error}; {compared}"


def _counted(count: float, things: str) -> str:
    """`1 binding of the dimensions`, `5 bindings of the dimensions`."""
    noun, space, rest = things.partition(" ")
    return f"{count:,} {noun.removesuffix('s') if count == 1 else noun}{space}{rest}"
