"""A training as it goes, on stderr: a bar and a line an epoch on a terminal, elsewhere lines alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from netspec.display.progress import ProgressDisplay

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from netspec.train.records import EpochRecord

LINE_EVERY = 30.0  # seconds between lines within an epoch, where there is no bar


class TrainingDisplay:
    """Hears a run's batches and epochs, and shows them; silent if it is not `shown`."""

    def __init__(self, title: str, epochs: int, *, shown: bool = True) -> None:
        self._title, self._epochs, self._shown = title, epochs, shown
        self._drawn = shown and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._stage: ProgressDisplay | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = monotonic()

    def __enter__(self) -> TrainingDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def stage(self, stage: str, done: float) -> None:
        """Before the first batch and behind the last epoch: what is being done."""
        if not self._shown:
            return
        if self._stage is None:
            self._end()
            self._stage = ProgressDisplay(self._title).__enter__()
        self._stage(stage, done)

    def batch(self, epoch: int, done: float, figures: Mapping[str, float], speed: float) -> None:
        """Within an epoch: figures so far, examples a second."""
        self._end_stage()
        if self._drawn:
            self._draw(epoch, done, f"{figures_text(figures)}  {speed:,.0f}/s")
        elif self._shown and monotonic() - self._last > LINE_EVERY:
            self._say(
                f"epoch {epoch + 1}/{self._epochs}  {done:.0%}  {figures_text(figures)}  {speed:,.0f}/s"
            )

    def epoch(self, record: EpochRecord) -> None:
        """After an epoch."""
        if not self._shown:
            return
        self._end_stage()
        width = len(str(self._epochs))
        line = f"epoch {record.epoch:>{width}}/{self._epochs}  {figures_text(record.train)}"
        if record.validation:
            line += f"  val {figures_text(record.validation)}"
        self._say(f"{line}  {record.examples_per_second:,.0f}/s")

    def _say(self, line: str) -> None:
        self._last = monotonic()
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def _draw(self, epoch: int, done: float, text: str) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            from netspec.display.terminal import console

            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=16),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
            )
            self._bar = Progress(*columns, console=console(sys.stderr), transient=True)
            self._task = self._bar.add_task(self._title, total=self._epochs)
            self._bar.start()
        assert self._task is not None
        self._bar.update(
            self._task, completed=epoch + done, description=f"epoch {epoch + 1}/{self._epochs}  {text}"
        )

    def _end_stage(self) -> None:
        if self._stage is not None:
            self._stage.__exit__(None, None, None)
            self._stage = None

    def _end(self) -> None:
        self._end_stage()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def figures_text(figures: Mapping[str, float]) -> str:
    """Figures on a line: loss 0.412 accuracy 0.851."""
    return " ".join(f"{name} {value:.3f}" for name, value in figures.items())
