"""CIFAR-10 in its published binary form: records of a label and three planes of 32 x 32, in ten classes."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from netspec.data_formats.faults import FormatFault, SizeFault
from netspec.data_formats.rows import exactly
from netspec.diagnostics import DiagnosticError, Note
from netspec.train.data.examples import Data, Examples
from netspec.train.data.fetching import PublishedFile, fetch
from netspec.train.data.files import ARRAY_LIMIT, reading
from netspec.train.data.mnist import check_labels
from netspec.train.data.request import Request
from netspec.verify.tolerance import Array

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # bytes
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE = PublishedFile(
    "cifar-10-binary.tar.gz",
    170_052_171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
)
EXPANDED = "cifar-10-batches-bin"
PICKLED = ("cifar-10-batches-py", "cifar-10-python.tar.gz")


def read_cifar(request: Request) -> Data:
    """Bytes (N, 3, 32, 32) and classes (N,), from the binary files or their archive; fetched where both miss.

    They are in `folder/cifar10` or `folder` itself. The version for Python is pickled, and not read.

    Errors: NS430 to NS433, NS436, NS437.
    """
    homes = [request.folder / request.name, request.folder]
    for home in (place for parent in homes for place in (parent / EXPANDED, parent)):
        if all((home / name).exists() for name in (*TRAIN, TEST)):
            request.progress(f"reading {request.name}", 0.0)
            return _data(request, {name: (home / name, _records_of(home / name)) for name in (*TRAIN, TEST)})
    archive = next((home / ARCHIVE.name for home in homes if (home / ARCHIVE.name).exists()), None)
    if archive is None:
        archive = homes[0] / ARCHIVE.name
        try:
            fetch(request.name, {archive: ARCHIVE}, request.download, request.progress)
        except DiagnosticError as error:
            raise _pickled_noted(error, homes) from error
    request.progress(f"reading {request.name}", 0.0)
    return _data(request, {name: (archive, records) for name, records in _unpacked(archive)})


def _pickled_noted(error: DiagnosticError, homes: list[Path]) -> DiagnosticError:
    """The same, with a word on the version for Python where that is what lies there."""
    if not any((home / name).exists() for home in homes for name in PICKLED):
        return error
    note = Note("the version for Python is there, but not read: it is pickled, and a pickle can run any code")
    return DiagnosticError(*(found.at(found.span, note) for found in error.diagnostics))


def _records_of(path: Path) -> Array:
    """The records (N, 3073) of one file."""
    with reading(path) as (stream, size):
        if size > ARRAY_LIMIT:
            raise SizeFault(size, ARRAY_LIMIT)
        return _records(stream.read(size))


def _records(content: bytes) -> Array:
    if len(content) % RECORD:
        raise FormatFault(f"its {len(content):,} bytes are no multiple of {RECORD:,}, the size of an example")
    return np.frombuffer(content, np.uint8).reshape(-1, RECORD)


def _unpacked(archive: Path) -> Iterator[tuple[str, Array]]:
    """The files of the archive with their records; nothing is written to the disk."""
    wanted = {*TRAIN, TEST}
    with reading(archive) as (stream, _):
        try:
            with (
                gzip.GzipFile(fileobj=stream) as expanded,
                tarfile.open(fileobj=expanded, mode="r|") as inside,
            ):
                for member in inside:
                    name = Path(member.name).name
                    if name not in wanted or not member.isreg():
                        continue
                    if member.size > ARRAY_LIMIT:
                        raise SizeFault(member.size, ARRAY_LIMIT)
                    wanted.remove(name)
                    content = inside.extractfile(member)
                    assert content is not None, "a regular member has content"
                    yield name, _records(exactly(content, member.size))  # type: ignore[arg-type]
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise FormatFault("the archive is broken or cut off") from error
        if wanted:
            raise FormatFault(f"the archive lacks {min(wanted)}")


def _data(request: Request, files: dict[str, tuple[Path, Array]]) -> Data:
    for path, records in files.values():
        check_labels(records[:, 0], len(CLASSES), request.name, path)
    train = _examples(np.concatenate([files[name][1] for name in TRAIN]))
    return Data(request.name, train, _examples(files[TEST][1]), CLASSES)


def _examples(records: Array) -> Examples:
    images = np.ascontiguousarray(records[:, 1:]).reshape(-1, *SHAPE)
    return Examples((images,), records[:, 0].astype(np.int64))
