"""torch's layers of transformers, which make the causal masks themselves, and do not misread real masks."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from netspec.torch_backend.attention import added, causal


class TransformerEncoderLayer(nn.TransformerEncoderLayer):
    """torch's, evaluated as it is trained: its path in C++ takes real masks for truth values."""

    def __init__(self, *, is_causal: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.is_causal = is_causal
        self.activation_relu_or_gelu = 0  # what torch asks before it takes that path

    def forward(  # type: ignore[override]
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
    ) -> Tensor:
        if self.is_causal:
            length = src.shape[1 if self.self_attn.batch_first else 0]
            src_mask = causal(length, length, src)
        mask = added(src_mask, src.dtype)
        padding = added(src_key_padding_mask, src.dtype)
        return super().forward(src, mask, padding, is_causal=self.is_causal)


class TransformerDecoderLayer(nn.TransformerDecoderLayer):
    """torch's, with masks of real numbers."""

    def __init__(
        self,
        *,
        tgt_is_causal: bool,
        memory_is_causal: bool,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.tgt_is_causal = tgt_is_causal
        self.memory_is_causal = memory_is_causal

    def forward(  # type: ignore[override]
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
    ) -> Tensor:
        along = 1 if self.self_attn.batch_first else 0
        length, source = tgt.shape[along], memory.shape[along]
        if self.tgt_is_causal:
            tgt_mask = causal(length, length, tgt)
        if self.memory_is_causal:
            memory_mask = causal(length, source, tgt)
        return super().forward(
            tgt,
            memory,
            added(tgt_mask, tgt.dtype),
            added(memory_mask, tgt.dtype),
            added(tgt_key_padding_mask, tgt.dtype),
            added(memory_key_padding_mask, tgt.dtype),
            tgt_is_causal=self.tgt_is_causal,
            memory_is_causal=self.memory_is_causal,
        )
