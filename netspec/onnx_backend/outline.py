"""Splits a model's bytes into its structure and the elements of its large initializers."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from netspec.onnx_backend.wire import (
    BYTES,
    GRAPH_INITIALIZER,
    MODEL_GRAPH,
    TENSOR_RAW_DATA,
    Field,
    WireError,
    fields,
    opening,
)

STRUCTURE_LIMIT = 1 << 26  # bytes: protobuf's objects take up to fifty times the bytes of their messages
FIELD_LIMIT = 2_000_000  # of the model, the graph and its initializers
KEPT = 1024  # bytes; the elements of smaller tensors stay in the structure


class OutlineTooLargeError(ValueError):
    """The structure of a model is larger than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Outline:
    """A model's message without the elements of its large initializers.

    `elements` holds, for each initializer in order, where its elements stand in the file; None where they
    are in `structure`, or in another file.
    """

    structure: bytes
    elements: tuple[tuple[int, int] | None, ...]


def outline(content: mmap.mmap) -> Outline:
    """Find the structure of the model in `content`; large initializers are passed over, not read."""
    return _Outliner(content).run()


class _Outliner:
    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.elements: list[tuple[int, int] | None] = []
        self.counted = 0
        self.size = 0

    def run(self) -> Outline:
        parts: list[bytes] = []
        for field in fields(self.content, 0, len(self.content)):
            self._count()
            if field.number == MODEL_GRAPH and field.kind == BYTES:
                graph = b"".join(self._graph(field))
                parts += [opening(MODEL_GRAPH, len(graph)), graph]
            else:
                parts.append(self._kept(field.start, field.end))
        return Outline(b"".join(parts), tuple(self.elements))

    def _graph(self, graph: Field) -> list[bytes]:
        parts: list[bytes] = []
        run = graph.payload  # the start of what is kept as it stands
        for field in fields(self.content, graph.payload, graph.end):
            self._count()
            if field.number != GRAPH_INITIALIZER or field.kind != BYTES:
                continue
            raw = self._raw(field) if field.value >= KEPT else None
            if raw is None or raw.value < KEPT:
                self.elements.append(None)
                continue
            self.elements.append((raw.payload, raw.end))
            before = self._kept(field.payload, raw.start)
            after = self._kept(raw.end, field.end)
            header = opening(GRAPH_INITIALIZER, len(before) + len(after))
            parts += [self._kept(run, field.start), header, before, after]
            run = field.end
        parts.append(self._kept(run, graph.end))
        return parts

    def _raw(self, tensor: Field) -> Field | None:
        found = None
        for field in fields(self.content, tensor.payload, tensor.end):
            self._count()
            if field.number == TENSOR_RAW_DATA and field.kind == BYTES:
                if found is not None:
                    raise WireError("a tensor holds its elements twice")
                found = field
        return found

    def _count(self) -> None:
        self.counted += 1
        if self.counted > FIELD_LIMIT:
            raise WireError(f"it has more than {FIELD_LIMIT} parts")

    def _kept(self, start: int, end: int) -> bytes:
        self.size += end - start
        if self.size > STRUCTURE_LIMIT:
            raise OutlineTooLargeError(STRUCTURE_LIMIT)
        return self.content[start:end]
