"""Certificates as Markdown, with their picture; and the schema that they all obey."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from netspec.verify.certificate import Certificate, Gate, Measurement
from netspec.verify.certificate_schema import schema, schema_text
from netspec.verify.explanation import Explanation
from netspec.verify.gates import verify
from netspec.verify.report import markdown, write_report
from tests.pages import ROOT
from tests.verify.small_networks import exported, weights_of
from tests.verify.test_certificate import MAYBE, YES, certificate, gate
from tests.verify.test_gates import dropped_weight, epsilon, faulty, many_layers, unknown_operator

VALIDATOR = jsonschema.Draft202012Validator(schema())
CHECKED_IN = ROOT / "netspec-certificate.schema.json"


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path_factory.mktemp("report"))
    return verify(path, graph, weights_of(graph), explanation=Explanation(per_layer=True))


def test_the_schema_is_a_schema_and_checked_in() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert CHECKED_IN.read_text(encoding="utf-8") == schema_text(), (
        f"out of date: run `netspec schema --certificate > {CHECKED_IN.name}`"
    )


def test_real_certificates_obey_the_schema(passed: Certificate, tmp_path: Path) -> None:
    graph = many_layers()
    found = [passed]
    for fault in epsilon, dropped_weight, unknown_operator:
        path = faulty(graph, fault, tmp_path)
        found.append(verify(path, graph, weights_of(graph), explanation=Explanation()))
    assert len({str(one.verdict) for one in found}) == 2
    for one in (*found, certificate(gate(MAYBE))):
        VALIDATOR.validate(json.loads(one.to_json()))


SPOILED: dict[str, Callable[[dict[str, Any]], object]] = {
    "no verdict": lambda data: data.pop("verdict"),
    "a stranger": lambda data: data.update(time="now"),
    "another format": lambda data: data.update(netspec_certificate=2),
    "no hash": lambda data: data.update(sha256="ab"),
    "a negative error": lambda data: data["gates"][1]["measurements"][0].update(error=-1.0),
    "a word for an error": lambda data: data["gates"][1]["measurements"][0].update(error="small"),
    "a verdict of its own": lambda data: data["gates"][0].update(verdict="fine"),
    "a layer without a line": lambda data: data["layers"][0].pop("line"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_the_schema_refuses(name: str, passed: Certificate) -> None:
    data = json.loads(passed.to_json())
    SPOILED[name](data)
    assert not VALIDATOR.is_valid(data)


def test_a_report_has_it_all_and_a_picture(passed: Certificate, tmp_path: Path) -> None:
    page = tmp_path / "of a file" / "report.md"
    assert write_report(passed, page) == ()
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# `small.onnx`: passed\n")
    assert "![Errors of the layers against their bounds](<report.png>)" in text
    picture = page.with_suffix(".png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    for row in passed.layers:
        assert f"| `{row.layer}` | {row.operation} |" in text
    for measured in passed.gates[-1].measurements:
        assert f"| {measured.case} | `{measured.output}` |" in text
    again = tmp_path / "again.md"
    write_report(passed, again)
    assert again.with_suffix(".png").read_bytes() == picture


def test_a_report_of_a_failure_says_whose_fault_it_is(tmp_path: Path) -> None:
    graph = many_layers()
    path = faulty(graph, epsilon, tmp_path)
    failed = verify(path, graph, weights_of(graph), explanation=Explanation())
    write_report(failed, tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "- **NS543** layer layer2 (BatchNorm2d) is at fault" in text
    assert "| `layer2` | BatchNorm2d | **" in text


def test_what_rounding_moves_has_a_column_where_it_was_looked_at() -> None:
    looked = Measurement("9: large", "y", 3.0, 8.0, torch_error=0.1, rerounded_error=1.0)
    rows = [looked, Measurement("0: normal", "y", 0.1, 0.8, torch_error=0.1)]
    text = markdown(certificate(Gate("rounding", YES, {}, tuple(rows), (), "cpu", "CPUExecutionProvider")))
    assert "| PyTorch's own error | moved by rounding |" in text
    assert "| 9: large | `y` | 3 | 8 | 0.1 | 1 |" in text
    assert "| 0: normal | `y` | 0.1 | 0.8 | 0.1 |  |" in text
    assert "moved by rounding" not in markdown(certificate(gate(YES)))


def test_without_layers_there_is_no_picture(tmp_path: Path) -> None:
    bare = replace(certificate(gate(YES)), layers=())
    assert write_report(bare, tmp_path / "report.md") == ()
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_infinite_errors_are_drawn(tmp_path: Path) -> None:
    write_report(certificate(gate(YES)), tmp_path / "report.md")
    assert "fails: it is refused" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_names_are_no_markup() -> None:
    strange = replace(certificate(gate(YES)), file="a`b|c\n<x>.onnx")
    first, *_ = markdown(strange).splitlines()
    assert first == "# `` a`b|c\\n<x>.onnx ``: passed"


def test_without_matplotlib_the_report_is_written_all_the_same(
    passed: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(name="matplotlib")
        return find(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    (remark,) = write_report(passed, tmp_path / "report.md")
    assert remark.code == "NS495"
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert "![" not in (tmp_path / "report.md").read_text(encoding="utf-8")
