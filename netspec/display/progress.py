"""Progress of long work, on stderr: nothing for the first two seconds, then what is being done."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0  # seconds before anything is shown


class ProgressDisplay:
    """Called with a stage and the part of it that is done; a bar on a terminal, else a line per stage."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._begun = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: float) -> None:
        if time.monotonic() - self._begun < PATIENCE:
            return
        if sys.stderr.isatty():
            self._draw(stage, done)
        elif stage != self._stage:
            print(f"{self._title}: {stage}", file=sys.stderr, flush=True)
        self._stage = stage

    def _draw(self, stage: str, done: float) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            from netspec.display.terminal import console

            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=console(sys.stderr), transient=True)
            self._task = self._bar.add_task(self._title, total=1.0)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done, description=f"{self._title}: {stage}")
