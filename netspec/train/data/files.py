"""A file of a data set, opened: what is wrong with it as a diagnostic that names it."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

from netspec.data_formats.faults import FormatFault, SizeFault, format_faults
from netspec.data_formats.idx import idx_header
from netspec.data_formats.rows import read_all
from netspec.diagnostics import Advised, Diagnostic, DiagnosticError, printable
from netspec.verify.tolerance import Array

ARRAY_LIMIT = 2**34
"""Bytes of one array of a data set that is read as a whole."""

RANK = {"images": 3, "labels": 1}
"""Of the arrays in the files of MNIST and its like."""


class DataUnreadable(Diagnostic):
    """The operating system does not give a file."""

    code = "NS432"
    message = "cannot read {path}: {reason}"

    path: str
    reason: str


class DataBroken(Advised):
    """A file of a data set that is cut off, damaged, or of another format."""

    code = "NS433"
    message = "{path} is broken: {reason}"

    path: str
    reason: str
    advice: str = "remove it and get it anew"


class DataSwapped(Diagnostic):
    """Labels where images belong, or the other way round."""

    code = "NS434"
    message = "{path} should hold {expected}, but it holds {got}"

    path: str
    expected: str
    got: str

    @property
    def help(self) -> str:
        return "files were swapped or renamed: images-idx3 holds images, labels-idx1 holds labels"


class DataTooLarge(Diagnostic):
    """An array that would expand beyond the limit."""

    code = "NS437"
    message = "{path} would expand to {size} bytes; the limit is {limit:,}"

    path: str
    size: str
    limit: int

    @property
    def help(self) -> str:
        return "store images one by one and use data: {{folder: PATH}}, which reads them as they are needed"


@contextmanager
def reading(path: Path) -> Iterator[tuple[BufferedIOBase, int]]:
    """The open file and its size in bytes.

    Errors: NS432, NS433, NS437.
    """
    shown = printable(str(path))
    try:
        status = path.stat()  # first: opening a pipe would wait for its writer
        if not stat.S_ISREG(status.st_mode):
            raise DiagnosticError(DataUnreadable(path=shown, reason="it is not a file"))
        with path.open("rb") as stream, format_faults():
            yield stream, status.st_size
    except FormatFault as fault:
        raise DiagnosticError(DataBroken(path=shown, reason=printable(fault.reason))) from fault
    except SizeFault as fault:
        raise DiagnosticError(DataTooLarge(path=shown, size=fault.size, limit=fault.limit)) from fault
    except OSError as error:
        reason = (error.strerror or printable(str(error))).lower()
        raise DiagnosticError(DataUnreadable(path=shown, reason=reason)) from error


def read_idx(path: Path, expected: str) -> Array:
    """The `images` (N, H, W) or `labels` (N,) of an IDX file, which may be gzipped: bytes.

    Errors: NS432 to NS434, NS437.
    """
    with reading(path) as (stream, size):
        if stream.read(2) == b"\x1f\x8b":
            stream.seek(0)
            with gzip.GzipFile(fileobj=stream) as expanded:
                array = _read(expanded, None, size, path, expected)
                if expanded.read(1):  # it also compares the checksum at the end
                    raise FormatFault("there is more in it than its header says")
                return array
        stream.seek(0)
        return _read(stream, size, None, path, expected)


def _read(
    stream: BufferedIOBase, size: int | None, compressed: int | None, path: Path, expected: str
) -> Array:
    header = idx_header(stream, size)
    kinds = {rank: kind for kind, rank in RANK.items()}
    got = kinds.get(len(header.shape), f"arrays of {len(header.shape)} axes")
    if header.dtype != "u1":
        got = f"{header.dtype.name} numbers"
    if got != expected:
        raise DiagnosticError(DataSwapped(path=printable(str(path)), expected=expected, got=got))
    return read_all(stream, header, ARRAY_LIMIT, compressed)
