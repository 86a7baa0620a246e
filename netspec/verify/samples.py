"""Real inputs from files: IDX (as MNIST has it, also gzipped), .npy and .npz.

Files come from strangers: nothing is unpickled, no size is believed before it is compared with the file's,
and nothing expands beyond a limit.
"""

from __future__ import annotations

import gzip
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.verify.tolerance import Array

EXPANDED_LIMIT = 2**30  # bytes of one array, expanded
MEMBER_LIMIT = 64  # arrays in an .npz
NPY_HEADER_LIMIT = 10_000  # bytes
NPY_HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[<>|=](?:b1|[iu][1248]|f[248]))', 'fortran_order': (?P<order>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\),? ?\}"
)
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IDX_RANKS = range(1, 9)


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
        with path.open("rb") as stream, _faults(path):
            size = status.st_size
            head = stream.read(6)
            stream.seek(0)
            if head == b"\x93NUMPY":
                return Samples(path.name, {"": _read_npy(stream, size, path, limit)})
            if head[:4] == b"PK\x03\x04":
                return Samples(path.name, _read_npz(stream, path, limit))
            if head[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=stream) as expanded:
                    return Samples(path.name, {"": _read_idx(expanded, None, path, limit)})
            return Samples(path.name, {"": _read_idx(stream, size, path, limit)})
    except OSError as error:
        reason = (error.strerror or printable(str(error))).lower()
        raise DiagnosticError(SamplesUnreadable(path=str(path), reason=reason)) from error


def _broken(path: Path, reason: str) -> DiagnosticError:
    return DiagnosticError(NotSamples(path=str(path), reason=reason))


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Whatever the readers of the standard library and numpy find wrong, as a diagnostic."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _broken(path, "its compressed data is broken or cut off") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise _broken(path, f"the archive is broken or encrypted ({printable(str(error))})") from error
    except (ValueError, OverflowError) as error:
        raise _broken(path, printable(" ".join(str(error).split()))) from error


def _read_idx(stream: BinaryIO | gzip.GzipFile, size: int | None, path: Path, limit: int) -> Array:
    """IDX: two zero bytes, a type, a rank, the lengths as big-endian 32-bit integers, then the elements."""
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or head[3] not in IDX_RANKS:
        raise _broken(path, "it is neither IDX nor .npy nor .npz")
    rank = head[3]
    lengths = stream.read(4 * rank)
    if len(lengths) < 4 * rank:
        raise _broken(path, "its IDX header is cut off")
    shape = tuple(int.from_bytes(lengths[at : at + 4], "big") for at in range(0, 4 * rank, 4))
    dtype = np.dtype(IDX_TYPES[head[2]])
    expected = 4 + 4 * rank + math.prod(shape) * dtype.itemsize
    if size is None:
        _check_size(expected, path)
    elif size != expected:
        reason = f"its IDX header speaks of {expected:,} bytes, but it has {size:,}"
        raise _broken(path, reason)
    return _read_rows(stream, shape, dtype, path, limit)


def _read_npy(stream: BinaryIO, size: int, path: Path, limit: int) -> Array:
    shape, column_major, dtype = _npy_header(stream, path)
    expected = stream.tell() + math.prod(shape) * dtype.itemsize
    if size < expected:
        raise _broken(path, f"its header speaks of {expected:,} bytes, but it has {size:,}")
    if not column_major:
        return _read_rows(stream, shape, dtype, path, limit)
    # Samples of a column-major file lie scattered, so that it is read as a whole.
    _check_size(math.prod(shape) * dtype.itemsize, path)
    array = np.frombuffer(_exactly(stream, math.prod(shape) * dtype.itemsize), dtype)
    array = array.reshape(shape, order="F")
    return np.ascontiguousarray(array[_chosen(len(array), limit)]).astype(dtype.newbyteorder("="))


def _npy_header(stream: BinaryIO, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether it is column-major, and dtype.

    The header is the text of a Python dictionary. What numpy writes for plain numbers has one form, which is
    all that is taken; nothing is evaluated.
    """
    magic = stream.read(8)
    version = magic[6:7]
    if len(magic) < 8 or version not in (b"\1", b"\2", b"\3"):
        raise _broken(path, "its .npy version is unknown")
    length = int.from_bytes(_exactly(stream, 2 if version == b"\1" else 4), "little")
    if length > NPY_HEADER_LIMIT:
        raise _broken(path, f"its header speaks of {length:,} bytes of header")
    text = _exactly(stream, length).decode("latin-1").strip()
    found = NPY_HEADER.fullmatch(text)
    if not found:
        raise _broken(path, f"it is no array of plain numbers: {printable(text[:80])}")
    shape = tuple(int(part) for part in found["shape"].replace(",", " ").split())
    if not shape:
        raise _broken(path, "it is one number, without an axis of samples")
    return shape, found["order"] == "True", np.dtype(found["dtype"])


def _read_npz(stream: BinaryIO, path: Path, limit: int) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(stream) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members or len(members) > MEMBER_LIMIT:
            raise _broken(path, f"the archive has {len(members)} arrays, not 1 to {MEMBER_LIMIT}")
        for member in members:
            _check_size(member.file_size, path)
            with archive.open(member) as inside:
                array = _read_npy(inside, member.file_size, path, limit)  # type: ignore[arg-type]
            arrays[member.filename.removesuffix(".npy")] = array
    return arrays


def _read_rows(
    stream: BinaryIO | gzip.GzipFile,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    path: Path,
    limit: int,
) -> Array:
    """Evenly spread samples of a row-major array, skipping what lies between; never all of them at once."""
    if 0 in shape:
        raise _broken(path, f"its shape {shape} has no samples")
    row = math.prod(shape[1:]) * dtype.itemsize
    chosen = _chosen(shape[0], limit)
    _check_size(row * len(chosen), path)
    start = stream.tell()
    rows = []
    for index in chosen:
        stream.seek(start + int(index) * row)
        rows.append(np.frombuffer(_exactly(stream, row), dtype).reshape(shape[1:]))
    return np.stack(rows).astype(dtype.newbyteorder("="))


def _exactly(stream: BinaryIO | gzip.GzipFile, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _chosen(count: int, limit: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64))


def _check_size(size: int, path: Path) -> None:
    if size > EXPANDED_LIMIT:
        shown = f"{size:,}" if size < 2**80 else "an absurd number of"
        raise DiagnosticError(SamplesTooLarge(path=str(path), size=shown))
