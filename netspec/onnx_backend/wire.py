"""Protobuf's wire format, as far as an ONNX file needs it: to stream large tensors past protobuf.

A message is a sequence of fields, each a key (number and wire type, a varint) and a payload. Fields of a
message may stand in any order, and a nested message is its length and its bytes. A large tensor can thus be
written from where it lies, and found in a file without being read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# The numbers of the fields that are streamed: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data.
MODEL_GRAPH = 7
GRAPH_INITIALIZER = 5
TENSOR_RAW_DATA = 9

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_VARINT_LIMIT = 10  # bytes of a 64-bit integer, seven bits each


class WireError(ValueError):
    """The bytes are not a message in protobuf's wire format."""


class Buffer(Protocol):
    """Bytes that are indexed and sliced where they lie: bytes, a memoryview, an mmap."""

    def __getitem__(self, key: int, /) -> int: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: where it begins and ends, and where its payload begins.

    `value` is the integer of a varint, and the payload's length of a field of bytes.
    """

    number: int
    kind: int
    start: int
    payload: int
    end: int
    value: int


def varint(value: int) -> bytes:
    """A non-negative integer below 2**64, seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def opening(number: int, length: int) -> bytes:
    """What stands before the `length` bytes of a field that holds bytes or a message."""
    return varint(number << 3 | BYTES) + varint(length)


def read_varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """The integer at `at`, and the offset behind it."""
    value = 0
    for shift in range(0, 7 * _VARINT_LIMIT, 7):
        if at >= end:
            raise WireError("the data end inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("a number is longer than 64 bits")


def fields(data: Buffer, start: int, end: int) -> Iterator[Field]:
    """The fields of the message between two offsets, in order, without reading their payloads."""
    at = start
    while at < end:
        key, payload = read_varint(data, at, end)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == VARINT:
            value, stop = read_varint(data, payload, end)
        elif kind == BYTES:
            value, payload = read_varint(data, payload, end)
            stop = payload + value
        elif kind in (FIXED64, FIXED32):
            stop = payload + (8 if kind == FIXED64 else 4)
        else:
            raise WireError(f"a field has the unknown wire type {kind}")
        if number == 0 or stop > end:
            raise WireError("a field reaches beyond its message")
        yield Field(number, kind, at, payload, stop, value)
        at = stop
