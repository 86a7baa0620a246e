"""How attention is drawn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.ops.cases import Case, Sizes, Symbols, run
from tests.ops.drawing import chosen, integer
from tests.ops.family import Family

MULTIHEAD = {
    "embed_dim": None,
    "dropout": 0.0,
    "bias": True,
    "add_bias_kv": False,
    "add_zero_attn": False,
    "kdim": None,
    "vdim": None,
    "batch_first": False,
    "need_weights": False,
    "average_attn_weights": True,
    "is_causal": False,
}
SCALED_DOT_PRODUCT = {"dropout_p": 0.0, "is_causal": False, "scale": None, "enable_gqa": False}


def mask_dtype(draw: DrawFn, wild: bool) -> str:
    """Truth values or numbers; now and then, in a wild draw, integers."""
    if wild and draw(st.integers(0, 9)) == 0:
        return "int64"
    return draw(st.sampled_from(["bool", "float32"]))


def bent(draw: DrawFn, sizes: Sizes, wild: bool) -> Sizes:
    """The shape; now and then, in a wild draw, one size more, or one dimension."""
    fault = draw(st.integers(0, 19)) if wild else 19
    if fault == 0:
        return (*sizes, 2)
    if fault == 1:
        place = draw(st.integers(0, len(sizes) - 1))
        return (*sizes[:place], sizes[place] + 1, *sizes[place + 1 :])
    return sizes


def laid_out(batch: int, length: int, features: int, batch_first: bool) -> Sizes:
    """The shape of sequences."""
    return (batch, length, features) if batch_first else (length, batch, features)


def pairs(draw: DrawFn, batch: int, heads: int, length: int, source: int) -> Sizes:
    """The shape of a mask of queries and keys: one for all, or one for every head."""
    return draw(st.sampled_from([(length, source), (batch * heads, length, source)]))


@st.composite
def multihead_attention(draw: DrawFn, wild: bool) -> Case:
    heads, batch_first = draw(st.integers(1, 4)), draw(st.booleans())
    width = heads * draw(st.integers(1, 3)) + (draw(st.integers(0, 3)) == 0 if wild else 0)
    batch, length, source = (draw(st.integers(1, 4)) for _ in range(3))
    shapes: dict[str, Sizes] = {"query": laid_out(batch, length, width, batch_first)}
    dtypes = {"query": "float32"}
    arguments: dict[str, Any] = {
        "num_heads": heads,
        "dropout": draw(st.sampled_from([0.0, 0.3])),
        "batch_first": batch_first,
        **{name: draw(st.booleans()) for name in ("bias", "add_bias_kv", "add_zero_attn")},
        **{name: draw(st.booleans()) for name in ("need_weights", "average_attn_weights")},
        "is_causal": draw(st.integers(0, 3)) == 0,
    }
    widths = {"key": draw(st.sampled_from([width, width, 3])), "value": draw(st.sampled_from([width, 5]))}
    if not draw(st.booleans()):
        source = length
        widths = dict.fromkeys(widths, width)
    else:
        shapes["key"] = bent(draw, laid_out(batch, source, widths["key"], batch_first), wild)
        if draw(st.booleans()):
            shapes["value"] = bent(draw, laid_out(batch, source, widths["value"], batch_first), wild)
        else:
            widths["value"] = widths["key"]
    for argument, size in (("embed_dim", width), ("kdim", widths["key"]), ("vdim", widths["value"])):
        if draw(st.integers(0, 3)) == 0:
            arguments[argument] = integer(draw, size, size, wild, 1)
    if draw(st.booleans()):
        shapes["key_padding_mask"] = bent(draw, (batch, source), wild)
        dtypes["key_padding_mask"] = mask_dtype(draw, wild)
    if draw(st.booleans()) and (wild or not arguments["is_causal"]):
        shapes["attn_mask"] = bent(draw, pairs(draw, batch, heads, length, source), wild)
        dtypes["attn_mask"] = mask_dtype(draw, wild)
    arguments = chosen(draw, arguments, MULTIHEAD)
    return Case(
        "MultiheadAttention",
        arguments,
        tuple(shapes.values()),
        dtypes=tuple(dtypes.get(name, "float32") for name in shapes),
        names=tuple(shapes),
        ports=("weights",) if arguments.get("need_weights") else (),
    )


@st.composite
def scaled_dot_product_attention(draw: DrawFn, wild: bool) -> Case:
    front = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    length, source, width, width_of_values = (draw(st.integers(1, 4)) for _ in range(4))
    arguments = {
        "dropout_p": draw(st.sampled_from([0.0, 0.3, *([1.5] if wild else [])])),
        "is_causal": draw(st.integers(0, 3)) == 0,
        "scale": draw(st.sampled_from([None, None, 0.3, 1.0, -0.7, *([1e39] if wild else [])])),
        "enable_gqa": bool(front) and draw(st.booleans()),
    }
    fronts = [front] * 3
    if arguments["enable_gqa"]:
        own = [draw(st.integers(1, 3)) for _ in range(2)]
        queries = own[0] * own[1] * draw(st.integers(1, 2)) if not wild else draw(st.integers(1, 4))
        fronts = [(*front[:-1], heads) for heads in (queries, *own)]
    elif draw(st.booleans()):
        fronts = [_stretched(draw, front, wild) for _ in range(3)]
    ends = ((length, width), (source, width), (source, width_of_values))
    shapes = [(*start, *end) for start, end in zip(fronts, ends, strict=True)]
    shapes = [bent(draw, sizes, wild) for sizes in shapes]
    names, dtypes = ["query", "key", "value"], ["float32"] * 3
    if draw(st.booleans()) and (wild or not arguments["is_causal"]):
        try:
            scores = (
                *torch.broadcast_shapes(fronts[0], fronts[0] if arguments["enable_gqa"] else fronts[1]),
            )
        except RuntimeError:
            scores = front
        whole = (*scores, length, source)
        sizes = tuple(1 if draw(st.integers(0, 3)) == 0 else size for size in whole)
        shapes.append(bent(draw, sizes[draw(st.integers(0, len(whole) - 2)) :], wild))
        names.append("attn_mask")
        dtypes.append(mask_dtype(draw, wild))
    return Case(
        "ScaledDotProductAttention",
        chosen(draw, arguments, SCALED_DOT_PRODUCT),
        tuple(shapes),
        dtypes=tuple(dtypes),
        names=tuple(names) if draw(st.booleans()) else (),
    )


def _stretched(draw: DrawFn, front: Sizes, wild: bool) -> Sizes:
    sizes = tuple(1 if draw(st.integers(0, 2)) == 0 else size for size in front)
    return bent(draw, sizes, wild)[draw(st.integers(0, len(front))) :] if front else front


@contextmanager
def without_fast_path(blocked: bool) -> Iterator[None]:
    """In here torch leaves the path in C++ that reads real masks as truth values and makes NaN of no keys."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled and not blocked)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Support for mismatched")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def hidden(query: Tensor, key: Tensor, batch_first: bool) -> Tensor:
    """The causal mask: true where a key comes after its query."""
    along = 1 if batch_first else 0
    return torch.ones(query.shape[along], key.shape[along], dtype=torch.bool).triu(diagonal=1)


