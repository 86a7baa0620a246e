"""Progress of long work, on stderr: nothing for the first two seconds, then what is being done."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from netspec.process import heed_signals

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0  # seconds before anything is shown


class ProgressDisplay:
    """Called with a stage and the part of it that is done; a bar on a terminal, else a line per stage.

    The bar disappears when the work is done. What is being done when the patience ends is shown at once, and
    not only when it is done, since importing torch may take long by itself.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._awake)
        self._timer.daemon = True
        self._is_awake = False
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._now: tuple[str, float] | None = None
        self._shown = ""

    def __enter__(self) -> ProgressDisplay:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._is_awake = False
            self._now = None
            if self._bar is not None:
                self._bar.stop()

    def __call__(self, stage: str, done: float) -> None:
        heed_signals()
        with self._lock:
            self._now = (stage, done)
            if self._is_awake:
                self._show(stage, done)

    def _awake(self) -> None:
        with self._lock:
            if self._now is not None:
                self._is_awake = True
                self._show(*self._now)

    def _show(self, stage: str, done: float) -> None:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._draw(stage, done)
        elif stage != self._shown:
            print(f"{self._title}: {stage}", file=sys.stderr, flush=True)
        self._shown = stage

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
