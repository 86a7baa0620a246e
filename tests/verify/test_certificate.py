"""The certificate's verdict, text and summary."""

from __future__ import annotations

import json

import pytest

from netspec.verify.certificate import (
    Blame,
    Case,
    Certificate,
    Gate,
    Judged,
    LayerErrors,
    Measurement,
    Verdict,
    summary,
)
from netspec.verify.signal import OutputsVanish

INF, NAN = float("inf"), float("nan")


def certificate(*gates: Gate) -> Certificate:
    case = Case("0: normal", "normal", {"batch": 2}, {"x": (2, 3)})
    judged = (
        Judged("semantic", None, Measurement("0: normal", "conv", 1e-16, 1e-9)),
        Judged("rounding", "cpu", Measurement("0: normal", "conv", INF, 1e-6), "it is refused"),
    )
    layers = (LayerErrors("conv", "Conv2d", 7, judged),)
    blame = Blame("rounding", "cpu", ("conv",), ("ConvBNFusion",), (OutputsVanish(output="z"),))
    return Certificate(
        "small", "small.onnx", "ab" * 32, 18, 0, {"python": "3"}, (case,), gates, layers, blame=blame
    )


def gate(verdict: Verdict, *measurements: Measurement) -> Gate:
    return Gate("semantic", verdict, {"samples": 1}, measurements)


YES, NO, MAYBE, NONE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((YES, YES), YES),
        ((YES, MAYBE), MAYBE),
        ((MAYBE, NO), NO),
        ((NO, NONE), NO),
        ((YES, NONE), NO),
        ((), NO),
    ],
)
def test_only_passed_gates_pass(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    assert certificate(*map(gate, verdicts)).verdict is expected


def test_the_json_has_everything_and_no_bare_infinities() -> None:
    measured = Measurement("0: normal", "y", NAN, INF, torch_error=1.23456789e-7, rerounded_error=2.5)
    problem = OutputsVanish(output="y")
    text = certificate(
        Gate("rounding", MAYBE, {}, (measured,), (problem,), "cpu", "CPUExecutionProvider")
    ).to_json()
    data = json.loads(text, parse_constant=pytest.fail)
    assert text.endswith("}\n")
    assert list(data) == [
        "netspec_certificate",
        "network",
        "file",
        "sha256",
        "verdict",
        "opset",
        "seed",
        "versions",
        "cases",
        "gates",
        "layers",
        "exported_by_torch",
        "blame",
        "against",
        "remarks",
    ]
    assert data["verdict"] == "inconclusive"
    (row,) = data["gates"][0]["measurements"]
    assert row == {
        "case": "0: normal",
        "output": "y",
        "error": "nan",
        "bound": "inf",
        "torch_error": 1.235e-07,
        "rerounded_error": 2.5,
    }
    (found,) = data["gates"][0]["problems"]
    assert found["code"] == "NS541"
    assert found["message"] == "y is zero for every input that was tried"
    assert data["gates"][0]["lane"] == "cpu"
    assert data["gates"][0]["provider"] == "CPUExecutionProvider"
    (layer,) = data["layers"]
    assert (layer["layer"], layer["operation"], layer["line"]) == ("conv", "Conv2d", 7)
    semantic, rounding = layer["measurements"]
    assert (semantic["gate"], semantic["lane"], semantic["error"]) == ("semantic", None, 1e-16)
    assert "reason" not in semantic
    assert (rounding["lane"], rounding["error"], rounding["reason"]) == ("cpu", "inf", "it is refused")
    assert (data["blame"]["layers"], data["blame"]["rewrites"]) == (["conv"], ["ConvBNFusion"])
    assert data["blame"]["findings"][0]["message"] == "z is zero for every input that was tried"


def test_the_worst_measurement_is_the_nearest_to_its_bound() -> None:
    rows = [Measurement("a", "y", 1e-3, 1.0), Measurement("b", "y", 1e-9, 1e-9), Measurement("c", "y", 0, 0)]
    assert gate(YES, *rows).worst == rows[1]
    assert Measurement("d", "y", 1e-30, 0).share == INF
    assert gate(YES).worst is None


def test_the_summary_speaks_of_the_worst() -> None:
    rows = summary(
        certificate(
            gate(YES, Measurement("a", "y", 2e-7, 1e-6)),
            gate(YES, Measurement("a", "y", 0, 1e-9)),
            gate(NONE),
        )
    )
    assert [row.detail for row in rows] == [
        "error 2.0e-07, bound 1.0e-06; 1 sample",
        "no error; 1 sample",
        "nothing to compare: an earlier check failed",
    ]
