"""Activations, from their definitions.

onnx.reference takes the logarithm of a softmax that has underflowed; its Erf, and with it Gelu, is float32
inside, and so are the constants of its HardSwish.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Array = NDArray[Any]

STEPS = 32  # points of the table per unit
LIMIT = 6  # where erf is 1 in float64
TERMS = 10
CHUNK = 2**14  # elements at a time: they stay in the processor's cache, which is four times as fast


class LogSoftmax(OpRun):
    """x - max - log(sum(exp(x - max))) along one axis."""

    def _run(self, x, axis=None):  # type: ignore[no-untyped-def]
        along = -1 if axis is None else axis
        shifted = x - x.max(axis=along, keepdims=True)
        return (shifted - np.log(np.exp(shifted).sum(axis=along, keepdims=True)),)


@cache
def _taylor() -> NDArray[np.float64]:
    """Coefficients of erf's series about the points of the table, (TERMS, points).

    With f' = 2 / sqrt(pi) exp(-x^2), the next derivatives are f(n+1) = -2 x f(n) - 2 (n - 1) f(n-1).
    """
    points = np.arange(-LIMIT * STEPS, LIMIT * STEPS + 1) / STEPS
    derivatives = [
        np.array([math.erf(point) for point in points]),
        2 / math.sqrt(math.pi) * np.exp(-(points**2)),
    ]
    for n in range(1, TERMS - 1):
        derivatives.append(-2 * points * derivatives[n] - 2 * (n - 1) * derivatives[n - 1])
    return np.stack([derivative / math.factorial(n) for n, derivative in enumerate(derivatives)])


def erf(x: Array) -> Array:
    """The error function to 1e-15, of whole arrays: by the series about the nearest point of a table."""
    flat = np.ravel(x)
    y = np.empty(flat.shape, np.float64)
    for start in range(0, flat.size, CHUNK):
        part = slice(start, start + CHUNK)
        held = np.clip(flat[part], -LIMIT, LIMIT)
        nearest = np.nan_to_num(np.rint(held * STEPS)).astype(np.intp)
        rest = held - nearest / STEPS
        total = np.zeros_like(held)
        for coefficients in _taylor()[::-1]:
            total = total * rest + coefficients[nearest + LIMIT * STEPS]
        y[part] = total
    return y.reshape(np.shape(x))


class Erf(OpRun):
    """The error function."""

    def _run(self, x):  # type: ignore[no-untyped-def]
        return (erf(x).astype(x.dtype),)


class Gelu(OpRun):
    """x times the normal distribution's cumulative function, or its approximation by tanh."""

    def _run(self, x, approximate=None):  # type: ignore[no-untyped-def]
        if approximate == "tanh":
            return (0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),)
        return (0.5 * x * (1 + erf(x / math.sqrt(2)).astype(x.dtype)),)


class HardSwish(OpRun):
    """x max(0, min(1, x / 6 + 1 / 2))."""

    def _run(self, x):  # type: ignore[no-untyped-def]
        return (x * np.clip(x / 6 + 0.5, 0, 1),)


OVERRIDES = (LogSoftmax, Erf, Gelu, HardSwish)
