"""IDX, the format of MNIST: two zero bytes, a type, a rank, the lengths, the elements; all big-endian."""

from __future__ import annotations

import math
from io import BufferedIOBase

import numpy as np

from netspec.data_formats.faults import FormatFault
from netspec.data_formats.rows import Header

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
RANKS = range(1, 9)


def idx_header(stream: BufferedIOBase, size: int | None) -> Header:
    """The head of an IDX file of `size` bytes, None where it is compressed and that is not known.

    Errors: FormatFault.
    """
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or head[3] not in RANKS:
        raise FormatFault("it is no IDX file")
    rank = head[3]
    lengths = stream.read(4 * rank)
    if len(lengths) < 4 * rank:
        raise FormatFault("its IDX header is cut off")
    shape = tuple(int.from_bytes(lengths[at : at + 4], "big") for at in range(0, 4 * rank, 4))
    header = Header(shape, np.dtype(TYPES[head[2]]), 4 + 4 * rank)
    if size is not None and size != header.end:
        shown = f"{header.end:,}" if math.prod(shape) < 2**80 else "an absurd number of"
        raise FormatFault(f"its IDX header speaks of {shown} bytes, but it has {size:,}")
    return header
