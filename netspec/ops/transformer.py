"""Layers of transformers: attention and a perceptron, each added to what it reads, and normalised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.ops.arguments import Bool, Expected, NonNegativeFloat, PositiveInt, Probability
from netspec.ops.base import Demand, Weight
from netspec.ops.broadcasting import need_one_type
from netspec.ops.faults import about, as_declared
from netspec.ops.heads import Attending, Heads, affine, masked
from netspec.ops.sequences import Sequential, as_number

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

Activation = Annotated[Literal["relu", "gelu"], Expected("relu or gelu")]
Sublayer = Callable[[str], str]


class TransformerLayer(Attending, Sequential):
    """What the layers of encoder and decoder share."""

    if TYPE_CHECKING:
        d_model: int | None
        nhead: int
        dim_feedforward: int
        dropout: float
        activation: str
        layer_norm_eps: float
        norm_first: bool
        bias: bool

    def heads(self, prefix: str, query: TensorType, key: TensorType) -> Heads:
        """One attention of the layer, its weights under a prefix."""
        width = as_number(query.known[2])
        batch, length = self.extents(query)
        return Heads(
            heads=self.nhead,
            embed_dim=width,
            kdim=width,
            vdim=width,
            batch=batch,
            length=length,
            source=self.extents(key)[1],
            dtype=query.dtype,
            batch_first=self.batch_first,
            bias=self.bias,
            prefix=prefix,
        )

    def need_layer_input(self, x: TensorType) -> Iterator[Demand]:
        """What the sequences must be that the layer transforms."""
        self.need_sequences(x)
        yield from as_declared("d_model", self.d_model, x.known[2], x)
        yield from self.need_heads("nhead", self.nhead, x)

    def mask_shapes(self, batch: Size, length: Size, source: Size, letter: str) -> dict[str, Shape]:
        """The shapes that a mask of queries and keys may have, by what a message calls them."""
        return {
            f"(L, {letter})": (length, source),
            f"(N * nhead, L, {letter})": (batch * self.nhead, length, source),
        }

    def infer(self, x: TensorType, *others: TensorType | None) -> TensorType:
        return x

    def perceptron_weights(self, x: TensorType, norms: int) -> Iterator[Weight]:
        """The tensors of everything but attention, in the order of the layer's state dict."""
        width, inside = as_number(x.known[2]), self.dim_feedforward
        shapes: list[tuple[str, tuple[int, ...]]] = [
            ("linear1", (inside, width)),
            ("linear2", (width, inside)),
        ]
        shapes += [(f"norm{number}", (width,)) for number in range(1, norms + 1)]
        for name, shape in shapes:
            yield Weight(f"{name}.weight", shape, x.dtype)
            if self.bias:
                yield Weight(f"{name}.bias", shape[:1], x.dtype)

    def perceptron_macs(self, x: TensorType) -> Size:
        batch, length = self.extents(x)
        return batch * length * (2 * self.dim_feedforward * as_number(x.known[2]))

    def module_arguments(self, x: TensorType) -> dict[str, Any]:
        from netspec.torch_backend.dtypes import torch_dtype

        return {
            "d_model": as_number(x.known[2]),
            "nhead": self.nhead,
            "dim_feedforward": self.dim_feedforward,
            "dropout": self.dropout,
            "activation": self.activation,
            "layer_norm_eps": self.layer_norm_eps,
            "batch_first": self.batch_first,
            "norm_first": self.norm_first,
            "bias": self.bias,
            "dtype": torch_dtype(x.dtype),
        }

    def chained(self, graph: Emitter, x: str, sublayers: tuple[Sublayer, ...], weights: Weights) -> str:
        """Each sublayer added to what it reads, and normalised before, with `norm_first`, or behind."""

        def normal(x: str, number: int) -> str:
            parameters = [weights[f"norm{number}.weight"]]
            if self.bias:
                parameters.append(weights[f"norm{number}.bias"])
            return graph.node("LayerNormalization", x, *parameters, axis=-1, epsilon=self.layer_norm_eps)

        for number, sublayer in enumerate(sublayers, start=1):
            if self.norm_first:
                x = graph.node("Add", x, sublayer(normal(x, number)))
            else:
                x = normal(graph.node("Add", x, sublayer(x)), number)
        return x

    def perceptron(self, graph: Emitter, x: str, dtype: DType, weights: Weights) -> str:
        """linear2(activation(linear1(x)))."""
        from netspec.onnx_backend.gelu import gelu

        for number in (1, 2):
            bias = weights[f"linear{number}.bias"] if self.bias else ""
            x = affine(graph, x, weights[f"linear{number}.weight"], bias)
            if number == 1:
                x = graph.node("Relu", x) if self.activation == "relu" else gelu(graph, x, dtype)
        return x


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention, then a perceptron, each added to what it reads and normalised, (L, N, E) -> (L, N, E).

    With `batch_first` the sequences are (N, L, E). Masks are true where a key takes no part, or real numbers
    that are added to the scores: src_mask (L, L) or (N * nhead, L, L), src_key_padding_mask (N, L).
    `is_causal` makes the mask itself, so that no element sees a later one. An element that masks keep from
    every other gets zeros from the heads, in training and in evaluation. torch's own module gives NaN for
    it, and misreads masks of real numbers, where it evaluates on its path in C++.

    Cost:    E (4 E + 2 L + 2 dim_feedforward) multiply-adds an element.
    Errors:  NS380 nhead must divide E; NS381 a mask's shape; NS382 a mask beside is_causal; NS383 (warning)
             the batch stands first.
    Source:  torch.nn.TransformerEncoderLayer; ONNX MatMul-13, Softmax-13 and LayerNormalization-17.
    Example: (N, T, 256) -> TransformerEncoderLayer: {nhead: 4, batch_first: true} -> (N, T, 256)
    """

    arguments: ClassVar[tuple[str, ...]] = ("src", "src_mask", "src_key_padding_mask")
    optional: ClassVar[int] = 2

    d_model: PositiveInt | None = None
    nhead: PositiveInt
    dim_feedforward: PositiveInt = 2048
    dropout: Probability = 0.1
    activation: Activation = "relu"
    layer_norm_eps: NonNegativeFloat = 1e-5
    batch_first: Bool = False
    norm_first: Bool = False
    bias: Bool = True
    is_causal: Bool = False

    def demands(
        self,
        src: TensorType,
        src_mask: TensorType | None = None,
        src_key_padding_mask: TensorType | None = None,
    ) -> Iterator[Demand]:
        yield from self.need_layer_input(src)
        batch, length = self.extents(src)
        flag = "is_causal" if self.is_causal else None
        pairs = self.mask_shapes(batch, length, length, "L")
        yield from self.mask_demands("src_mask", 1, src_mask, src.dtype, pairs, flag)
        padding = {"(N, L)": (batch, length)}
        yield from self.mask_demands("src_key_padding_mask", 2, src_key_padding_mask, src.dtype, padding)

    def weights(self, src: TensorType, *masks: TensorType | None) -> tuple[Weight, ...]:
        return (*self.heads("self_attn.", src, src).weights(), *self.perceptron_weights(src, 2))

    def cost(self, src: TensorType, *others: TensorType | None) -> Cost:
        return Cost(macs=self.heads("", src, src).macs + self.perceptron_macs(src))

    def build(self, src: TensorType, *masks: TensorType | None) -> nn.Module:
        from netspec.torch_backend.transformer import TransformerEncoderLayer as Module

        return Module(is_causal=self.is_causal, **self.module_arguments(src))

    def lower(
        self,
        graph: Emitter,
        src: str,
        src_mask: str = "",
        src_key_padding_mask: str = "",
        *,
        weights: Weights,
    ) -> str:
        kind = graph.type(src)
        heads = self.heads("self_attn.", kind, kind)
        mask = masked(graph, heads, pairs=src_mask, keys=src_key_padding_mask, causal=self.is_causal)
        zeros = bool(src_mask or src_key_padding_mask)

        def attention(x: str) -> str:
            return heads.lower(graph, (x, x, x), mask, weights, zero_where_masked=zeros)[0]

        def perceptron(x: str) -> str:
            return self.perceptron(graph, x, kind.dtype, weights)

        return self.chained(graph, src, (attention, perceptron), weights)


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to a memory, a perceptron, (L, N, E), (S, N, E) -> (L, N, E).

    Each is added to what it reads and normalised. With `batch_first` N stands first. Masks are true where a
    key takes no part, or real numbers that are added to the scores: tgt_mask (L, L) or (N * nhead, L, L),
    memory_mask (L, S) or (N * nhead, L, S), tgt_key_padding_mask (N, L), memory_key_padding_mask (N, S).
    `tgt_is_causal` and `memory_is_causal` make the masks themselves. An element that masks keep from every
    key gets zeros from the heads.

    Cost:    E (6 E + 2 L + 2 S + 2 dim_feedforward) multiply-adds an element, 2 E^2 one of the memory.
    Errors:  NS380 nhead must divide E; NS381 a mask's shape; NS382 a mask beside the flag that makes it;
             NS384 sequences and memory that do not fit; NS383 (warning) the batch stands first.
    Source:  torch.nn.TransformerDecoderLayer; ONNX MatMul-13, Softmax-13 and LayerNormalization-17.
    Example: (N, T, 256), (N, S, 256) -> TransformerDecoderLayer: {nhead: 4, batch_first: true} -> (N, T, 256)
    """

    arguments: ClassVar[tuple[str, ...]] = (
        "tgt",
        "memory",
        "tgt_mask",
        "memory_mask",
        "tgt_key_padding_mask",
        "memory_key_padding_mask",
    )
    optional: ClassVar[int] = 4

    d_model: PositiveInt | None = None
    nhead: PositiveInt
    dim_feedforward: PositiveInt = 2048
    dropout: Probability = 0.1
    activation: Activation = "relu"
    layer_norm_eps: NonNegativeFloat = 1e-5
    batch_first: Bool = False
    norm_first: Bool = False
    bias: Bool = True
    tgt_is_causal: Bool = False
    memory_is_causal: Bool = False

    def demands(
        self,
        tgt: TensorType,
        memory: TensorType,
        tgt_mask: TensorType | None = None,
        memory_mask: TensorType | None = None,
        tgt_key_padding_mask: TensorType | None = None,
        memory_key_padding_mask: TensorType | None = None,
    ) -> Iterator[Demand]:
        yield from self.need_layer_input(tgt)
        with about(1):
            self.need_sequences(memory)
            need_one_type(type(self).__name__, tgt, memory)
        (batch, length), (of_memory, source) = self.extents(tgt), self.extents(memory)
        yield self.same("batch size", "tgt", batch, "memory", of_memory, 1)
        yield self.same("width", "tgt", tgt.known[2], "memory", memory.known[2], 1)
        for name, letter, size, causal, pairs, padding in (
            ("tgt", "L", length, self.tgt_is_causal, (2, tgt_mask), (4, tgt_key_padding_mask)),
            ("memory", "S", source, self.memory_is_causal, (3, memory_mask), (5, memory_key_padding_mask)),
        ):
            flag = f"{name}_is_causal" if causal else None
            shapes = self.mask_shapes(batch, length, size, letter)
            yield from self.mask_demands(f"{name}_mask", *pairs, tgt.dtype, shapes, flag)
            of_padding = {f"(N, {letter})": (batch, size)}
            yield from self.mask_demands(f"{name}_key_padding_mask", *padding, tgt.dtype, of_padding)

    def weights(self, tgt: TensorType, *others: TensorType | None) -> tuple[Weight, ...]:
        attentions = (
            weight
            for name in ("self_attn.", "multihead_attn.")
            for weight in self.heads(name, tgt, tgt).weights()
        )
        return (*attentions, *self.perceptron_weights(tgt, 3))

    def cost(self, tgt: TensorType, memory: TensorType, *others: TensorType | None) -> Cost:
        attentions = self.heads("", tgt, tgt).macs + self.heads("", tgt, memory).macs
        return Cost(macs=attentions + self.perceptron_macs(tgt))

    def build(self, tgt: TensorType, *others: TensorType | None) -> nn.Module:
        from netspec.torch_backend.transformer import TransformerDecoderLayer as Module

        return Module(
            tgt_is_causal=self.tgt_is_causal,
            memory_is_causal=self.memory_is_causal,
            **self.module_arguments(tgt),
        )

    def lower(
        self,
        graph: Emitter,
        tgt: str,
        memory: str,
        tgt_mask: str = "",
        memory_mask: str = "",
        tgt_key_padding_mask: str = "",
        memory_key_padding_mask: str = "",
        *,
        weights: Weights,
    ) -> str:
        kind, of_memory = graph.type(tgt), graph.type(memory)

        def attention(
            name: str, key: str, of_key: TensorType, pairs: str, keys: str, causal: bool
        ) -> Sublayer:
            heads = self.heads(name, kind, of_key)
            mask = masked(graph, heads, pairs=pairs, keys=keys, causal=causal)
            return lambda x: heads.lower(
                graph, (x, key or x, key or x), mask, weights, zero_where_masked=bool(pairs or keys)
            )[0]

        sublayers = (
            attention("self_attn.", "", kind, tgt_mask, tgt_key_padding_mask, self.tgt_is_causal),
            attention(
                "multihead_attn.",
                memory,
                of_memory,
                memory_mask,
                memory_key_padding_mask,
                self.memory_is_causal,
            ),
            lambda x: self.perceptron(graph, x, kind.dtype, weights),
        )
        return self.chained(graph, tgt, sublayers, weights)


OPERATIONS = (TransformerEncoderLayer, TransformerDecoderLayer)
