"""What can be wrong with a file of numbers; whoever reads one says whose file it is."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from netspec.diagnostics import printable


class FormatFault(Exception):
    """A file that is not what it should be, or broken: `reason`, in words that follow the file's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SizeFault(Exception):
    """An array of `size` bytes, which is beyond the reader's `limit`."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size)
        self.size = f"{size:,}" if size < 2**80 else "an absurd number of"
        self.limit = limit


@contextmanager
def format_faults() -> Iterator[None]:
    """Whatever the readers of the standard library and numpy find wrong, as a FormatFault."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatFault("its compressed data is broken or cut off") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FormatFault(f"the archive is broken or encrypted ({printable(str(error))})") from error
    except (ValueError, OverflowError) as error:
        raise FormatFault(printable(" ".join(str(error).split()))) from error
