"""How layers of transformers are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.ops.cases import Case, Sizes, Symbols, run
from tests.ops.drawing import chosen, integer
from tests.ops.families.attention import bent, hidden, laid_out, mask_dtype, pairs, without_fast_path
from tests.ops.family import Family

LAYER = {
    "d_model": None,
    "dim_feedforward": 2048,
    "dropout": 0.1,
    "activation": "relu",
    "layer_norm_eps": 1e-5,
    "batch_first": False,
    "norm_first": False,
    "bias": True,
}
FLAGS = {
    "TransformerEncoderLayer": {"is_causal": False},
    "TransformerDecoderLayer": {"tgt_is_causal": False, "memory_is_causal": False},
}


def _arguments(draw: DrawFn, wild: bool, heads: int, width: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "nhead": heads,
        "dim_feedforward": integer(draw, 1, 5, wild, 1),
        "dropout": draw(st.sampled_from([0.0, 0.1, 1.0, *([-0.1] if wild else [])])),
        "activation": draw(st.sampled_from(["relu", "gelu", *(["tanh"] if wild else [])])),
        "layer_norm_eps": draw(st.sampled_from([1e-5, 0.1])),
        **{name: draw(st.booleans()) for name in ("batch_first", "norm_first", "bias")},
    }
    if draw(st.integers(0, 3)) == 0:
        arguments["d_model"] = integer(draw, width, width, wild, 1)
    return arguments


def _sizes(draw: DrawFn, wild: bool) -> tuple[int, int, int, int, int]:
    """The number of heads, the width, the batch, and two lengths.

    Of very few features all are now and then so nearly equal that only rounding is left to be normalised.
    """
    heads = draw(st.integers(1, 4))
    width = heads * draw(st.integers(-(-5 // heads), 6)) + (draw(st.integers(0, 3)) == 0 if wild else 0)
    batch, length, source = (draw(st.integers(1, 4)) for _ in range(3))
    return heads, width, batch, length, source


@st.composite
def encoder_layer(draw: DrawFn, wild: bool) -> Case:
    heads, width, batch, length, _ = _sizes(draw, wild)
    arguments = _arguments(draw, wild, heads, width)
    arguments["is_causal"] = draw(st.integers(0, 3)) == 0
    shapes = {"src": bent(draw, laid_out(batch, length, width, arguments["batch_first"]), wild)}
    dtypes = {}
    if draw(st.booleans()) and (wild or not arguments["is_causal"]):
        shapes["src_mask"] = bent(draw, pairs(draw, batch, heads, length, length), wild)
        dtypes["src_mask"] = mask_dtype(draw, wild)
    if draw(st.booleans()):
        shapes["src_key_padding_mask"] = bent(draw, (batch, length), wild)
        dtypes["src_key_padding_mask"] = mask_dtype(draw, wild)
    return _case(draw, "TransformerEncoderLayer", arguments, shapes, dtypes)


@st.composite
def decoder_layer(draw: DrawFn, wild: bool) -> Case:
    heads, width, batch, length, source = _sizes(draw, wild)
    arguments = _arguments(draw, wild, heads, width)
    arguments |= {flag: draw(st.integers(0, 3)) == 0 for flag in FLAGS["TransformerDecoderLayer"]}
    batch_first = arguments["batch_first"]
    shapes = {
        "tgt": laid_out(batch, length, width, batch_first),
        "memory": bent(draw, laid_out(batch, source, width, batch_first), wild),
    }
    dtypes = {}
    for name, size in (("tgt", length), ("memory", source)):
        if draw(st.booleans()) and (wild or not arguments[f"{name}_is_causal"]):
            shapes[f"{name}_mask"] = bent(draw, pairs(draw, batch, heads, length, size), wild)
            dtypes[f"{name}_mask"] = mask_dtype(draw, wild)
        if draw(st.booleans()):
            shapes[f"{name}_key_padding_mask"] = bent(draw, (batch, size), wild)
            dtypes[f"{name}_key_padding_mask"] = mask_dtype(draw, wild)
    return _case(draw, "TransformerDecoderLayer", arguments, shapes, dtypes)


def _case(
    draw: DrawFn,
    op: str,
    arguments: Mapping[str, Any],
    shapes: Mapping[str, Sizes],
    dtypes: Mapping[str, str],
) -> Case:
    return Case(
        op,
        chosen(draw, arguments, {**LAYER, **FLAGS[op]}),
        tuple(shapes.values()),
        dtypes=tuple(dtypes.get(name, "float32") for name in shapes),
        names=tuple(shapes),
    )


class _EncoderLayer(nn.TransformerEncoderLayer):
    def __init__(self, *, is_causal: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.is_causal = is_causal
        self.activation_relu_or_gelu = 0  # or it would round otherwise, in C++

    def forward(  # type: ignore[override]
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None
    ) -> Tensor:
        if self.is_causal:
            src_mask = _only(src_mask, hidden(src, src, self.self_attn.batch_first))
        with without_fast_path(src_mask is not None or src_key_padding_mask is not None):
            return super().forward(src, src_mask, src_key_padding_mask)


class _DecoderLayer(nn.TransformerDecoderLayer):
    def __init__(
        self, *, tgt_is_causal: bool = False, memory_is_causal: bool = False, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.causal = tgt_is_causal, memory_is_causal

    def forward(  # type: ignore[override]
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
    ) -> Tensor:
        batch_first = self.self_attn.batch_first
        if self.causal[0]:
            tgt_mask = _only(tgt_mask, hidden(tgt, tgt, batch_first))
        if self.causal[1]:
            memory_mask = _only(memory_mask, hidden(tgt, memory, batch_first))
        paddings = tgt_key_padding_mask, memory_key_padding_mask
        with without_fast_path(tgt_mask is not None or tgt_key_padding_mask is not None):
            return super().forward(tgt, memory, tgt_mask, memory_mask, *paddings)


def _only(given: Tensor | None, causal: Tensor) -> Tensor:
    if given is not None:
        raise ValueError("two masks")
    return causal


def _inferred(case: Case) -> Mapping[str, Any]:
    return {"d_model": case.shapes[0][2], "layer_norm_eps": 1e-5}


def _openable(case: Case) -> tuple[Symbols, ...]:
    of_heads = any(name.endswith("_mask") and len(shape) == 3 for name, shape in _given(case).items())
    batch = None if of_heads else "N"  # batch * heads planes, which no word says
    return tuple(_symbols(case, name, len(shape), batch) for name, shape in _given(case).items())


def _symbols(case: Case, name: str, rank: int, batch: str | None) -> Symbols:
    length = "S" if name.startswith("memory") else "L"
    if name.endswith("_key_padding_mask"):
        return batch, length
    if name.endswith("_mask"):
        return (None, "L", length)[3 - rank :]
    return (batch, length, None) if case.arguments.get("batch_first") else (length, batch, None)


def _given(case: Case) -> dict[str, Sizes]:
    return dict(zip(case.names, case.shapes, strict=True))


def _narrower(case: Case) -> bool:
    # Tensors without elements, and sequences without a batch.
    return case.arguments.get("dim_feedforward") == 0 or len(case.shapes[0]) == 2


def _counted(case: Case) -> int:
    """What torch counts where it multiplies matrices one by one."""
    feeds = [torch.from_numpy(feed) for feed in case.feeds()]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run(case.module().train(), feeds)
    return int(counter.get_total_flops()) // 2


FAMILY = Family(
    strategies={"TransformerEncoderLayer": encoder_layer, "TransformerDecoderLayer": decoder_layer},
    functions={"TransformerEncoderLayer": _EncoderLayer, "TransformerDecoderLayer": _DecoderLayer},
    # torch's default activation is the function, and the flags are those of its forward.
    signatures={op: (getattr(nn, op), {"nhead": ..., **LAYER, **flags}) for op, flags in FLAGS.items()},
    inferred=_inferred,
    openable=_openable,
    narrower=_narrower,
    macs=dict.fromkeys(FLAGS, _counted),
)
