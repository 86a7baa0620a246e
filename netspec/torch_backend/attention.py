"""Attention as torch has it, with what its forward takes beside tensors among the module's own arguments.

torch's path in C++ through a whole layer, which evaluation takes where no gradient is asked for, reads real
masks as truth values and gives NaN for queries that see no key. Here masks are real numbers, with which
torch's attention leaves that path, and its encoder layer never takes it: training and evaluation agree.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def added(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A mask as numbers to add: -inf where truth values take a key out."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -torch.inf)


def causal(length: int, source: int, like: Tensor) -> Tensor:
    """The mask (L, S) to add that hides from a query the keys behind its own place."""
    return like.new_full((length, source), -torch.inf).triu(diagonal=1)


class MultiheadAttention(nn.MultiheadAttention):
    """torch's; a value left out is the key, a key left out the query, and `is_causal` makes the mask."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        need_weights: bool,
        average_attn_weights: bool,
        is_causal: bool,
        **arguments: Any,
    ) -> None:
        super().__init__(embed_dim, num_heads, **arguments)
        self.need_weights = need_weights
        self.average_attn_weights = average_attn_weights
        self.is_causal = is_causal

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        attn_mask: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        key = query if key is None else key
        value = key if value is None else value
        if self.is_causal:
            along = 1 if self.batch_first else 0
            attn_mask = causal(query.shape[along], key.shape[along], query)
        output, weights = super().forward(
            query,
            key,
            value,
            key_padding_mask=added(key_padding_mask, query.dtype),
            need_weights=self.need_weights,
            attn_mask=added(attn_mask, query.dtype),
            average_attn_weights=self.average_attn_weights,
            # A hint that torch takes for the mask itself, but misplaces where keys are added.
            is_causal=self.is_causal and self.bias_k is None and not self.add_zero_attn,
        )
        return output if weights is None else (output, weights)


class ScaledDotProductAttention(nn.Module):
    """torch.nn.functional.scaled_dot_product_attention, with dropout in training alone."""

    def __init__(
        self,
        dropout_p: float,
        is_causal: bool,
        scale: float | None,
        enable_gqa: bool,
    ) -> None:
        super().__init__()
        self.dropout_p = dropout_p
        self.is_causal = is_causal
        self.scale = scale
        self.enable_gqa = enable_gqa

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
    ) -> Tensor:
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=attn_mask,
            dropout_p=self.dropout_p if self.training else 0.0,
            is_causal=self.is_causal,
            scale=self.scale,
            enable_gqa=self.enable_gqa,
        )

    def extra_repr(self) -> str:
        return (
            f"dropout_p={self.dropout_p}, is_causal={self.is_causal}, scale={self.scale}, "
            f"enable_gqa={self.enable_gqa}"
        )
