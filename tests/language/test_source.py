"""Spec files, standard input and text to a Tree."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.language.source import MAX_BYTES, parse, read


def only(error: DiagnosticError) -> Diagnostic:
    (diagnostic,) = error.diagnostics
    assert diagnostic.span
    assert diagnostic.text
    assert "\n" not in diagnostic.text
    diagnostic.fill(diagnostic.help)
    diagnostic.fill(diagnostic.label)
    return diagnostic


def unreadable(path: Path | str) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read(path)
    return only(caught.value)


def test_the_name_decides_the_format(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"a": "\\ud83d\\ude00"}')
    assert read(tmp_path / "spec.json").value == {"a": "😀"}
    (tmp_path / "spec.yml").write_text("a: no")
    assert read(str(tmp_path / "spec.yml")).value == {"a": "no"}
    (tmp_path / "bad.json").write_text("a: no")
    assert unreadable(tmp_path / "bad.json").code == "NS128"


def test_a_missing_file_suggests_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "lenet.yaml").touch()
    diagnostic = unreadable(tmp_path / "lennet.yaml")
    assert diagnostic.code == "NS101"
    assert diagnostic.fill(diagnostic.help).startswith("did you mean ")
    assert diagnostic.fill(diagnostic.help).endswith("lenet.yaml?")
    assert unreadable(tmp_path / "none" / "lenet.yaml").code == "NS101"
    assert unreadable(tmp_path / "lenet.yaml" / "x").code == "NS101"


def test_a_folder_names_a_spec_in_it(tmp_path: Path) -> None:
    assert unreadable(tmp_path).code == "NS102"
    (tmp_path / "lenet.yaml").touch()
    diagnostic = unreadable(tmp_path)
    assert diagnostic.code == "NS102"
    assert "lenet.yaml" in diagnostic.fill(diagnostic.help)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> object:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "spec.yaml").touch()
    monkeypatch.setattr("builtins.open", deny)  # as root every file can be read
    diagnostic = unreadable(tmp_path / "spec.yaml")
    assert diagnostic.code == "NS103"
    assert "permission denied" in diagnostic.text


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5_000])
def test_a_name_that_no_file_can_have(name: str) -> None:
    assert unreadable(name).code in ("NS101", "NS103")


def test_a_huge_file_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spec.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    monkeypatch.delattr("builtins.open")
    diagnostic = unreadable(path)
    assert diagnostic.code == "NS104"
    assert "50,000,000" in diagnostic.text


def test_the_limit_itself_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"a: 1\n#" + b"x" * (MAX_BYTES - 6))
    assert read(path).value == {"a": 1}


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero here")
def test_a_device_without_end_is_read_to_the_limit() -> None:
    assert unreadable("/dev/zero").code == "NS104"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "NS105"),
        ("a: 1".encode("utf-16"), "NS107"),
        ("a: 1".encode("utf-32"), "NS107"),
        ("a: 1".encode("utf-16-be"), "NS105"),
        (b"", "NS108"),
        (b"\xef\xbb\xbf", "NS108"),
    ],
)
def test_bytes_that_are_no_spec(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(data)
    diagnostic = unreadable(path)
    assert diagnostic.code == code
    assert diagnostic.help


def test_an_invalid_byte_has_a_line_and_a_column(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes("a: 1\né: x".encode() + b"\xff\n")
    diagnostic = unreadable(path)
    assert diagnostic.code == "NS106"
    assert diagnostic.span
    assert (diagnostic.span.line, diagnostic.span.column) == (2, 5)
    assert "0xFF" in diagnostic.text


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"a: no", {"a": "no"}),
        (b' { "a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b"{a: 1}", {"a": 1}),
        (b"{}", {}),
    ],
)
def test_standard_input_is_yaml_unless_it_begins_as_json(
    data: bytes, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    tree = read("-")
    assert tree.value == value
    assert tree.source.name == "<stdin>"


def test_standard_input_is_read_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"#" * (MAX_BYTES + 1))))
    assert unreadable("-").code == "NS104"


@given(data=st.binary(max_size=100))
@settings(max_examples=50)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    try:
        read(path)
    except DiagnosticError as error:
        only(error)


def test_garbage_collection_is_as_it_was() -> None:
    parse("a: 1", "x", "yaml")
    assert gc.isenabled()
    with pytest.raises(DiagnosticError):
        parse("a: [", "x", "yaml")
    assert gc.isenabled()
    gc.disable()
    try:
        parse("a: 1", "x", "yaml")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_reading_json_does_not_load_yaml() -> None:
    code = (
        "import sys; from netspec.language.source import parse; parse('{}', 'x', 'json');"
        "sys.exit('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
