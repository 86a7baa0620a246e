"""Arrays read whole from files that may lie; what reads some rows is held by the tests of samples."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest

from netspec.data_formats.faults import FormatFault, SizeFault
from netspec.data_formats.rows import Header, read_all


def stored(array: np.ndarray, **changes: Any) -> tuple[io.BytesIO, Header]:
    stream = io.BytesIO(b"head" + array.tobytes(order="A"))
    stream.seek(4)
    return stream, Header(array.shape, array.dtype, 4)._replace(**changes)


@pytest.mark.parametrize("dtype", ["u1", ">i4", "<f8", "?"])
def test_the_array_comes_in_the_machines_order(dtype: str) -> None:
    array = (np.arange(24).reshape(2, 3, 4) % 7).astype(dtype)
    read = read_all(*stored(array), limit=1000)
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative
    assert read.flags.c_contiguous
    assert read.flags.writeable


def test_column_major_arrays_come_row_major() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    read = read_all(*stored(array, column_major=True), limit=1000)
    np.testing.assert_array_equal(read, array)
    assert read.flags.c_contiguous


def test_an_empty_array_is_one() -> None:
    assert read_all(*stored(np.zeros((0, 5))), limit=1000).shape == (0, 5)


def test_what_is_missing_takes_no_memory() -> None:
    stream, header = stored(np.zeros(8, np.uint8), shape=(2**32,))
    tracemalloc.start()
    with pytest.raises(FormatFault, match="which it cannot hold"):
        read_all(stream, header, 2**40, compressed=8)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    with pytest.raises(EOFError):
        read_all(stream, header._replace(shape=(9,)), 2**40)


@pytest.mark.parametrize(("size", "words"), [(1001, "1,001"), (2**90, "an absurd number of")])
def test_more_than_the_limit_is_refused(size: int, words: str) -> None:
    stream, header = stored(np.zeros(8, np.uint8), shape=(size,))
    with pytest.raises(SizeFault) as raised:
        read_all(stream, header, limit=1000)
    assert (raised.value.size, raised.value.limit) == (words, 1000)
