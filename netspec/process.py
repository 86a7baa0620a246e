"""One run of the command line as a process: its streams, its signals, its exit code."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import BinaryIO, NoReturn

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.display.terminal import print_diagnostics

DONE, FAULT, READER_GONE = 0, 1, 141  # as the shell counts a program that died of SIGPIPE
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)

IMPORTING = "<frozen importlib._bootstrap>"  # the file of every frame that loads a module

POSTPONED_BY, POSTPONED = 0.05, 400  # seconds for which a signal is put off, and how often at most

RARELY = (100_000, 20, 100)
"""How often Python looks for garbage: importing makes many objects that stay."""

MALLOC = {
    -3: 1 << 30,  # M_MMAP_THRESHOLD: smaller blocks are cut from the heap, and stay with it
    -1: -1,  # M_TRIM_THRESHOLD: the heap keeps its end
    -2: 1 << 26,  # M_TOP_PAD: it grows by so much
}
"""glibc's parameters of mallopt, with the numbers that malloc.h gives them."""


class OutputLost(Diagnostic):
    """Results that the system refuses to write to standard output."""

    code = "NS581"
    message = "cannot write to standard output: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "free some space on its disk, or send the output elsewhere"


class OutOfMemory(Diagnostic):
    """A network or a file that the memory does not hold."""

    code = "NS582"
    message = "there is not enough memory: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "make the network smaller, or use a machine with more memory"


class Interrupted(BaseException):
    """A signal that ends the run; an exception, so that everything half written is removed on its way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class StreamLost(BaseException):
    """Nothing more can be written to stdout or stderr."""

    def __init__(self, name: str, error: OSError) -> None:
        super().__init__(name)
        self.name = name
        self.error = error


class Stream(io.TextIOWrapper):
    """A standard stream that writes every character, and whose failures no command takes for its own.

    A C locale would end a message in a traceback; `| head` closes the pipe; a disk fills.
    """

    def __init__(self, buffer: BinaryIO, name: str) -> None:
        by_line = buffer.isatty() or name == "stderr"
        super().__init__(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=by_line)
        self.title = name

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise StreamLost(self.title, error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise StreamLost(self.title, error) from error


def run(command: Callable[[], object]) -> NoReturn:
    """Run a command and leave with its exit code.

    What a user or the system did ends in a message, never in a traceback.
    """
    gc.set_threshold(*RARELY)
    _open_streams()
    if not sys.warnoptions:  # what libraries warn their programmers of is nothing to a user
        warnings.simplefilter("ignore")
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupt)
    try:
        code = exit_code(command)
        sys.stdout.flush()
        sys.stderr.flush()
    except StreamLost as lost:
        code = _lost(lost)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # all is said; at exit a library would show an exception
    gc.freeze()  # what is left dies with the process: Python need not look for garbage in it
    sys.exit(code)


def let_threads_sleep() -> None:
    """Call before torch is imported: its idle threads then sleep, as onnxruntime's do.

    They spin by default, and on a machine with other work to do a small network takes 50 times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def let_threads_spin() -> None:
    """Call before torch is imported for long work on the CPU: its threads wait awake for the next kernel.

    Small networks have thousands of kernels a second, and waking a thread for each takes a third of the time.
    After some hundredths of a second without work they sleep all the same.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000000")


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for what is allocated next, instead of giving it back to the system.

    Each step of a training frees and allocates the same tensors again. By default their pages go back and are
    cleared anew every time: on the CPU LeNet takes 1.4 times as long then, BN-LeNet up to 1.7 times.
    """
    import ctypes

    tune = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tune is not None:
        for parameter, size in MALLOC.items():
            tune(parameter, size)


def exit_code(command: Callable[[], object]) -> int:
    """Run a command, show what ended it, and give the code to leave with."""
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE if end.code is None else FAULT
    except DiagnosticError as error:
        print_diagnostics(error.diagnostics)
        return FAULT
    except Interrupted as interrupted:
        return _interrupted(interrupted)
    except MemoryError as error:
        print_diagnostics([OutOfMemory(reason=printable(str(error)) or "Python can have no more")])
        return FAULT
    except Exception:
        if _received:  # a library that was loading has made an error of its own of it
            return _interrupted(Interrupted(_received[-1]))
        raise
    finally:
        _received.clear()  # what was put off is not needed any more
    return DONE


def _interrupted(interrupted: Interrupted) -> int:
    print("interrupted; nothing was left half written", file=sys.stderr)
    return interrupted.code


_received: list[int] = []


def interrupt(number: int, frame: FrameType | None) -> None:
    """What a signal that ends the run does.

    One that comes while a library is loaded comes again a moment later: C++ from which Python code is called
    there may abort the process at an exception.
    """
    _received.append(number)
    if not _is_importing(frame) or len(_received) > POSTPONED:
        raise Interrupted(number)
    import threading

    again = threading.Timer(POSTPONED_BY, _again, [number])
    again.daemon = True
    again.start()


def _again(number: int) -> None:
    if _received:
        signal.raise_signal(number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False


def heed_signals() -> None:
    """Call between the stages of long work: ends the run if a signal came and its exception was lost.

    Code that runs in a destructor can swallow an exception.
    """
    if _received:
        raise Interrupted(_received[-1])


def _open_streams() -> None:
    """Replace both streams; one that the caller closed leads nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        buffer = open(os.devnull, "wb") if stream is None else stream.buffer  # noqa: SIM115 - for all the run
        setattr(sys, name, Stream(buffer, name))


def _lost(lost: StreamLost) -> int:
    """Silence the stream, since Python writes what is left in it at exit; say so unless its reader left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, getattr(sys, lost.name).fileno())
    if isinstance(lost.error, BrokenPipeError):
        return READER_GONE
    if lost.name == "stdout":
        print_diagnostics([OutputLost(reason=(lost.error.strerror or str(lost.error)).lower())])
    return FAULT
