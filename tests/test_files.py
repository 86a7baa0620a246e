"""Output files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netspec import files
from netspec.diagnostics import DiagnosticError
from netspec.files import published, writing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_and_its_companions_appear_when_the_block_ends(tmp_path, durable):
    target = tmp_path / "new" / "folder" / "m.onnx"
    with published(target, durable=durable) as path:
        assert path.name == target.name
        path.write_text("model")
        path.with_name("m.onnx.data").write_text("data")
        assert [name for name in names(target.parent) if not name.startswith(".")] == []
    assert names(target.parent) == ["m.onnx", "m.onnx.data"]
    assert (target.read_text(), target.with_name("m.onnx.data").read_text()) == ("model", "data")


def test_the_target_is_moved_last(tmp_path, monkeypatch):
    moved = []
    replace = Path.replace

    def recorded(path: Path, to: Path) -> Path:
        moved.append(path.name)
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", recorded)
    with published(tmp_path / "b") as path:
        for name in ("a", "b", "c"):
            path.with_name(name).touch()
    assert moved == ["a", "c", "b"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_a_failure_the_older_file_stays(tmp_path, error):
    target = tmp_path / "m.onnx"
    target.write_text("old")

    def fail() -> None:
        with published(target) as path:
            path.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == ["m.onnx"]
    assert target.read_text() == "old"


def test_nothing_written_nothing_published(tmp_path):
    with published(tmp_path / "m.onnx"):
        pass
    assert names(tmp_path) == []


def test_an_older_file_is_replaced(tmp_path):
    target = tmp_path / "m.onnx"
    target.write_text("old")
    with published(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def publish(target: Path) -> None:
    with published(target) as path:
        path.touch()


def refusal(target: Path) -> tuple[str, str]:
    with pytest.raises(DiagnosticError) as caught:
        publish(target)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "NS511"
    return diagnostic.text, diagnostic.fill(diagnostic.help)


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "m.onnx").mkdir()
    message, cure = refusal(tmp_path / "m.onnx")
    assert message == f"cannot write {tmp_path / 'm.onnx'}: is a directory"
    assert "a folder has this name" in cure
    assert names(tmp_path) == ["m.onnx"]


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").touch()
    for target in (tmp_path / "file" / "m.onnx", tmp_path / "file" / "deep" / "m.onnx"):
        assert "is a file and no folder" in refusal(target)[1]


def test_a_name_too_long(tmp_path):
    assert refusal(tmp_path / ("x" * 300))[1] == "choose a shorter name"
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    assert "you may not write there" in refusal(tmp_path / "m.onnx")[1]


def test_a_disk_that_fills_while_publishing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_sync", full)
    with (
        pytest.raises(DiagnosticError, match="no space left on device"),
        published(tmp_path / "m", durable=True) as path,
    ):
        path.touch()
    assert names(tmp_path) == []


def test_hostile_names_are_printed_harmlessly():
    def fail() -> None:
        with writing(Path("\x1b[31m")):
            raise OSError(errno.EROFS, "Read-only file system")

    with pytest.raises(DiagnosticError) as caught:
        fail()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.text == "cannot write \\x1b[31m: read-only file system"
    assert "read-only" in diagnostic.fill(diagnostic.help)


def test_errors_of_an_unknown_kind_have_a_cure_too():
    def fail() -> None:
        with writing(Path("m")):
            raise OSError("strange")

    with pytest.raises(DiagnosticError, match="cannot write m: strange") as caught:
        fail()
    assert caught.value.diagnostics[0].help == "write elsewhere"
