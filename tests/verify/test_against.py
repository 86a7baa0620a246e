"""A file beside torch's own export: which is right is said by exact arithmetic."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import ModelProto

from netspec.ir.graph import Graph
from netspec.verify import against
from netspec.verify.certificate import Certificate, Verdict
from netspec.verify.explanation import Explanation
from netspec.verify.gates import verify
from tests.verify.small_networks import exported, weights_of
from tests.verify.test_gates import dropped_activation, faulty, many_layers, two_inputs, wrong_divisor
from tests.verify.test_report import VALIDATOR

WANTED = Explanation(against_torch=True)


def written(path: Path) -> Callable[..., None]:
    """An exporter that writes a file which lies there."""

    def export(module: object, feeds: object, symbolic: object, opset: int, target: Path, _: bool) -> None:
        shutil.copy(path, target)

    return export


def judged(path: Path, graph: Graph) -> Certificate:
    certificate = verify(path, graph, weights_of(graph), explanation=WANTED)
    VALIDATOR.validate(certificate.to_data())
    return certificate


def test_torch_itself_agrees(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    graph = two_inputs()
    level = logging.getLogger("torch.onnx").level
    certificate = judged(exported(graph, weights_of(graph), tmp_path), graph)
    assert certificate.findings == ()
    assert certificate.against is not None
    assert list(certificate.against.outputs) == ["out", "sum"]
    for ours, theirs in certificate.against.outputs.values():
        assert ours.right
        assert theirs.right
        assert ours.bound == theirs.bound > 0
    assert capfd.readouterr().out == ""
    assert logging.getLogger("torch.onnx").level == level


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


def test_the_other_side_is_wrong(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(against, "_call_exporter", written(faulty(graph, wrong_divisor, other)))
    certificate = judged(path, graph)
    assert certificate.verdict is Verdict.PASSED  # the other file's faults are its own
    assert certificate.against is not None
    ours, theirs = certificate.against.outputs["y"]
    assert (ours.right, theirs.right) == (True, False)
    assert theirs.error > theirs.bound
    (remark,) = certificate.remarks
    assert remark.code == "NS558"
    assert remark.text.startswith(
        "y: by exact arithmetic the file is right, and torch's export is wrong (off by"
    )


def test_the_file_is_wrong(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    monkeypatch.setattr(against, "_call_exporter", written(exported(graph, weights_of(graph), other)))
    certificate = judged(faulty(graph, dropped_activation, tmp_path), graph)
    assert certificate.verdict is Verdict.FAILED
    assert "torch's export is right, and the file is wrong" in certificate.remarks[-1].text


def test_both_are_wrong(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    monkeypatch.setattr(against, "_call_exporter", written(faulty(graph, wrong_divisor, other)))
    certificate = judged(faulty(graph, dropped_activation, tmp_path), graph)
    assert "both are wrong" in certificate.remarks[-1].text


def with_outputs(edit: Callable[[ModelProto], None]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        model = onnx.load(path)
        edit(model)
        onnx.save(model, path)

    return change


def other_type(model: ModelProto) -> None:
    (old,) = model.graph.output
    cast = onnx.helper.make_node("Cast", [old.name], ["wide"], to=onnx.TensorProto.DOUBLE)
    model.graph.node.append(cast)
    old.name = "wide"
    old.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


def one_more(model: ModelProto) -> None:
    model.graph.output.append(model.graph.output[0])
    model.graph.node.append(onnx.helper.make_node("Identity", [model.graph.output[0].name], ["more"]))
    model.graph.output[1].name = "more"


@pytest.mark.parametrize(
    ("edit", "reason"), [(other_type, "float64 (0: normal)"), (one_more, "it gives 2 outputs, not 1")]
)
def test_another_interface_is_wrong(
    edit: Callable[[ModelProto], None],
    reason: str,
    tmp_path: Path,
    other: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = many_layers()
    theirs = exported(graph, weights_of(graph), other)
    with_outputs(edit)(theirs)
    monkeypatch.setattr(against, "_call_exporter", written(theirs))
    certificate = judged(exported(graph, weights_of(graph), tmp_path), graph)
    assert reason in certificate.remarks[0].text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("it cannot\nbe traced"), "it refuses the network: it cannot"),
        (ModuleNotFoundError(name="onnxscript"), "it needs the package onnxscript (pip install onnxscript)"),
    ],
)
def test_an_exporter_that_refuses_leaves_the_verdict(
    error: Exception, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(against, "_call_exporter", refuse)
    certificate = judged(path, graph)
    assert certificate.verdict is Verdict.PASSED
    assert certificate.against is None
    (remark,) = certificate.remarks
    assert (remark.code, remark.text) == (
        "NS557",
        f"the file was not held against torch's export: {told}",
    )


def test_a_file_of_theirs_that_does_not_load_is_said(
    tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = other / "broken.onnx"
    broken.write_bytes(b"no model")
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(against, "_call_exporter", written(broken))
    certificate = judged(path, graph)
    assert certificate.remarks[0].code == "NS557"
    assert "/tmp" not in certificate.to_json()


def test_the_certificate_has_both_sides(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(against, "_call_exporter", written(path))
    data: Mapping[str, Any] = judged(path, graph).to_data()["against"]
    assert data["exporter"] == "torch.onnx.export(dynamo=True)"
    assert data["outputs"]["y"]["file"] == data["outputs"]["y"]["other"]
