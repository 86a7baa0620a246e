"""Samples from files: what is read, and what hostile files meet."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.diagnostics import DiagnosticError
from netspec.verify import samples as module
from netspec.verify.samples import read_samples

IMAGES = np.random.default_rng(0).integers(0, 256, (100, 4, 5), np.uint8)


def idx(array, kind: int = 0x08) -> bytes:
    return (
        bytes((0, 0, kind, array.ndim))
        + struct.pack(f">{array.ndim}I", *array.shape)
        + bytes(array.tobytes())
    )


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=True, **arrays)
    return stream.getvalue()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "samples"
    path.write_bytes(content)
    return path


def code(path: Path) -> str:
    with pytest.raises(DiagnosticError) as raised:
        read_samples(path)
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.text.isprintable()
    assert "samples" in diagnostic.text
    return diagnostic.code


@pytest.mark.parametrize("content", [idx(IMAGES), gzip.compress(idx(IMAGES)), npy(IMAGES), npz(x=IMAGES)])
def test_every_format_gives_the_same_samples(content: bytes, tmp_path: Path) -> None:
    samples = read_samples(written(tmp_path, content), limit=10)
    (array,) = samples.arrays.values()
    np.testing.assert_array_equal(array, IMAGES[np.arange(0, 100, 11)])
    assert len(samples) == 10
    assert samples.name == "samples"


@pytest.mark.parametrize(
    ("kind", "dtype"), [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_every_idx_type_is_read_in_native_order(kind: int, dtype: str, tmp_path: Path) -> None:
    array = (np.arange(12).reshape(4, 3) - 3).astype(dtype)
    (read,) = read_samples(written(tmp_path, idx(array, kind))).arrays.values()
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative


def test_column_major_and_big_endian_npy_are_read(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(24.0).reshape(6, 4).astype(">f4"))
    (read,) = read_samples(written(tmp_path, npy(array)), limit=2).arrays.values()
    np.testing.assert_array_equal(read, array[[0, 5]])
    assert read.dtype == np.float32


def test_an_npz_names_its_arrays(tmp_path: Path) -> None:
    samples = read_samples(written(tmp_path, npz(a=np.ones((3, 2)), b=np.zeros((2, 1)))))
    assert {name: array.shape for name, array in samples.arrays.items()} == {"a": (3, 2), "b": (2, 1)}
    assert len(samples) == 2


HUGE = struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1)
HEADER = b"{'descr': '<f8', 'fortran_order': %s, 'shape': (%d, 1000000), }"


def npy_claiming(rows: int, order: bytes = b"False") -> bytes:
    text = HEADER % (order, rows)
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


class Opened:
    """A pickle of this would create a file."""

    def __reduce__(self):
        return (open, ("/tmp/netspec-was-unpickled", "w"))


HOSTILE = {
    "empty": b"",
    "text": b"hello, world, this is no data",
    "idx magic alone": b"\0\0\x08\x03",
    "idx of an unknown type": b"\0\0\x07\x01" + bytes(8),
    "idx of rank 0": b"\0\0\x08\0" + bytes(8),
    "idx of rank 200": b"\0\0\x08\xc8" + bytes(900),
    "idx of a huge shape": b"\0\0\x0e\x03" + HUGE,
    "idx cut off": idx(IMAGES)[:-1],
    "idx too long": idx(IMAGES) + b"x",
    "idx without samples": idx(IMAGES[:0]),
    "gzip cut off": gzip.compress(idx(IMAGES))[:-20],
    "gzip of a huge shape": gzip.compress(b"\0\0\x0e\x03" + HUGE),
    "gzip of too many small samples": gzip.compress(b"\0\0\x08\x02" + struct.pack(">2I", 2**32 - 1, 1)),
    "gzip of nothing": gzip.compress(b""),
    "gzip damaged": gzip.compress(idx(IMAGES))[:40] + bytes(200),
    "npy magic alone": b"\x93NUMPY",
    "npy of version 9": b"\x93NUMPY\x09\x00" + bytes(100),
    "npy cut off": npy(IMAGES)[:-1],
    "npy of a huge shape": npy_claiming(2**40),
    "npy of a huge column-major shape": npy_claiming(2**40, b"True"),
    "npy of a negative shape": npy_claiming(-1),
    "npy with code in its header": npy(IMAGES).replace(b"(100, 4, 5)", b"exit(3, 4 )"),
    "npy of objects": npy(np.array([Opened(), Opened()], dtype=object)),
    "npy of records": npy(np.zeros(3, [("a", "i4"), ("b", "O")])),
    "npy of text": npy(np.array(["a", "b"])),
    "npy of complex numbers": npy(np.zeros(3, complex)),
    "npy of one number": npy(np.array(3.0)),
    "npy without samples": npy(np.zeros((0, 3))),
    "npz of objects": npz(x=np.array([Opened()], dtype=object)),
    "npz cut off": npz(x=IMAGES)[:-30],
    "npz damaged": npz(x=IMAGES)[:100] + bytes(300) + npz(x=IMAGES)[400:],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_diagnostics(name: str, tmp_path: Path) -> None:
    assert code(written(tmp_path, HOSTILE[name])) in ("NS551", "NS552")
    assert not os.path.exists("/tmp/netspec-was-unpickled")


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in members.items():
            into.writestr(name, content)
    return stream.getvalue()


def test_archives_without_arrays_or_with_too_many_are_refused(tmp_path: Path) -> None:
    assert code(written(tmp_path, archive(readme=b"nothing"))) == "NS551"
    many = {f"x{number}.npy": npy(np.ones(1)) for number in range(65)}
    assert code(written(tmp_path, archive(**many))) == "NS551"


def test_bombs_do_not_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPANDED_LIMIT", 10_000)
    zeros = np.zeros((4, 200, 200), np.uint8)
    for content in (npz(x=zeros), npy(np.asfortranarray(zeros)), gzip.compress(idx(zeros)), npy(zeros)):
        assert code(written(tmp_path, content)) == "NS552"


def test_a_member_that_lies_about_its_size_is_not_believed(tmp_path: Path) -> None:
    """The directory says 10 GB, the content is a few bytes: refused by what it says; the other way round
    the reader stops where the directory says."""
    honest = npz(x=np.zeros((1000, 100)))
    size = 1000 * 100 * 8 + 128
    for lie, expected in ((3_000_000_000, "NS552"), (500, "NS551")):
        content = honest.replace(struct.pack("<I", size), struct.pack("<I", lie))
        assert content != honest
        assert code(written(tmp_path, content)) == expected


def test_missing_files_and_folders_are_diagnostics(tmp_path: Path) -> None:
    assert code(tmp_path / "samples") == "NS550"
    (tmp_path / "samples").mkdir()
    assert code(tmp_path / "samples") == "NS550"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert code(tmp_path / "pipe") == "NS550"


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\0\0\x08\x02", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x1f\x8b\x08"]),
)
@settings(max_examples=300)
def test_no_bytes_raise_anything_else(tmp_path_factory, content: bytes, start: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(start + content)
    with suppress(DiagnosticError):
        read_samples(path)


@given(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(["npz", "npy", "idx", "gz"]))
@settings(max_examples=300)
def test_no_changed_byte_raises_anything_else(tmp_path_factory, at: int, byte: int, form: str) -> None:
    source = IMAGES[:9]
    content = bytearray(
        {"npz": npz(x=source), "npy": npy(source), "idx": idx(source), "gz": gzip.compress(idx(source))}[form]
    )
    content[at % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(content)
    with suppress(DiagnosticError):
        read_samples(path)


MEASURE = """
import resource, sys
from pathlib import Path
from netspec.diagnostics import DiagnosticError
from netspec.verify.samples import read_samples
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_samples(Path(sys.argv[1]))
except DiagnosticError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_large_files_are_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:  # sparse: 512 MB that take no space
        file.write(b"\0\0\x08\x02" + struct.pack(">2I", 512, 2**20))
        file.truncate(12 + 512 * 2**20)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 120 * 1024  # KiB: 32 samples of 1 MiB, and their copies
