"""The lanes that a file is judged on: which there are, what ran them, and what is said of one left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from netspec.diagnostics import DiagnosticError
from netspec.onnx_backend import runtimes
from netspec.pipeline import build, verify_file
from netspec.verify import runtime
from netspec.verify.certificate import Verdict
from netspec.verify.explanation import Explanation
from netspec.verify.gates import verify
from netspec.verify.runtime import CPU, CUDA, CUDA_PROVIDER, PLAIN_CPU, NotStartedError, Session, lanes
from tests.verify.small_networks import exported, weights_of
from tests.verify.test_gates import many_layers


def offering(monkeypatch: pytest.MonkeyPatch, *providers: str, gpu: bool) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))
    monkeypatch.setattr(runtime, "has_gpu", lambda: gpu)


@pytest.mark.parametrize(
    ("offered", "gpu", "expected"),
    [
        (True, True, (PLAIN_CPU, CPU, CUDA)),
        (True, False, (PLAIN_CPU, CPU)),
        (False, True, (PLAIN_CPU, CPU)),
    ],
)
def test_cuda_needs_a_provider_and_a_device(
    offered: bool, gpu: bool, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    offering(monkeypatch, *[CUDA_PROVIDER] * offered, "CPUExecutionProvider", gpu=gpu)
    assert lanes() == expected


def test_both_levels_of_optimisation_are_in_the_certificate(tmp_path: Path) -> None:
    graph = many_layers()
    certificate = verify(exported(graph, weights_of(graph), tmp_path), graph, weights_of(graph))
    judged = {gate.lane: gate for gate in certificate.gates if gate.name == "rounding"}
    assert {"cpu unoptimised", "cpu"} <= judged.keys()
    assert all(gate.provider == "CPUExecutionProvider" for gate in judged.values() if gate.lane != "cuda")
    data = certificate.to_data()["gates"]
    assert [gate["lane"] for gate in data[2:4]] == ["cpu unoptimised", "cpu"]


def test_the_levels_are_really_off_and_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    made = onnxruntime.InferenceSession.__init__

    def record(self: Any, path: Any, options: Any, **rest: Any) -> None:
        seen.append((options.graph_optimization_level, rest["providers"]))
        made(self, path, options, **rest)

    monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", record)
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    for lane in PLAIN_CPU, CPU:
        Session(path, lane)
    levels = onnxruntime.GraphOptimizationLevel
    assert [level for level, _ in seen] == [levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL]
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda self: ["CPUExecutionProvider"])
    with pytest.raises(NotStartedError):
        Session(path, CUDA)
    assert seen[-1][1] == [(CUDA_PROVIDER, {"use_tf32": "0"})]


def test_a_device_whose_provider_does_not_start_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No silent fall-back: what ran on the CPU is never taken for a result of the device."""
    offering(monkeypatch, CUDA_PROVIDER, "CPUExecutionProvider", gpu=True)
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda self: ["CPUExecutionProvider"])
    graph = many_layers()
    certificate = verify(exported(graph, weights_of(graph), tmp_path), graph, weights_of(graph))
    assert certificate.verdict is Verdict.PASSED
    assert [gate.lane for gate in certificate.gates[2:]] == ["cpu unoptimised", "cpu"]
    (remark,) = certificate.remarks
    assert remark.code == "NS547"
    assert "runs on CPUExecutionProvider where CUDAExecutionProvider was asked for" in remark.text
    assert remark in certificate.findings
    assert certificate.to_data()["remarks"][0]["code"] == "NS547"


def fake_cuda(monkeypatch: pytest.MonkeyPatch, on_device: int, on_cpu: int) -> None:
    """A CUDA that starts: the CPU in its clothes, with so many nodes on either."""
    offering(monkeypatch, CUDA_PROVIDER, "CPUExecutionProvider", gpu=True)
    made = onnxruntime.InferenceSession.__init__
    asked: dict[int, str] = {}

    def start(self: Any, path: Any, options: Any, **rest: Any) -> None:
        asked[id(self)] = rest.pop("providers")[0][0]
        made(self, path, options, providers=["CPUExecutionProvider"], **rest)

    def assigned(self: Session) -> Any:
        if self.lane.provider == CUDA_PROVIDER:
            return Counter({CUDA_PROVIDER: on_device, "CPUExecutionProvider": on_cpu}).elements()
        return iter(["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", start)
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda self: [asked[id(self)]])
    monkeypatch.setattr(Session, "_assigned", assigned)


def test_what_a_device_leaves_to_the_cpu_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda(monkeypatch, 8, 3)
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    certificate = verify(path, graph, weights_of(graph), explanation=Explanation(per_layer=True))
    assert certificate.verdict is Verdict.PASSED
    cuda = certificate.gates[-1]
    assert (cuda.lane, cuda.provider) == ("cuda", CUDA_PROVIDER)
    assert (cuda.facts["nodes on the device"], cuda.facts["nodes on the CPU"]) == (8, 3)
    cpu = certificate.gates[-2]
    assert "nodes on the CPU" not in cpu.facts
    wider = [(a.bound, b.bound) for a, b in zip(cuda.measurements, cpu.measurements, strict=True)]
    assert all(ours >= theirs for ours, theirs in wider)
    assert any(ours > theirs for ours, theirs in wider)
    assert [judged.lane for judged in certificate.layers[0].judged] == [
        None,
        "cpu unoptimised",
        "cpu",
        "cuda",
    ]


def test_a_device_that_runs_nothing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda(monkeypatch, 0, 8)
    graph = many_layers()
    certificate = verify(exported(graph, weights_of(graph), tmp_path), graph, weights_of(graph))
    assert [remark.code for remark in certificate.remarks] == ["NS547"]
    assert "no operator of the file runs on CUDAExecutionProvider" in certificate.remarks[0].text


def test_both_wheels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(
        "netspec: 1\nname: tiny\ninputs: {x: [batch, 3]}\nlayers: [{Linear: {out_features: 2}}]\n"
    )
    built = build(spec, out=tmp_path)
    assert built.path is not None
    monkeypatch.setattr(runtimes, "installed_version", lambda distribution: "1.31.1")
    for refused in (lambda: build(spec, out=tmp_path / "other"), lambda: verify_file(tmp_path / "tiny.onnx")):
        with pytest.raises(DiagnosticError) as raised:
            refused()
        (found,) = raised.value.diagnostics
        assert found.code == "NS560"
        assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found.fill(found.help)
    assert not (tmp_path / "other").exists()


@pytest.mark.gpu
def test_cuda_judges_a_file(tmp_path: Path) -> None:
    if CUDA not in lanes():
        pytest.skip("this onnxruntime has no CUDA")
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    certificate = verify(path, graph, weights_of(graph), explanation=Explanation(per_layer=True))
    assert certificate.remarks == ()
    assert certificate.verdict is Verdict.PASSED
    assert certificate.gates[-1].lane == "cuda"
    session = Session(path, CUDA)
    assert session._session.get_providers()[0] == CUDA_PROVIDER
    assert session._session.get_provider_options()[CUDA_PROVIDER]["use_tf32"] == "0"
    assert np.isfinite(certificate.layers[0].worst.measured.error)
