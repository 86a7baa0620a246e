"""metrics.jsonl: read back as it was written, whatever was cut off or changed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.diagnostics import DiagnosticError
from netspec.files import CannotWrite
from netspec.train import records
from netspec.train.records import EpochRecord, RecordsBroken, RecordsUnreadable

FIGURES = st.dictionaries(st.text(), st.floats())
RECORDS = st.builds(
    EpochRecord,
    st.integers(0, 2**60),
    st.integers(0, 2**60),
    st.floats(),
    st.floats(),
    st.floats(),
    FIGURES,
    FIGURES,
)


def record(epoch: int, **validation: float) -> EpochRecord:
    return EpochRecord(epoch, 10 * epoch, 1.5, 1e5 / 3, 0.1 + 0.2, {"loss": 1 / epoch}, validation)


LINE = record(1, accuracy=0.5)._asdict()


def written(path: Path, count: int) -> list[EpochRecord]:
    made = [record(epoch, accuracy=epoch / 10) for epoch in range(1, count + 1)]
    for entry in made:
        records.append(path, entry)
    return made


@given(st.lists(RECORDS, min_size=1, max_size=3))
def test_every_number_comes_back(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    for entry in made:
        records.append(path, entry)
    # repr tells every float from every other, and a NaN from none
    assert repr(records.read(path)) == repr(made)
    for line in path.read_bytes().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_nan_is_null(tmp_path):
    path = tmp_path / "metrics.jsonl"
    records.append(path, record(1, loss=math.nan))
    assert json.loads(path.read_text())["validation"] == {"loss": None}


def test_no_file_has_no_records(tmp_path):
    assert records.read(tmp_path / "metrics.jsonl") == []
    assert records.keep_until(tmp_path / "metrics.jsonl", 3) == []
    assert list(tmp_path.iterdir()) == []


def test_a_last_line_cut_anywhere_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    made = written(path, 3)
    whole = path.read_bytes()
    end_of_second = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for cut in range(end_of_second, len(whole)):
        path.write_bytes(whole[:cut])
        kept = 3 if cut == len(whole) - 1 else 2  # only the end of the line is missing
        assert records.read(path) == made[:kept]
        assert records.keep_until(path, 9) == made[:kept]
        records.append(path, made[2])
        assert records.read(path) == [*made[:kept], made[2]]


def test_a_page_of_zeros_at_the_end_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    made = written(path, 2)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert records.read(path) == made


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "null",
        "{",
        '"' + "a" * 99,
        "[" * 100_000,
        '{"epoch": 1}',
        json.dumps({**LINE, "epoch": 1.5}),
        json.dumps({**LINE, "step": None}),
        json.dumps({**LINE, "seconds": "x"}),
        json.dumps({**LINE, "learning_rate": True}),
        json.dumps({**LINE, "train": []}),
        json.dumps({**LINE, "more": 1}),
        json.dumps(LINE).replace("1.5", "1" + "0" * 400),
        json.dumps(LINE).replace("1.5", "1" * 5000),
    ],
)
def test_a_broken_line_before_the_last_is_told(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    written(path, 1)
    with path.open("a") as file:
        file.write(line + "\n")
    assert len(records.read(path)) == 1
    records.append(path, record(2))
    with pytest.raises(DiagnosticError) as raised:
        records.read(path)
    assert raised.value.diagnostics == (RecordsBroken(path=str(path), line=2),)
    assert raised.value.diagnostics[0].text.startswith("line 2 of ")


def test_later_epochs_are_dropped_at_once(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    made = written(path, 5)
    before = path.read_bytes()
    monkeypatch.setattr(
        Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(DiagnosticError) as raised:
        records.keep_until(path, 3)
    assert isinstance(raised.value.diagnostics[0], CannotWrite)
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert records.keep_until(path, 3) == made[:3]
    assert records.read(path) == made[:3]
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_what_the_system_refuses_is_told(tmp_path):
    with pytest.raises(DiagnosticError) as raised:
        records.append(tmp_path / "none" / "metrics.jsonl", record(1))
    assert isinstance(raised.value.diagnostics[0], CannotWrite)
    with pytest.raises(DiagnosticError) as raised:
        records.read(tmp_path)
    assert isinstance(raised.value.diagnostics[0], RecordsUnreadable)
    assert raised.value.diagnostics[0].text == f"cannot read {tmp_path}: is a directory"


def test_the_best_epoch_is_the_first_of_the_highest_accuracy():
    run = [record(1, accuracy=0.5), record(2, accuracy=0.7, loss=9.0), record(3, accuracy=0.7, loss=0.1)]
    assert records.best([*run, record(4, accuracy=math.nan)]) is run[1]


def test_without_accuracy_it_is_the_first_of_the_lowest_loss():
    run = [record(1, loss=math.nan), record(2, loss=0.5), record(3, loss=0.25), record(4, loss=0.25)]
    assert records.best(run) is run[2]
    assert records.best([run[0]]) is None
    assert records.best([only := record(1)]) is only  # by its training
    assert records.best([]) is None
