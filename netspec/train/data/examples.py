"""What a data set is once it is read: examples that lie in memory, or that are read as they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netspec.diagnostics import Diagnostic
from netspec.verify.tolerance import Array

FINGERPRINTED = 256
"""Examples that stand for their data set; to read them all would take as long as an epoch."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples in memory: an array (N, ...) for each input of the network, as stored, and targets (N, ...).

    What is bytes stays bytes, images as (N, C, H, W). Other numbers are float32 for an input of real
    numbers, and have the dtype of any other input. Targets are classes (int64), or numbers (float32) of the
    output's shape.
    """

    inputs: tuple[Array, ...]
    targets: Array

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, chosen: Array) -> Examples:
        """The examples at the indices `chosen`, in their order."""
        return Examples(tuple(array[chosen] for array in self.inputs), self.targets[chosen])


@dataclass(frozen=True, eq=False)
class Stream:
    """Examples that are read one by one, since they are too many or of several sizes.

    `read` gives the inputs of the example at an index, one array (...) each: bytes as stored, or float32
    that is resized already. `read` must pickle, since workers call it. `targets` are all in memory.
    """

    read: Callable[[int], tuple[Array, ...]]
    targets: Array
    indices: Array

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, chosen: Array) -> Stream:
        """The examples at the positions `chosen`, in their order."""
        return Stream(self.read, self.targets[chosen], self.indices[chosen])


class Data(NamedTuple):
    """A data set: what to train on, what to test on (None if it has none), what its classes are called.

    `notices` are warnings about it, for whoever opened it to print.
    """

    name: str
    train: Examples | Stream
    test: Examples | Stream | None
    classes: tuple[str, ...] | None = None
    notices: tuple[Diagnostic, ...] = ()


def fingerprint(part: Examples | Stream) -> str:
    """A digest of all targets, and of some of the inputs that lie in memory, from the first to the last."""
    digest = hashlib.sha256(np.ascontiguousarray(part.targets).data)
    if isinstance(part, Examples) and len(part):
        chosen = np.linspace(0, len(part) - 1, FINGERPRINTED).round().astype(np.int64)
        for array in part.inputs:
            digest.update(np.ascontiguousarray(array[chosen]).data)
    return f"{len(part)}-{digest.hexdigest()}"


def counts(targets: Array, classes: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many examples each class has."""
    return np.bincount(targets.ravel(), minlength=classes)
