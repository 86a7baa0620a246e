"""Real inputs from files: IDX (as MNIST has it, also gzipped), .npy and .npz.

Of a large file only the samples that are wanted are read.
"""

from __future__ import annotations

import gzip
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from netspec.data_formats.faults import FormatFault, SizeFault, format_faults
from netspec.data_formats.idx import idx_header
from netspec.data_formats.npy import ARCHIVE_MAGIC, MAGIC, npy_header, npz_members
from netspec.data_formats.rows import Header, check_size, read_rows
from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.verify.tolerance import Array

EXPANDED_LIMIT = 2**30  # bytes of one array, expanded


class SamplesUnreadable(Diagnostic):
    """The operating system does not give the file."""

    code = "NS550"
    message = "cannot read the samples in {path}: {reason}"

    path: str
    reason: str


class NotSamples(Diagnostic):
    """A file that is none of the formats, or broken."""

    code = "NS551"
    message = "{path} holds no samples: {reason}"

    path: str
    reason: str

    @property
    def help(self) -> str:
        return "give an IDX file (also .gz), or numpy's .npy or .npz of plain numbers"


class SamplesTooLarge(Diagnostic):
    """An array that would expand beyond the limit."""

    code = "NS552"
    message = "{path} would expand to {size} bytes; the limit is {limit:,}"

    path: str
    size: str
    limit: int = EXPANDED_LIMIT

    @property
    def help(self) -> str:
        return "cut out a part: a few dozen samples are enough"


@dataclass(frozen=True, eq=False)
class Samples:
    """Arrays from one file, samples along the first axis; an .npz names them, otherwise the name is ''."""

    name: str
    arrays: Mapping[str, Array]

    def __len__(self) -> int:
        return min(len(array) for array in self.arrays.values())


def read_samples(path: Path, limit: int = 32) -> Samples:
    """At most `limit` samples from a file, spread evenly from its first to its last."""
    try:
        status = path.stat()  # first: opening a pipe would wait for its writer
        if not stat.S_ISREG(status.st_mode):
            raise DiagnosticError(SamplesUnreadable(path=str(path), reason="it is not a file"))
        with path.open("rb") as stream, format_faults():
            return Samples(path.name, _read(stream, status.st_size, limit))
    except FormatFault as fault:
        raise DiagnosticError(NotSamples(path=str(path), reason=printable(fault.reason))) from fault
    except SizeFault as fault:
        raise DiagnosticError(SamplesTooLarge(path=str(path), size=fault.size, limit=fault.limit)) from fault
    except OSError as error:
        reason = (error.strerror or printable(str(error))).lower()
        raise DiagnosticError(SamplesUnreadable(path=str(path), reason=reason)) from error


def _read(stream: BufferedIOBase, size: int, limit: int) -> dict[str, Array]:
    """The samples of a file of whichever format, by the arrays' names."""
    head = stream.read(6)
    stream.seek(0)
    if head == MAGIC:
        return {"": _rows(stream, npy_header(stream, size), limit)}
    if head[:4] == ARCHIVE_MAGIC:
        return {
            name: _rows(inside, npy_header(inside, member.file_size), limit)
            for name, inside, member in npz_members(stream, EXPANDED_LIMIT)
        }
    if head[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=stream) as expanded:
            header = idx_header(expanded, None)
            check_size(header.end, EXPANDED_LIMIT)
            return {"": _rows(expanded, header, limit)}
    if head[:2] != b"\0\0":
        raise FormatFault("it is neither IDX nor .npy nor .npz")
    return {"": _rows(stream, idx_header(stream, size), limit)}


def _rows(stream: BufferedIOBase, header: Header, limit: int) -> Array:
    """Evenly spread rows of an array."""
    if 0 in header.shape:
        raise FormatFault(f"its shape {header.shape} has no samples")
    count = header.shape[0]
    chosen = np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64))
    return read_rows(stream, header, chosen, EXPANDED_LIMIT)
