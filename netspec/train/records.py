"""What is known of each epoch: one line of JSON in metrics.jsonl, read back as it was."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.files import published, writing


class RecordsBroken(Diagnostic):
    """A line before the last that is no record: nothing that netspec does leaves one."""

    code = "NS490"
    message = "line {line:,} of {shown} is no record of an epoch"

    path: str
    line: int

    @property
    def shown(self) -> str:
        return printable(self.path)

    @property
    def help(self) -> str:
        return "the file was changed or its disk is damaged: remove that line, or train under another name"


class RecordsUnreadable(Diagnostic):
    """The system does not give the file."""

    code = "NS491"
    message = "cannot read {shown}: {reason}"

    path: str
    reason: str

    @property
    def shown(self) -> str:
        return printable(self.path)


class EpochRecord(NamedTuple):
    """One epoch: when it ended, how fast it was, and its figures by name (loss, accuracy, …).

    `step` counts optimizer steps since the start of the run, `seconds` are the epoch's own. `validation` is
    empty where nothing was validated.
    """

    epoch: int
    step: int
    seconds: float
    examples_per_second: float
    learning_rate: float
    train: Mapping[str, float]
    validation: Mapping[str, float]


def append(path: Path, record: EpochRecord) -> None:
    """Add a line, and wait until the disk has it.

    Errors: NS511 where the system refuses.
    """
    with writing(path), path.open("ab") as file:
        file.write(_line(record))
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[EpochRecord]:
    """All records; none where there is no file. A last line that was cut off as it was written is left out.

    Errors: NS490 for any other line that is no record, NS491 where the system does not give the file.
    """
    records: list[EpochRecord] = []
    torn = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if torn:
                    raise DiagnosticError(RecordsBroken(path=str(path), line=torn))
                record = _record(line)
                if record is None:
                    torn = number
                else:
                    records.append(record)
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiagnosticError(RecordsUnreadable(path=str(path), reason=reason)) from error
    return records


def keep_until(path: Path, epoch: int) -> list[EpochRecord]:
    """Drop the records of later epochs, whole or not at all; gives those that stay.

    A run that goes on from a checkpoint does the later epochs again.

    Errors: as `read`; NS511 where the system refuses to write.
    """
    kept = [record for record in read(path) if record.epoch <= epoch]
    if path.exists():
        with published(path, durable=True) as beside, writing(beside):
            beside.write_bytes(b"".join(map(_line, kept)))
    return kept


def best(records: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch whose weights are the best: of the highest accuracy in validation, else of the lowest loss.

    Without validation it is that of training. Of equals it is the first. None where no epoch has a number to
    go by.
    """
    scored = [
        (score, -place)
        for place, record in enumerate(records)
        if (score := score_of(record.validation or record.train)) is not None
    ]
    return records[-max(scored)[1]] if scored else None


def score_of(figures: Mapping[str, float]) -> float | None:
    """What decides which epoch is the best: higher is better, None for NaN."""
    score = figures["accuracy"] if "accuracy" in figures else -figures.get("loss", math.nan)
    return None if math.isnan(score) else score


def _line(record: EpochRecord) -> bytes:
    data = record._asdict()
    for key, value in data.items():
        if isinstance(value, Mapping):
            data[key] = {name: _written(figure) for name, figure in value.items()}
        else:
            data[key] = _written(value)
    return (json.dumps(data, allow_nan=False) + "\n").encode("ascii")


def _written(value: float) -> float | str | None:
    """A number as JSON has it; it has no NaN and no infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _record(line: bytes) -> EpochRecord | None:
    """The record in a line; None if there is none."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict) or data.keys() != set(EpochRecord._fields):
            return None
        return EpochRecord(
            epoch=_count(data["epoch"]),
            step=_count(data["step"]),
            seconds=_number(data["seconds"]),
            examples_per_second=_number(data["examples_per_second"]),
            learning_rate=_number(data["learning_rate"]),
            train=_figures(data["train"]),
            validation=_figures(data["validation"]),
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _figures(data: Any) -> dict[str, float]:
    if not isinstance(data, dict):
        raise TypeError
    return {name: _number(value) for name, value in data.items()}


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, float | int | str):
        raise TypeError
    return float(value)
