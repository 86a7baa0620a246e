"""RNN, from its definition in the standard: onnx.reference knows no activation of it but Tanh and Affine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"Tanh": np.tanh, "Relu": lambda x: np.maximum(x, 0)}


class RNN(OpRun):
    """H = f(X W^T + H R^T + Wb + Rb) over X (L, N, I) -> every H (L, directions, N, H), the last of each."""

    def _run(  # type: ignore[no-untyped-def]
        self,
        x,
        w,
        r,
        b=None,
        sequence_lens=None,
        initial_h=None,
        activation_alpha=None,
        activation_beta=None,
        activations=None,
        clip=None,
        direction=None,
        hidden_size=None,
        layout=None,
    ):
        if sequence_lens is not None or clip is not None or layout:
            raise NotImplementedError("sequences of unequal lengths, clipping and batches first")
        directions = {"forward": (1,), "reverse": (-1,), "bidirectional": (1, -1)}[direction or "forward"]
        names = activations or ["Tanh"] * len(directions)
        y = np.empty((len(x), len(directions), x.shape[1], r.shape[2]), x.dtype)
        last = np.zeros(y.shape[1:], x.dtype) if initial_h is None else initial_h.copy()
        for place, (step, name) in enumerate(zip(directions, names, strict=True)):
            bias = 0 if b is None else np.add(*np.split(b[place], 2))
            for time in range(len(x))[::step]:
                sums = x[time] @ w[place].T + last[place] @ r[place].T + bias
                y[time, place] = last[place] = _ACTIVATIONS[name](sums)
        return (y, last)[: len(self.onnx_node.output)]


OVERRIDES = (RNN,)
