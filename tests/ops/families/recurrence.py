"""How recurrences are drawn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.ops.cases import Case, Symbols, run
from tests.ops.drawing import chosen, integer
from tests.ops.families.attention import bent, laid_out
from tests.ops.family import Family, Strategy

ARGUMENTS: dict[str, Any] = {
    "input_size": None,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
}
STATES = (-2.0, 2.0)
"""What initial states hold. onnxruntime's sigmoid is exact to a part of 1, not of itself: a gate that is all
but closed would let through a thousandth of a state of thousands, and its whole error."""
OWN: dict[str, dict[str, Any]] = {"RNN": {"nonlinearity": "tanh"}, "LSTM": {"proj_size": 0}, "GRU": {}}


def _recurrence(op: str) -> Strategy:
    @st.composite
    def recurrence(draw: DrawFn, wild: bool) -> Case:
        batch, length, features, hidden = (draw(st.integers(1, 4)) for _ in range(4))
        arguments: dict[str, Any] = {
            "hidden_size": hidden,
            "num_layers": draw(st.integers(1, 3)),
            **{name: draw(st.booleans()) for name in ("bias", "batch_first", "bidirectional")},
        }
        if arguments["num_layers"] > 1:  # with one layer torch warns
            arguments["dropout"] = draw(st.sampled_from([0.0, 0.3, 1.0, *([-0.1, 1.1] if wild else [])]))
        width = hidden
        if op == "RNN":
            choices = ["tanh", "relu", *(["sigmoid"] if wild else [])]
            arguments["nonlinearity"] = draw(st.sampled_from(choices))
        elif op == "LSTM" and hidden > 1:
            arguments["proj_size"] = integer(draw, 0, hidden - 1, wild, 1)
            width = arguments["proj_size"] or hidden
        if draw(st.integers(0, 3)) == 0:
            arguments["input_size"] = integer(draw, features, features, wild, 1)
        shapes = {"input": bent(draw, laid_out(batch, length, features, arguments["batch_first"]), wild)}
        states = arguments["num_layers"] * (1 + arguments["bidirectional"])
        for name, size in (("h_0", width), ("c_0", hidden))[: 1 + (op == "LSTM")]:
            if draw(st.booleans()):
                shapes[name] = bent(draw, (states, batch, size), wild)
        dtypes = ["float32"] * len(shapes)
        if wild and draw(st.integers(0, 9)) == 0:
            dtypes[-1] = "int64"
        return Case(
            op,
            chosen(draw, arguments, {**ARGUMENTS, **OWN[op]}),
            tuple(shapes.values()),
            dtypes=tuple(dtypes),
            names=tuple(shapes),
            ports=("h_n", "c_n")[: 1 + (op == "LSTM")] if draw(st.booleans()) else (),
            ranges=(None, *[STATES] * (len(shapes) - 1)),
        )

    return recurrence


class _RNN(nn.RNN):
    def forward(self, input: Tensor, h_0: Tensor | None = None) -> Any:  # type: ignore[override]
        return super().forward(input, h_0)


class _GRU(nn.GRU):
    def forward(self, input: Tensor, h_0: Tensor | None = None) -> Any:  # type: ignore[override]
        return super().forward(input, h_0)


class _LSTM(nn.LSTM):
    def forward(  # type: ignore[override]
        self, input: Tensor, h_0: Tensor | None = None, c_0: Tensor | None = None
    ) -> Any:
        """torch takes both states or none: one alone meets zeros."""
        states = None
        if h_0 is not None or c_0 is not None:
            batch = input.shape[0] if self.batch_first else input.shape[1]
            zeros = input.new_zeros(self.num_layers * (1 + self.bidirectional), batch, self.hidden_size)
            h_0 = zeros[..., : self.proj_size or None] if h_0 is None else h_0
            states = h_0, zeros if c_0 is None else c_0
        with warnings.catch_warnings():
            # torch says, once a process, which implementation it takes.
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            return super().forward(input, states)


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"input_size": case.shapes[0][-1]}


def _openable(case: Case) -> tuple[Symbols, ...]:
    names: dict[str, Symbols] = {
        "input": ("N", "L", None) if case.arguments.get("batch_first") else ("L", "N", None)
    }
    return tuple(names.get(name, (None, "N", None)) for name in case.names)


def _narrower(case: Case) -> bool:
    # One sequence, without a batch; and a memory of integers, which torch converts.
    return len(case.shapes[0]) == 2 or "int64" in case.dtypes


def _macs(case: Case) -> int:
    """What torch counts where it multiplies matrices step by step, which in float32 LSTM does not."""
    wide = case.of_dtype("float64")
    with FlopCounterMode(display=False) as counter:
        run(wide.module(), [torch.from_numpy(feed) for feed in wide.feeds()])
    return int(counter.get_total_flops()) // 2


FAMILY = Family(
    strategies={op: _recurrence(op) for op in OWN},
    functions={"RNN": _RNN, "LSTM": _LSTM, "GRU": _GRU},
    signatures={op: (getattr(nn, op), {"hidden_size": ..., **ARGUMENTS, **own}) for op, own in OWN.items()},
    inferred=_inferred,
    openable=_openable,
    narrower=_narrower,
    macs=dict.fromkeys(OWN, _macs),
)
