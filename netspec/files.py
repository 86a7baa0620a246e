"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netspec.diagnostics import Diagnostic, DiagnosticError, printable

_CURES = {
    errno.ENOSPC: "free some space on its disk, or write elsewhere",
    errno.EDQUOT: "your quota on this disk is used up: free some space, or write elsewhere",
    errno.EFBIG: "its disk or shell allows no file so large: write elsewhere, or see `ulimit -f`",
    errno.EACCES: "you may not write there: change the permissions, or write elsewhere",
    errno.EPERM: "you may not write there: change the permissions, or write elsewhere",
    errno.EROFS: "its disk is read-only: write elsewhere",
    errno.EISDIR: "a folder has this name: rename it, or write elsewhere",
    errno.ENOTDIR: "a part of its path is a file and no folder: write elsewhere",
    errno.EEXIST: "a part of its path is a file and no folder: write elsewhere",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class CannotWrite(Diagnostic):
    """An output file that the system refuses to write: no permission, no space, no folder."""

    code = "NS511"
    message = "cannot write {shown}: {reason}"

    path: str
    reason: str
    number: int | None = None

    @property
    def shown(self) -> str:
        return printable(self.path)

    @property
    def help(self) -> str:
        return _CURES.get(self.number or 0, "write elsewhere")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's errors on the way to writing `path` into a diagnostic that names it."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiagnosticError(CannotWrite(path=str(path), reason=reason, number=error.errno)) from error


@contextmanager
def published(target: Path, *, durable: bool = False) -> Iterator[Path]:
    """Gives the path at which to write `target`; what is written appears in its place when the block ends.

    The path lies in a fresh folder beside the target (hidden, on the same disk), under the target's own
    name. Companions (external data, a certificate) may be written beside it under theirs; they are moved
    first, so that whoever sees the target sees them too. Each move replaces an older file at once. When the
    block raises, nothing appears and an older target stays. `durable` waits until the disk has everything.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            raise OSError("a device or a pipe has this name, which the file would replace")
    # Named before it is made, so that an interruption between the two leaves nothing behind either.
    staging = target.with_name(f".{target.name[:64]}-{secrets.token_hex(6)}")
    try:
        with writing(target):
            staging.mkdir(mode=0o700)
        yield staging / target.name
        with writing(target):
            written = sorted(staging.iterdir(), key=lambda path: (path.name == target.name, path.name))
            for path in written:
                if durable:
                    _sync(path)
                path.replace(target.with_name(path.name))
            if durable:
                _sync(target.parent)
    except DiagnosticError as error:
        raise DiagnosticError(*(_of_target(found, staging, target) for found in error.diagnostics)) from error
    finally:
        _remove(staging)


def _remove(folder: Path) -> None:
    """Remove a folder and all in it; an interruption on the way is heeded when it is done."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _of_target(found: Diagnostic, staging: Path, target: Path) -> Diagnostic:
    """A complaint about a file in the staging folder, as one about the file that it was to become."""
    if isinstance(found, CannotWrite) and Path(found.path).parent == staging:
        return found.but(path=str(target.with_name(Path(found.path).name)))
    return found


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folder; its renames are journalled
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
