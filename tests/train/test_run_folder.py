"""runs/NAME: nothing is overwritten, one training at a time, and the spec in it is the run's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.files import CannotWrite
from netspec.ir.fingerprint import graph_hash
from netspec.language.source import parse
from netspec.pipeline import check
from netspec.train.lock import FolderBusy
from netspec.train.resolved_spec import resolved_yaml
from netspec.train.run_folder import BadRunName, RunExists, RunFolder
from tests.pages import ROOT


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "runs", "first", "lenet")


def names(folder: RunFolder) -> set[str]:
    return {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*")} - {".lock"}


def finished(folder: RunFolder) -> None:
    """A run's files, as one leaves them that came to its end."""
    for path in (
        folder.best_weights,
        folder.last_weights,
        folder.metrics,
        folder.spec,
        folder.environment,
        folder.model,
        folder.model.with_name("lenet.onnx.data"),
        folder.certificate,
        folder.curves,
        folder.confusion,
        folder.kernels,
        folder.features,
        folder.checkpoints / "checkpoint-000003-000010.safetensors",
        folder.tensorboard / "events.out.tfevents.1732270000.host-1.42.0",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("the first run's")


def test_everything_lies_in_the_run_s_own_folder(folder, tmp_path):
    finished(folder)
    inside = tmp_path / "runs" / "first"
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        p for p in inside.rglob("*") if p.is_file()
    }
    assert folder.model == inside / "lenet.onnx"
    assert folder.certificate == inside / "lenet.cert.json"
    assert RunFolder(tmp_path, "v1.2").certificate == tmp_path / "v1.2" / "v1.2.cert.json"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "a\\b", "/etc", ".hidden", "a\0", "a\n", "x" * 101, "CON:", "-x"]
)
def test_a_name_that_is_no_folder_s_is_refused(tmp_path, name):
    with pytest.raises(DiagnosticError) as raised:
        RunFolder(tmp_path, name)
    (found,) = raised.value.diagnostics
    assert isinstance(found, BadRunName)
    assert "cannot be the name of a run" in found.text


@pytest.mark.parametrize("name", ["lenet", "größe", "run-2", "2024-05-01", "v1.2", "_x"])
def test_ordinary_names_are_taken(tmp_path, name):
    assert RunFolder(tmp_path, name).path == tmp_path / name


def test_a_run_is_not_overwritten(folder):
    with folder.open():
        finished(folder)
    before = names(folder)
    with pytest.raises(DiagnosticError) as raised, folder.open():
        pytest.fail("it was opened")
    (found,) = raised.value.diagnostics
    assert isinstance(found, RunExists)
    assert "weights.safetensors" in found.text
    assert "--resume" in found.fill(found.help)
    assert names(folder) == before
    with folder.open(resume=True):
        assert names(folder) == before


@pytest.mark.parametrize("only", ["metrics", "model", "spec", "confusion"])
def test_any_file_of_a_run_counts(folder, only):
    folder.path.mkdir(parents=True)
    getattr(folder, only).write_text("mine")
    with pytest.raises(DiagnosticError), folder.open():
        pytest.fail("it was opened")
    assert getattr(folder, only).read_text() == "mine"


def test_checkpoints_alone_are_a_run(folder):
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "checkpoint-000001-000000.safetensors").touch()
    with pytest.raises(DiagnosticError) as raised, folder.open():
        pytest.fail("it was opened")
    assert raised.value.diagnostics[0].text.endswith("a run already: checkpoints")


def test_a_start_without_an_epoch_is_no_run(folder):
    with folder.open():
        folder.environment.write_text("{}")
        folder.spec.write_text("netspec: 1")
    with folder.open():
        pass


def test_overwriting_removes_a_run_s_own_files_alone(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "checkpoint-000001-000000.safetensors").touch()
    finished(folder)
    others = {
        "notes.txt",
        "other.onnx",
        "checkpoints",
        "checkpoints/mine.safetensors",
        "pictures",
        "pictures/curves.png",
    }
    for name in others - {"checkpoints", "pictures"}:
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_text("mine")
    with folder.open(overwrite=True):
        assert names(folder) == others
    for path in sorted((folder.path / "checkpoints").iterdir()):
        path.unlink()
    folder.checkpoints.rmdir()
    folder.checkpoints.symlink_to(elsewhere)
    with folder.open(overwrite=True):
        assert len(list(elsewhere.iterdir())) == 1


def test_what_a_killed_process_had_half_written_is_removed(folder):
    folder.checkpoints.mkdir(parents=True)
    half = folder.checkpoints / ".checkpoint-000002-000000.safetensors-0123456789ab"
    for path in (half, folder.path / ".metrics.jsonl-0123456789ab", folder.path / ".git-0123456789ab"):
        path.mkdir()
        (path / "part").touch()
    with folder.open(resume=True):
        assert names(folder) == {"checkpoints", ".git-0123456789ab", ".git-0123456789ab/part"}


HOLDER = """
import os, sys, time
from pathlib import Path
from netspec.train.lock import locked
with locked(Path(sys.argv[1]) / ".lock", Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(20)  # a worker that outlives the process which holds the lock
        os._exit(0)
    print("held", flush=True)
    time.sleep(20)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_two_trainings_do_not_share_a_folder_and_a_killed_one_lets_go(folder):
    folder.path.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(folder.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(DiagnosticError) as raised, folder.open(resume=True):
                pytest.fail("it was opened")
            (found,) = raised.value.diagnostics
            assert isinstance(found, FolderBusy)
            assert found.text == f"another training is writing to {folder.path}"
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            with folder.open(resume=True):  # though its worker still sleeps
                pass
        finally:
            os.killpg(holder.pid, signal.SIGKILL)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(DiagnosticError) as raised, RunFolder(tmp_path / "runs", "a").open():
        pytest.fail("it was opened")
    assert isinstance(raised.value.diagnostics[0], CannotWrite)


@pytest.mark.parametrize("spec", ["lenet_bn", "resnet", "two_views", "transformer", "edge_detector"])
def test_the_resolved_spec_makes_the_same_graph(folder, spec):
    graph = check(ROOT / "specs" / f"{spec}.yaml").graph
    folder.write_spec(graph)
    again = check(folder.spec).graph
    assert again.resolved == graph.resolved
    assert graph_hash(again) == graph_hash(graph)


def test_the_resolved_spec_is_for_people():
    text = resolved_yaml(check(ROOT / "specs" / "lenet_bn.yaml").graph.resolved)
    assert "\nlayers:\n  - Conv2d: {out_channels: 6, kernel_size: 5}\n  - BatchNorm2d\n" in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_resolved_spec_keeps_what_looks_like_something_else():
    data = {
        "a": [
            "no",
            "1e-3",
            "x: y",
            "",
            None,
            True,
            1e-5,
            {"b": "# c", "true": "d" * 120},
            ["e" * 90, "f" * 90],
        ]
    }
    text = resolved_yaml(data)
    assert parse(text, "test", "yaml").value == data
