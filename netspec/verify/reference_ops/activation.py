"""LogSoftmax, from its definition: onnx.reference takes the logarithm of a softmax that has underflowed."""

from __future__ import annotations

import numpy as np
from onnx.reference.op_run import OpRun


class LogSoftmax(OpRun):
    """x - max - log(sum(exp(x - max))) along one axis."""

    def _run(self, x, axis=None):  # type: ignore[no-untyped-def]
        along = -1 if axis is None else axis
        shifted = x - x.max(axis=along, keepdims=True)
        return (shifted - np.log(np.exp(shifted).sum(axis=along, keepdims=True)),)


OVERRIDES = (LogSoftmax,)
