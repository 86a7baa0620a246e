"""Pad, from its definition in the standard: onnx.reference refuses negative padding, which crops."""

from __future__ import annotations

import numpy as np
from onnx.reference.op_run import OpRun


class Pad(OpRun):
    """Padding by a constant or from the input itself; a negative amount crops."""

    def _run(self, x, pads, value=None, axes=None, mode=None):  # type: ignore[no-untyped-def]
        chosen = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
        ends = [(0, 0)] * x.ndim
        for position, axis in enumerate(chosen):
            ends[axis] = (int(pads[position]), int(pads[position + len(pads) // 2]))
        kept = tuple(
            slice(max(0, -before), size - max(0, -after))
            for (before, after), size in zip(ends, x.shape, strict=True)
        )
        widths = [(max(0, before), max(0, after)) for before, after in ends]
        if mode in (None, "", "constant"):
            fill = 0 if value is None else np.asarray(value).reshape(()).astype(x.dtype)
            return (np.pad(x[kept], widths, constant_values=fill),)
        return (np.pad(x[kept], widths, mode=mode),)


OVERRIDES = (Pad,)
