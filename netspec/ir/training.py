"""Training as a spec's `train:` says it: checked, frozen, plain values; what the loop reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from netspec.diagnostics.span import Span

Precision = Literal["float32", "tf32", "bf16", "fp16"]


class Named(NamedTuple):
    """Something chosen by name: an optimizer, a schedule, a loss, a data set.

    `arguments` has those that were left out too, lists as tuples; a data set of an installed package has
    the arguments that were written, as they are.
    """

    name: str
    arguments: Mapping[str, Any]
    span: Span


class Augment(NamedTuple):
    """What is done to training images at random: mirrored, and cut out after `crop` pixels of padding."""

    flip: bool = False
    crop: int = 0


class Training(NamedTuple):
    """How a network is trained.

    `batch_size` counts the examples of one optimizer step over all devices, before `accumulate` multiplies
    it. `validate_on` is `test`, or the share of the training examples that is held out. `clip` is the
    greatest norm of the gradient; `ema` the decay a step of the averaged weights. `output` names the output
    that the loss reads. `entries` are the spans of the section's keys, by key.
    """

    data: Named
    epochs: int
    batch_size: int
    optimizer: Named
    schedule: Named
    loss: Named
    metrics: tuple[str, ...]
    precision: Precision
    augment: Augment
    clip: float | None
    accumulate: int
    ema: float | None
    seed: int
    validate_on: float | Literal["test"]
    sync_batch_norm: bool
    output: str
    span: Span
    entries: Mapping[str, Span]
