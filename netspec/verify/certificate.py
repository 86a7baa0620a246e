"""The certificate: what was verified, on what, with which errors and bounds, and the verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.verify.certificate_schema import FORMAT

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
    """The error of one output on one case, beside its bound; `torch_error` is PyTorch's own, in float32.

    `rerounded_error` is how far the exact result moves where every layer's is moved as rounding may move it,
    which is looked at where an engine is further off than PyTorch explains.
    """

    case: str
    output: str
    error: float
    bound: float
    torch_error: float | None = None
    rerounded_error: float | None = None

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
class Judged:
    """What one engine made of a layer alone: its worst error, or why there is none."""

    gate: str
    lane: str | None
    measured: Measurement
    reason: str = ""  # of an infinite error: the engine refuses the layer, or gives another shape


@dataclass(frozen=True, slots=True)
class LayerErrors:
    """One layer alone, cut out of the file, on the oracle's input; `line` is its place in the spec."""

    layer: str
    operation: str
    line: int
    judged: tuple[Judged, ...]

    @property
    def worst(self) -> Judged:
        """The engine that comes nearest to its bound, or goes furthest beyond it."""
        return max(self.judged, key=lambda judged: judged.measured.share)


@dataclass(frozen=True, slots=True)
class Blame:
    """Why a gate failed: the first layer that is wrong by itself, the rewrites of the runtime at fault.

    `layers` are several where only rewriting them together goes wrong, none where no layer does by itself.
    """

    gate: str
    lane: str | None
    layers: tuple[str, ...]
    rewrites: tuple[str, ...] = ()
    findings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One of two files of a network, in one output: its worst error, or another reason that it is wrong."""

    error: float
    bound: float
    right: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """The file beside another exporter's, by the name of each output: the file's side, then the other's."""

    exporter: str
    outputs: Mapping[str, tuple[Side, Side]]


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
    layers: tuple[LayerErrors, ...] = ()
    exported_by_torch: tuple[str, ...] = ()  # layers without a lowering of their own
    blame: Blame | None = None
    against: CrossCheck | None = None
    remarks: tuple[Diagnostic, ...] = ()  # such as a device that the file was not judged on

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

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """Everything to be said: problems, whose fault they are, remarks."""
        return (*self.problems, *(self.blame.findings if self.blame else ()), *self.remarks)

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
            "layers": [_layer_data(row) for row in self.layers],
            "exported_by_torch": list(self.exported_by_torch),
            "blame": None if self.blame is None else _blame_data(self.blame),
            "against": None if self.against is None else _cross_check_data(self.against),
            "remarks": [_diagnostic_data(remark) for remark in self.remarks],
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
    data["measurements"] = [_measurement_data(measured) for measured in gate.measurements]
    data["problems"] = [_diagnostic_data(problem) for problem in gate.problems]
    return data


def _measurement_data(measured: Measurement) -> dict[str, Any]:
    row: dict[str, Any] = {"case": measured.case, "output": measured.output}
    row["error"] = _figure(measured.error)
    row["bound"] = _figure(measured.bound)
    if measured.torch_error is not None:
        row["torch_error"] = _figure(measured.torch_error)
    if measured.rerounded_error is not None:
        row["rerounded_error"] = _figure(measured.rerounded_error)
    return row


def _layer_data(row: LayerErrors) -> dict[str, Any]:
    judged = []
    for entry in row.judged:
        data = {"gate": entry.gate, "lane": entry.lane, **_measurement_data(entry.measured)}
        judged.append(data | ({"reason": entry.reason} if entry.reason else {}))
    return {"layer": row.layer, "operation": row.operation, "line": row.line, "measurements": judged}


def _blame_data(blame: Blame) -> dict[str, Any]:
    return {
        "gate": blame.gate,
        "lane": blame.lane,
        "layers": list(blame.layers),
        "rewrites": list(blame.rewrites),
        "findings": [_diagnostic_data(finding) for finding in blame.findings],
    }


def _cross_check_data(check: CrossCheck) -> dict[str, Any]:
    def side(found: Side) -> dict[str, Any]:
        data = {"right": found.right, "error": _figure(found.error), "bound": _figure(found.bound)}
        return data | ({"reason": found.reason} if found.reason else {})

    outputs = {
        name: {"file": side(ours), "other": side(theirs)} for name, (ours, theirs) in check.outputs.items()
    }
    return {"exporter": check.exporter, "outputs": outputs}


def _diagnostic_data(found: Diagnostic) -> dict[str, str]:
    return {"code": found.code, "message": found.text, "help": found.fill(found.help)}


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
