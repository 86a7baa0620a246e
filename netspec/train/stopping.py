"""Signals that end a training: the step is finished and saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from netspec.process import ENDING, Interrupted


class Stop:
    """Whether a signal asked for an end, and which."""

    def __init__(self) -> None:
        self.number: int | None = None

    def ask(self, number: int, _: FrameType | None) -> None:
        """What the first signal does; a second one ends the run where it is."""
        if self.number is not None:
            raise Interrupted(number)
        self.number = number


@contextmanager
def heeded(stop: Stop) -> Iterator[None]:
    """In here signals that end a run are noted in `stop` rather than obeyed at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python gives signals to the main thread alone
        return
    before = {}
    for number in ENDING:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as under nohup
            before[number] = signal.signal(number, stop.ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
