"""Attention: queries that take from values what their keys are like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, Shape, TensorType, product
from netspec.ops.arguments import Bool, Float, PositiveInt, Probability
from netspec.ops.base import Demand, Fault, Same, Weight
from netspec.ops.broadcasting import broadcast, need_held, need_one_type
from netspec.ops.faults import about, as_declared, need_floating, need_number, need_rank, told_of
from netspec.ops.heads import Attending, Heads, masked
from netspec.ops.sequences import Sequential, as_number

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights


class MultiheadAttention(Attending, Sequential):
    """Multi-head attention, (L, N, E), (S, N, kdim), (S, N, vdim) -> (L, N, E).

    With `batch_first` N stands before L and S. A value left out is the key, a key left out the query:
    with one input it is self-attention. Masks are true where a key takes no part, or real numbers that
    are added to the scores: key_padding_mask (N, S), attn_mask (L, S) or (N * num_heads, L, S).
    `is_causal` makes the mask (L, S) itself, so that no query sees a key after its own place.
    `need_weights` is false where it is left out, unlike in torch.

    A query that masks keep from every key gets zeros from the heads, in training and in evaluation; with
    need_weights NaN. torch's own module evaluates to NaN or to zeros, as its path in C++ is taken or not.

    Ports:   output; weights with need_weights: the mean attention of the heads (N, L, S), or with
             average_attn_weights false of each of them (N, num_heads, L, S).
    Cost:    E (2 L E + S (kdim + vdim) + 2 L S) multiply-adds a sequence, S counted with added keys.
    Errors:  NS380 num_heads must divide E; NS381 the mask's shape; NS382 a mask beside is_causal; NS384
             key and value, or their batches, differ; NS383 (warning) the batch stands first.
    Source:  torch.nn.MultiheadAttention; ONNX MatMul-13 and Softmax-13.
    Example: query (N, T, 64), attn_mask (T, T) of bool
             -> MultiheadAttention: {num_heads: 4, batch_first: true} -> (N, T, 64)
    """

    arguments: ClassVar[tuple[str, ...]] = ("query", "key", "value", "key_padding_mask", "attn_mask")
    optional: ClassVar[int] = 4

    embed_dim: PositiveInt | None = None
    num_heads: PositiveInt
    dropout: Probability = 0.0
    bias: Bool = True
    add_bias_kv: Bool = False
    add_zero_attn: Bool = False
    kdim: PositiveInt | None = None
    vdim: PositiveInt | None = None
    batch_first: Bool = False
    need_weights: Bool = False
    average_attn_weights: Bool = True
    is_causal: Bool = False

    @property
    def kept_open(self) -> tuple[int, ...]:
        return (3, 4) if self.need_weights else ()

    def ports(self, *inputs: TensorType | None) -> tuple[str, ...]:
        return ("output", "weights") if self.need_weights else ("output",)

    def demands(
        self,
        query: TensorType,
        key: TensorType | None = None,
        value: TensorType | None = None,
        key_padding_mask: TensorType | None = None,
        attn_mask: TensorType | None = None,
    ) -> Iterator[Demand]:
        self.need_sequences(query)
        yield from as_declared("embed_dim", self.embed_dim, query.known[2], query)
        yield from self.need_heads("num_heads", self.num_heads, query)
        of_key = 0 if key is None else 1
        of_value = of_key if value is None else 2
        key, value = _read(query, key, value)
        for number, argument, declared, x in (
            (of_key, "kdim", self.kdim, key),
            (of_value, "vdim", self.vdim, value),
        ):
            with about(number):
                self.need_sequences(x)
                need_one_type(type(self).__name__, query, x)
            yield from told_of(number, as_declared(argument, declared, x.known[2], x))
        (batch, length), (keys, source), (values, as_many) = map(self.extents, (query, key, value))
        yield self.same("batch size", "query", batch, "key", keys, of_key)
        yield self.same("batch size", "key", keys, "value", values, of_value)
        yield self.same("length", "key", source, "value", as_many, of_value)
        padding = {"(N, S)": (batch, source)}
        pairs = {"(L, S)": (length, source), "(N * heads, L, S)": (batch * self.num_heads, length, source)}
        flag = "is_causal" if self.is_causal else None
        yield from self.mask_demands("key_padding_mask", 3, key_padding_mask, query.dtype, padding)
        yield from self.mask_demands("attn_mask", 4, attn_mask, query.dtype, pairs, flag)

    def _heads(
        self,
        query: TensorType,
        key: TensorType | None = None,
        value: TensorType | None = None,
        *_: TensorType | None,
    ) -> Heads:
        key, value = _read(query, key, value)
        batch, length = self.extents(query)
        return Heads(
            heads=self.num_heads,
            embed_dim=as_number(query.known[2]),
            kdim=as_number(key.known[2]),
            vdim=as_number(value.known[2]),
            batch=batch,
            length=length,
            source=self.extents(key)[1],
            dtype=query.dtype,
            batch_first=self.batch_first,
            bias=self.bias,
            add_bias_kv=self.add_bias_kv,
            add_zero_attn=self.add_zero_attn,
        )

    def infer(
        self, query: TensorType, key: TensorType | None = None, *_: TensorType | None
    ) -> TensorType | tuple[TensorType, TensorType]:
        if not self.need_weights:
            return query
        batch, length = self.extents(query)
        attended = self.extents(key or query)[1] + (self.add_bias_kv + self.add_zero_attn)
        heads = () if self.average_attn_weights else (self.num_heads,)
        return query, query.with_shape((batch, *heads, length, attended))

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return self._heads(*inputs).weights()

    def cost(self, *types: TensorType) -> Cost:
        return Cost(macs=self._heads(*types[: len(types) - len(self.ports())]).macs)

    def build(self, *inputs: TensorType) -> nn.Module:
        from netspec.torch_backend.attention import MultiheadAttention as Module
        from netspec.torch_backend.dtypes import torch_dtype

        heads = self._heads(*inputs)
        return Module(
            heads.embed_dim,
            self.num_heads,
            dropout=self.dropout,
            bias=self.bias,
            add_bias_kv=self.add_bias_kv,
            add_zero_attn=self.add_zero_attn,
            kdim=heads.kdim,
            vdim=heads.vdim,
            batch_first=self.batch_first,
            need_weights=self.need_weights,
            average_attn_weights=self.average_attn_weights,
            is_causal=self.is_causal,
            dtype=torch_dtype(heads.dtype),
        )

    def lower(
        self,
        graph: Emitter,
        query: str,
        key: str = "",
        value: str = "",
        key_padding_mask: str = "",
        attn_mask: str = "",
        *,
        weights: Weights,
    ) -> str | tuple[str, ...]:
        from netspec.onnx_backend.reductions import reduced

        key = key or query
        value = value or key
        heads = self._heads(*(graph.type(x) for x in (query, key, value)))
        mask = masked(graph, heads, pairs=attn_mask, keys=key_padding_mask, causal=self.is_causal)
        given = bool(attn_mask or key_padding_mask)
        zeros = given and not self.need_weights
        y, attention = heads.lower(graph, (query, key, value), mask, weights, zero_where_masked=zeros)
        if not self.need_weights:
            return y
        if self.average_attn_weights:
            attention = reduced(graph, "ReduceMean", attention, [1], keepdims=False)
        return y, attention


class HeadsUnshared(Diagnostic):
    """Grouped queries: every head of the keys serves as many heads of queries."""

    code = "NS388"
    message = "the {argument}'s {heads} heads cannot serve {queries} heads of queries in groups of equal size"

    argument: str
    heads: int
    queries: int

    @property
    def help(self) -> str:
        return "give {argument} a number of heads that divides {queries}"


class ScaledDotProductAttention(Attending):
    """softmax(q k^T * scale + mask) v over the last two axes, (*, L, E), (*, S, E), (*, S, V) -> (*, L, V).

    The axes before broadcast. `scale` is 1 / sqrt(E) where it is left out. attn_mask broadcasts to
    (*, L, S): it is true where a key takes part, or a real number that is added. `is_causal` makes the
    mask itself, so that no query sees a key after its own place. With `enable_gqa` (*, heads, S, E) serves
    a multiple of its heads. A query that the mask keeps from every key gives zeros. Unlike torch's
    function, `dropout_p` counts in training alone.

    Cost:    S (E + V) multiply-adds a query.
    Errors:  NS381 the mask's shape; NS382 a mask beside is_causal; NS384 inputs that do not fit each other;
             NS388 heads that cannot be shared.
    Source:  torch.nn.functional.scaled_dot_product_attention; ONNX MatMul-13 and Softmax-13.
    Example: (N, 8, T, 64), (N, 8, S, 64), (N, 8, S, 64) -> ScaledDotProductAttention -> (N, 8, T, 64)
    """

    arguments: ClassVar[tuple[str, ...]] = ("query", "key", "value", "attn_mask")
    optional: ClassVar[int] = 1

    dropout_p: Probability = 0.0
    is_causal: Bool = False
    scale: Float | None = None
    enable_gqa: Bool = False

    @property
    def writes_constants(self) -> bool:
        return True

    def demands(
        self, query: TensorType, key: TensorType, value: TensorType, attn_mask: TensorType | None = None
    ) -> Iterator[Demand]:
        op, inputs = type(self).__name__, {"query": query, "key": key, "value": value}
        least, expected = (3, "(*, heads, L, features)") if self.enable_gqa else (2, "(*, L, features)")
        for number, x in enumerate(inputs.values()):
            with about(number):
                need_rank(op, x, tuple(range(least, 9)), f"tensors {expected}")
                need_floating(op, x)
                need_one_type(op, query, x)
        need_number(op, "features", query.known[-1], query)
        need_held("scale", self.scale, query.dtype)
        yield self.same("width", "query", query.known[-1], "key", key.known[-1], 1)
        yield self.same("length", "key", key.known[-2], "value", value.known[-2], 2)
        if self.enable_gqa:
            yield from self._shared_heads(inputs)
        yield from self._agreement(inputs)
        if attn_mask is not None:
            yield from self._mask_demands(query, key, attn_mask)

    def _shared_heads(self, inputs: dict[str, TensorType]) -> Iterator[Fault]:
        heads = [x.known[-3] for x in inputs.values()]
        for number, (argument, x) in enumerate(inputs.items()):
            with about(number):
                need_number(type(self).__name__, "heads", x.known[-3], x)
            queries, own = heads[0], heads[number]
            if isinstance(queries, int) and isinstance(own, int) and queries % own:
                fault = HeadsUnshared(argument=argument, heads=own, queries=queries)
                raise Fault(fault, field="enable_gqa", input=number)
        yield from ()

    def _agreement(self, inputs: dict[str, TensorType]) -> Iterator[Demand]:
        """Demand that the axes before the last two broadcast."""
        known: dict[int, tuple[str, Size]] = {}  # by axis: what is no 1, and whose it is
        for number, (argument, shape) in enumerate(zip(inputs, self._fronts(*inputs.values()), strict=True)):
            for axis in range(-len(shape), 0):
                first, left = known.get(axis, (argument, 1))
                if left != 1 and shape[axis] != 1:
                    what = f"size in dimension {axis - 2}"
                    yield self.same(what, first, left, argument, shape[axis], number)
                elif shape[axis] != 1:
                    known[axis] = argument, shape[axis]

    def _mask_demands(self, query: TensorType, key: TensorType, mask: TensorType) -> Iterator[Demand]:
        front = broadcast(self._fronts(query, key))
        scores = TensorType((*front, query.known[-2], key.known[-2]))
        self.need_mask("attn_mask", 3, mask, query.dtype, "is_causal" if self.is_causal else None)
        wrong = self.wrong_mask("attn_mask", 3, mask, f"a mask that stretches to {scores}")
        if not 2 <= mask.rank <= scores.rank:
            raise wrong
        for wanted, size in zip(scores.known[-mask.rank :], mask.known, strict=True):
            if size != 1:
                yield Same(wanted, size, wrong)

    def _fronts(self, query: TensorType, *others: TensorType) -> tuple[Shape, ...]:
        """The axes before the last two; heads that are shared count as often as they serve."""
        if not self.enable_gqa:
            return tuple(x.known[:-2] for x in (query, *others))
        return tuple((*x.known[:-3], query.known[-3]) for x in (query, *others))

    def infer(self, query: TensorType, key: TensorType, value: TensorType, *_: TensorType) -> TensorType:
        front = broadcast(self._fronts(query, key, value))
        return query.with_shape((*front, query.known[-2], value.known[-1]))

    def cost(self, query: TensorType, key: TensorType, value: TensorType, *_: TensorType) -> Cost:
        pairs = query.known[-2] * key.known[-2]
        scores = product(broadcast(self._fronts(query, key))) * query.known[-1]
        values = product(broadcast(self._fronts(query, key, value))) * value.known[-1]
        return Cost(macs=pairs * (scores + values))

    def build(self, *inputs: TensorType) -> nn.Module:
        from netspec.torch_backend.attention import ScaledDotProductAttention as Module

        return Module(self.dropout_p, self.is_causal, self.scale, self.enable_gqa)

    def lower(
        self, graph: Emitter, query: str, key: str, value: str, attn_mask: str = "", *, weights: Weights
    ) -> str:
        from netspec.onnx_backend.attending import (
            attend,
            causal_mask,
            over_root,
            real_mask,
            zero_where_nothing_is_attended,
        )

        of_query, of_key, of_value = (graph.type(x) for x in (query, key, value))
        dtype, mask = of_query.dtype, attn_mask
        if self.is_causal:
            mask = causal_mask(graph, of_query.known[-2], of_key.known[-2], dtype)
        elif attn_mask and graph.type(attn_mask).dtype is DType.BOOL:
            mask = real_mask(graph, attn_mask, dtype, takes_part=True)
        if self.scale is None:
            queries = over_root(graph, query, as_number(of_query.known[-1]), dtype)
        else:
            queries = graph.node("Mul", query, graph.constant(self.scale, dtype))
        axes = range(of_key.rank)
        keys = self._served(graph, key, of_query, of_key)
        keys = graph.node("Transpose", keys, perm=[*axes[:-2], axes[-1], axes[-2]])
        y, _ = attend(graph, queries, keys, self._served(graph, value, of_query, of_value), mask)
        return zero_where_nothing_is_attended(graph, y, attn_mask and mask, dtype) if attn_mask else y

    def _served(self, graph: Emitter, x: str, query: TensorType, own: TensorType) -> str:
        """Keys or values, every head repeated for those of the queries that it serves."""
        if not self.enable_gqa or query.known[-3] == own.known[-3]:
            return x
        served, heads = (as_number(x.known[-3]) for x in (query, own))
        repeated = [number // (served // heads) for number in range(served)]
        return graph.node("Gather", x, graph.constant(repeated, DType.INT64), axis=own.rank - 3)


def _read(
    query: TensorType, key: TensorType | None, value: TensorType | None
) -> tuple[TensorType, TensorType]:
    """The types of key and value: a value left out is the key, a key left out is the query."""
    key = key or query
    return key, value or key


OPERATIONS = (MultiheadAttention, ScaledDotProductAttention)
