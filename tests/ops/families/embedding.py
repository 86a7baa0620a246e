"""How tables that integers look up are drawn."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import nn

from tests.ops.cases import Case
from tests.ops.drawing import chosen, integer, shape
from tests.ops.family import Family

DEFAULTS = {"padding_idx": None, "scale_grad_by_freq": False, "sparse": False, "dtype": "float32"}


@st.composite
def embedding(draw: DrawFn, wild: bool) -> Case:
    rows = integer(draw, 1, 9, wild, 1)
    padding = draw(st.none() | st.integers(-rows, rows - 1)) if rows > 0 else None
    if wild and draw(st.integers(0, 5)) == 0:
        padding = draw(st.sampled_from([rows, -rows - 1]))
    arguments = {
        "num_embeddings": rows,
        "embedding_dim": integer(draw, 1, 5, wild, 1),
        "padding_idx": padding,
        "scale_grad_by_freq": draw(st.booleans()),
        "sparse": draw(st.booleans()),
        "dtype": draw(st.sampled_from(["float32", "float32", "float64", "float16"])),
    }
    dtypes = ["int64", "int32", *(["float32", "bool"] if wild else [])]
    return Case(
        "Embedding",
        chosen(draw, arguments, DEFAULTS),
        (shape(draw, range(1, 5)),),
        draw(st.sampled_from(dtypes)),
        ranges=((0, max(rows - 1, 0)),),
    )


class _Embedding(nn.Embedding):
    """torch's own, with its element type by name."""

    def __init__(self, *, dtype: str = "float32", **arguments: Any) -> None:
        super().__init__(**arguments, dtype=getattr(torch, dtype))


FAMILY = Family(
    strategies={"Embedding": embedding},
    functions={"Embedding": _Embedding},
    # max_norm rewrites the table while it is read, and norm_type belongs to it; no input tells the dtype.
    signatures={"Embedding": (nn.Embedding, {"num_embeddings": ..., "embedding_dim": ..., **DEFAULTS})},
    # Tensors without elements.
    narrower=lambda case: case.arguments["embedding_dim"] == 0,
)
