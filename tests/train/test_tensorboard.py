"""TensorBoard's files: what it reads of them, and what is said without it."""

from __future__ import annotations

import math
import sys

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.files import CannotWrite
from netspec.train.records import EpochRecord
from netspec.train.tensorboard import TensorBoard, TensorBoardMissing, Writer


def record(epoch: int) -> EpochRecord:
    figures = {"loss": 1 / epoch, "accuracy": math.nan if epoch == 1 else 0.5}
    return EpochRecord(epoch, 10 * epoch, 1.0, 100.0, 0.25, figures, {"loss": 2 / epoch})


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: [(entry.step, entry.value) for entry in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_tensorboard_reads_every_figure(tmp_path):
    folder = tmp_path / "runs" / "tensorboard"
    writer: Writer = TensorBoard(folder)
    for epoch in (1, 2):
        writer.epoch(record(epoch))
        assert len(scalars(folder)["loss/train"]) == epoch  # at once, for whoever looks on
    writer.close()
    assert scalars(folder) == {
        "learning_rate": [(1, 0.25), (2, 0.25)],
        "examples_per_second": [(1, 100.0), (2, 100.0)],
        "loss/train": [(1, 1.0), (2, 0.5)],
        "accuracy/train": [(2, 0.5)],
        "loss/validation": [(1, 2.0), (2, 1.0)],
    }


def test_epochs_that_are_done_again_replace_those_before(tmp_path):
    first = TensorBoard(tmp_path)
    for epoch in (1, 2, 3):
        first.epoch(record(epoch))
    first.close()
    again = TensorBoard(tmp_path, after=1)
    again.epoch(record(2))
    again.close()
    assert [epoch for epoch, _ in scalars(tmp_path)["loss/train"]] == [1, 2]


def test_without_the_package_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(DiagnosticError) as raised:
        TensorBoard(tmp_path)
    (found,) = raised.value.diagnostics
    assert isinstance(found, TensorBoardMissing)
    assert "netspec-onnx[tensorboard]" in found.fill(found.help)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(DiagnosticError) as raised:
        TensorBoard(tmp_path / "taken")
    assert isinstance(raised.value.diagnostics[0], CannotWrite)
