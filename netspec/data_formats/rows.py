"""The elements of an array in a file: all of them, or some rows of it."""

from __future__ import annotations

import math
from io import BufferedIOBase
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netspec.data_formats.faults import FormatFault, SizeFault

CHUNK = 2**20
DEFLATE_RATIO = 1_032
"""Bytes that one byte of deflated data can become, at most; what claims more lies."""


class Header(NamedTuple):
    """What the head of a file says of its array, whose elements begin at the byte `start`."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    start: int
    column_major: bool = False

    @property
    def elements(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Bytes of the whole file."""
        return self.start + self.elements


def read_all(
    stream: BufferedIOBase, header: Header, limit: int, compressed: int | None = None
) -> NDArray[Any]:
    """The whole array, in the machine's byte order.

    Memory fills as the file gives its bytes, so that a head that lies costs nothing. `compressed` is how
    many bytes the elements take up in the file, where that is fewer.
    """
    check_size(header.elements, limit)
    if compressed is not None and header.elements > (compressed + CHUNK) * DEFLATE_RATIO:
        raise FormatFault(f"its header speaks of {header.elements:,} bytes, which it cannot hold")
    flat = np.empty(header.elements, np.uint8)
    view = memoryview(flat.data)
    filled = 0
    while filled < len(flat):
        count = stream.readinto(view[filled : filled + CHUNK])
        if not count:
            raise EOFError
        filled += count
    array = flat.view(header.dtype).reshape(header.shape, order="F" if header.column_major else "C")
    return np.ascontiguousarray(array.astype(header.dtype.newbyteorder("="), copy=False))


def read_rows(stream: BufferedIOBase, header: Header, chosen: NDArray[np.int64], limit: int) -> NDArray[Any]:
    """The rows `chosen`, ascending, skipping what lies between; never all of them at once."""
    if header.column_major:  # its rows lie scattered
        return read_all(stream, header, limit)[chosen]
    row = math.prod(header.shape[1:]) * header.dtype.itemsize
    check_size(row * len(chosen), limit)
    rows = []
    for index in chosen:
        stream.seek(header.start + int(index) * row)
        rows.append(np.frombuffer(exactly(stream, row), header.dtype).reshape(header.shape[1:]))
    return np.stack(rows).astype(header.dtype.newbyteorder("="))


def exactly(stream: BufferedIOBase, count: int) -> bytes:
    """So many bytes; EOFError where there are fewer."""
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def check_size(size: int, limit: int) -> None:
    if size > limit:
        raise SizeFault(size, limit)
