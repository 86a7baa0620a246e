"""numpy's .npy, and .npz, an archive of them; of plain numbers only."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from typing import IO, cast

import numpy as np

from netspec.data_formats.faults import FormatFault
from netspec.data_formats.rows import Header, check_size, exactly

MAGIC = b"\x93NUMPY"
ARCHIVE_MAGIC = b"PK\x03\x04"

MEMBER_LIMIT = 64  # arrays in an .npz
HEADER_LIMIT = 10_000  # bytes
TEXT = re.compile(
    r"\{'descr': '(?P<dtype>[<>|=](?:b1|[iu][1248]|f[248]))', 'fortran_order': (?P<order>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\),? ?\}"
)


def npy_header(stream: BufferedIOBase, size: int) -> Header:
    """The head of an .npy file of `size` bytes.

    It is the text of a Python dictionary. What numpy writes for plain numbers has one form, which is all
    that is taken; nothing is evaluated.

    Errors: FormatFault.
    """
    magic = stream.read(8)
    version = magic[6:7]
    if len(magic) < 8 or magic[:6] != MAGIC or version not in (b"\1", b"\2", b"\3"):
        raise FormatFault("its .npy version is unknown")
    width = 2 if version == b"\1" else 4
    length = int.from_bytes(exactly(stream, width), "little")
    if length > HEADER_LIMIT:
        raise FormatFault(f"its header speaks of {length:,} bytes of header")
    text = exactly(stream, length).decode("latin-1").strip()
    found = TEXT.fullmatch(text)
    if not found:
        raise FormatFault(f"it is no array of plain numbers: {text[:80]}")
    shape = tuple(int(part) for part in found["shape"].replace(",", " ").split())
    if not shape:
        raise FormatFault("it is one number, without an axis of samples")
    header = Header(shape, np.dtype(found["dtype"]), 8 + width + length, found["order"] == "True")
    if size < header.end:
        raise FormatFault(f"its header speaks of {header.end:,} bytes, but it has {size:,}")
    return header


def npz_members(stream: BufferedIOBase, limit: int) -> Iterator[tuple[str, BufferedIOBase, zipfile.ZipInfo]]:
    """The arrays of an .npz: name, stream, what the archive says of it; none of more than `limit` bytes.

    Errors: FormatFault, SizeFault.
    """
    with zipfile.ZipFile(cast(IO[bytes], stream)) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members or len(members) > MEMBER_LIMIT:
            raise FormatFault(f"the archive has {len(members)} arrays, not 1 to {MEMBER_LIMIT}")
        for member in members:
            check_size(member.file_size, limit)
            with archive.open(member) as inside:
                yield member.filename.removesuffix(".npy"), cast(BufferedIOBase, inside), member
