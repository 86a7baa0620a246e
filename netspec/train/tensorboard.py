"""The figures of each epoch for TensorBoard, which an extra brings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.files import writing
from netspec.train.records import EpochRecord


class TensorBoardMissing(Diagnostic):
    """TensorBoard is asked for and not installed."""

    code = "NS498"
    message = "--tensorboard needs the package tensorboard, which is not installed"

    @property
    def help(self) -> str:
        return "install it: pip install 'netspec-onnx[tensorboard]'; metrics.jsonl has the same figures"


class Writer(Protocol):
    """Whoever is told of each epoch when it ends."""

    def epoch(self, record: EpochRecord) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Writes an epoch's figures, against its number, into a folder that TensorBoard reads.

    `after` is the last epoch that stays: a run that goes on does the later ones again.

    Errors: NS498 without the package, NS511 where the system refuses the folder.
    """

    def __init__(self, folder: Path, *, after: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise DiagnosticError(TensorBoardMissing()) from error
        self._folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(folder), purge_step=after + 1 if after else None)

    def epoch(self, record: EpochRecord) -> None:
        figures = {"learning_rate": record.learning_rate, "examples_per_second": record.examples_per_second}
        for part, values in (("train", record.train), ("validation", record.validation)):
            figures |= {f"{name}/{part}": value for name, value in values.items()}
        with writing(self._folder):
            for name, value in figures.items():
                if not math.isnan(value):
                    self._writer.add_scalar(name, value, record.epoch)
            self._writer.flush()

    def close(self) -> None:
        self._writer.close()
