"""The hash of a network's weights, computed on all cores while something else uses the same bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK = 1 << 22  # bytes that are hashed as one; part of the definition of the hash
_INLINE_LIMIT = 1 << 18  # bytes that are hashed sooner than a thread is woken
_THREADS = min(4, os.cpu_count() or 1)


def weights_hash(weights: Mapping[str, Array]) -> str:
    """The hash of named tensors, in hex; it does not depend on their order.

    SHA-256 over, for each tensor in the order of the names: the line `NAME DTYPE SHAPE`, closed by a line
    feed (`conv2d_1.weight float32 6,1,5,5`), then the SHA-256 digest of each 4 MiB of its elements, which
    are in C order and little-endian. The two levels let every core hash a part.
    """
    with WeightsDigest() as digest:
        for name, array in weights.items():
            digest.add(name, array, octets(array))
        return digest.hexdigest()


@cache
def element_type(dtype: np.dtype[Any]) -> str:
    """The name of an element type, in whichever order its bytes stand; numpy computes it anew each time."""
    return dtype.name


def octets(array: Array) -> memoryview:
    """The bytes of a tensor in C order and little-endian; a view, wherever the tensor lies so in memory."""
    if array.dtype.byteorder == ">" or (sys.byteorder == "big" and array.dtype.byteorder == "="):
        array = array.astype(array.dtype.newbyteorder("<"))
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    return array.reshape(-1).view(np.uint8).data


class WeightsDigest:
    """Collects tensors for `weights_hash` and hashes them on threads of its own until it is closed."""

    def __init__(self) -> None:
        self._tensors: dict[str, tuple[str, list[bytes | Future[bytes]]]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def add(self, name: str, array: Array, data: memoryview) -> None:
        """Begin to hash a tensor, whose bytes are `data`; they must not change before `hexdigest`."""
        heading = f"{name} {element_type(array.dtype)} {','.join(map(str, array.shape))}\n"
        if len(data) <= _INLINE_LIMIT:
            self._tensors[name] = heading, [_digest(data)] if data else []
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="weights-hash")
        parts: list[bytes | Future[bytes]] = [
            self._threads.submit(_digest, data[start : start + CHUNK]) for start in range(0, len(data), CHUNK)
        ]
        self._tensors[name] = heading, parts

    def hexdigest(self) -> str:
        """The hash of everything added, as `weights_hash` defines it; waits for the threads."""
        whole = sha256()
        for _, (heading, parts) in sorted(self._tensors.items()):
            whole.update(heading.encode())
            for part in parts:
                whole.update(part if isinstance(part, bytes) else part.result())
        return whole.hexdigest()


def _digest(data: memoryview) -> bytes:
    return sha256(data).digest()
