"""Learning rates: each a closed form of the step, so that a resumed run needs no state for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from netspec.ir.training import Named

Shape = Callable[[int, int, int, float, Mapping[str, Any]], float]
"""A rate from a step, all steps, the steps of an epoch, the optimizer's rate, the schedule's arguments."""

Rate = Callable[[int], float]
"""The learning rate of a step, counted from 0."""


def make_schedule(named: Named, lr: float, steps: int, epochs: int) -> Rate:
    """The rates of a run of `epochs` with `steps` optimizer steps each; `lr` is the optimizer's own.

    For `warmup` epochs the rate rises in a line from lr / steps-of-warm-up to what the schedule then gives.
    """
    total = steps * epochs
    shape: Shape = _SHAPES[named.name]
    arguments = named.arguments
    warm: int = round(arguments.get("warmup", 0) * steps)

    def rate(step: int) -> float:
        if step < warm:
            return shape(warm, total, steps, lr, arguments) * (step + 1) / (warm + 1)
        return shape(step, total, steps, lr, arguments)

    return rate


def _constant(step: int, total: int, steps: int, lr: float, arguments: Mapping[str, Any]) -> float:
    return lr


def _step(step: int, total: int, steps: int, lr: float, arguments: Mapping[str, Any]) -> float:
    """Times `gamma` after every `step_size` epochs."""
    return float(lr * arguments["gamma"] ** (step // steps // arguments["step_size"]))


def _multistep(step: int, total: int, steps: int, lr: float, arguments: Mapping[str, Any]) -> float:
    """Times `gamma` at every milestone, an epoch."""
    return float(lr * arguments["gamma"] ** sum(step // steps >= m for m in arguments["milestones"]))


def _linear(step: int, total: int, steps: int, lr: float, arguments: Mapping[str, Any]) -> float:
    """A line from `lr` to `min_lr` at the end."""
    return float(lr + (arguments["min_lr"] - lr) * _part(step, total, steps, arguments))


def _cosine(step: int, total: int, steps: int, lr: float, arguments: Mapping[str, Any]) -> float:
    """Half a cosine from `lr` to `min_lr` at the end."""
    least = arguments["min_lr"]
    return float(least + (lr - least) * (1 + math.cos(math.pi * _part(step, total, steps, arguments))) / 2)


def _part(step: int, total: int, steps: int, arguments: Mapping[str, Any]) -> float:
    """How much of the way behind the warm-up is done, 0 to 1."""
    warm: int = round(arguments.get("warmup", 0) * steps)
    return min((step - warm) / max(total - warm, 1), 1.0)


def _one_cycle(step: int, total: int, steps: int, lr: float, arguments: Mapping[str, Any]) -> float:
    """Smith's cycle, in cosines: up to `max_lr` for `pct_start` of the run, then down below the start.

    Source: torch.optim.lr_scheduler.OneCycleLR with two phases.
    """
    top: float = arguments["max_lr"] if arguments["max_lr"] is not None else lr
    start: float = top / arguments["div_factor"]
    end: float = start / arguments["final_div_factor"]
    peak = arguments["pct_start"] * total - 1
    if step <= peak:
        return _between(start, top, step / peak if peak else 1.0)
    return _between(top, end, (step - peak) / max(total - 1 - peak, 1))


def _between(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(part, 1.0))) / 2


_SHAPES: Mapping[str, Shape] = {
    "constant": _constant,
    "step": _step,
    "multistep": _multistep,
    "linear": _linear,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}
