"""One training a folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.files import writing


class FolderBusy(Diagnostic):
    """Another process trains into the same folder at this moment."""

    code = "NS494"
    message = "another training is writing to {shown}"

    path: str

    @property
    def shown(self) -> str:
        return printable(self.path)

    @property
    def help(self) -> str:
        return "wait until it is done or stop it, or give this run another name with --name"


@contextmanager
def locked(path: Path, folder: Path) -> Iterator[None]:
    """Holds the lock file `path` of a folder; the system lets go of it when the process dies.

    The file stays: were it removed, a second process could hold the old one while a third makes a new one.

    Errors: NS494 where another process holds it; NS511 where the system refuses.
    """
    with writing(path):
        file = path.open("ab")
    with file:
        with writing(path):
            taken = _take(file)
        if not taken:
            raise DiagnosticError(FolderBusy(path=str(folder)))
        yield


if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _take(file: BinaryIO) -> bool:
        try:
            # Not flock: workers that were forked from the process would go on holding that when it is killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # either, by POSIX
            return False
        return True