class _MultiheadAttention(nn.MultiheadAttention):
    def __init__(
        self,
        *,
        need_weights: bool = False,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.need_weights = need_weights
        self.average = average_attn_weights
        self.is_causal = is_causal

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        attn_mask: Tensor | None = None,
    ) -> Any:
        key = query if key is None else key
        value = key if value is None else value
        if self.is_causal:
            if attn_mask is not None:
                raise ValueError("two masks")
            attn_mask = hidden(query, key, self.batch_first)
        with without_fast_path(key_padding_mask is not None or attn_mask is not None):
            return super().forward(
                query, key, value, key_padding_mask, self.need_weights, attn_mask, self.average
            )


class _ScaledDotProductAttention(nn.Module):
    def __init__(self, dropout_p: float = 0.0, **arguments: Any) -> None:
        super().__init__()
        self.dropout_p = dropout_p
        self.arguments = arguments

    def forward(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        function = nn.functional.scaled_dot_product_attention
        dropout = self.dropout_p if self.training or not 0 <= self.dropout_p <= 1 else 0.0
        return function(query, key, value, attn_mask, dropout, **self.arguments)


def _inferred(case: Case) -> Mapping[str, Any]:
    if case.op != "MultiheadAttention":
        return {}
    given = dict(zip(case.names, case.shapes, strict=True))
    query, key = given["query"], given.get("key", given["query"])
    return {"embed_dim": query[2], "kdim": key[2], "vdim": given.get("value", key)[2]}


def _openable(case: Case) -> tuple[Symbols, ...]:
    if case.op == "ScaledDotProductAttention":
        return _openable_fronts(case)
    batch_first = bool(case.arguments.get("batch_first"))
    given = dict(zip(case.names, case.shapes, strict=True))
    source = "S" if "key" in given else "L"
    # A mask for every head has batch * heads planes, which no word says.
    batch = None if len(given.get("attn_mask", ())) == 3 else "N"
    names: dict[str, Symbols] = {
        "query": (batch, "L", None),
        "key": (batch, source, None),
        "value": (batch, source, None),
    }
    if not batch_first:
        names = {name: (symbols[1], symbols[0], None) for name, symbols in names.items()}
    names["key_padding_mask"] = (batch, source)
    names["attn_mask"] = ("L", source) if batch else (None, "L", source)
    return tuple(names[name] for name in case.names)


def _openable_fronts(case: Case) -> tuple[Symbols, ...]:
    """Aligned from the right; a size of 1 stretches, so that it stays a number, and so do shared heads."""
    heads = None if case.arguments.get("enable_gqa") else "d3"
    ends: tuple[Symbols, ...] = (("L", None), ("S", None), ("S", "V"), ("L", "S"))
    return tuple(
        tuple(
            None if size == 1 and (axis < len(shape) - 2 or end[1] == "S") else name
            for axis, (size, name) in enumerate(
                zip(shape, (*_fronts(len(shape) - 2, heads), *end), strict=True)
            )
        )
        for shape, end in zip(case.shapes, ends, strict=False)
    )


def _fronts(count: int, heads: str | None) -> Symbols:
    names = [f"d{count + 2 - axis}" for axis in range(count)]
    return tuple(heads if name == "d3" else name for name in names)


def _narrower(case: Case) -> bool:
    if case.op == "MultiheadAttention":
        return False
    if (case.arguments.get("scale") or 0) > torch.finfo(torch.float32).max:
        return True
    # torch reads values behind the last, and sometimes takes two masks.
    keys, values = case.shapes[1], case.shapes[2]
    return keys[-2] != values[-2] or (bool(case.arguments.get("is_causal")) and len(case.shapes) > 3)


def counted(case: Case) -> int:
    """What torch counts where it multiplies matrices one by one."""
    module = case.module().train()
    for part in module.modules():
        if isinstance(part, _MultiheadAttention):
            part.need_weights = True
    feeds = [torch.from_numpy(feed) for feed in case.feeds()]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run(module, feeds)
    return int(counter.get_total_flops()) // 2


FAMILY = Family(
    strategies={
        "MultiheadAttention": multihead_attention,
        "ScaledDotProductAttention": scaled_dot_product_attention,
    },
    functions={
        "MultiheadAttention": _MultiheadAttention,
        "ScaledDotProductAttention": _ScaledDotProductAttention,
    },
    signatures={
        # The last three are those of its forward; need_weights is true there.
        "MultiheadAttention": (nn.MultiheadAttention, {"num_heads": ..., **MULTIHEAD}),
        "ScaledDotProductAttention": (
            nn.functional.scaled_dot_product_attention,
            SCALED_DOT_PRODUCT,
        ),
    },
    inferred=_inferred,
    openable=_openable,
    narrower=_narrower,
    macs={"MultiheadAttention": counted, "ScaledDotProductAttention": counted},
)
