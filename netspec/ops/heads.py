"""Multi-head attention, as several operations have it: its inputs, its weights, its cost, its lowering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.ir.window import Window
from netspec.ops.base import Demand, Fault, Op, Same, Weight
from netspec.ops.faults import WrongDType

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Emitter, Weights


class HeadsUndivided(Diagnostic):
    """The features are dealt out to the heads, as many to each."""

    code = "NS380"
    message = "{argument} must divide the features: {heads} does not divide {features}: {input}"

    argument: str
    heads: int
    features: int
    input: TensorType

    @property
    def near(self) -> int:
        """The largest number up to `heads` that divides the features."""
        most = min(self.heads, self.features)
        return next(number for number in range(most, 0, -1) if self.features % number == 0)

    @property
    def help(self) -> str:
        return "{argument}: {near} divides {features}"


class MaskShape(Diagnostic):
    """A mask that does not say of every query and key whether they meet."""

    code = "NS381"
    message = "{argument} of {op} must be {wanted}, not {got}"

    op: str
    argument: str
    wanted: str
    got: TensorType


class MaskBesideCausal(Diagnostic):
    """`is_causal` makes the mask, so that there is no place for another."""

    code = "NS382"
    message = "{flag} makes the mask of {op}, which cannot take {argument} too"

    op: str
    flag: str
    argument: str

    @property
    def help(self) -> str:
        return "leave out one of them: {argument} may hold the causal mask as well"


class InputsDiffer(Diagnostic):
    """Inputs that attention reads together, and that differ where they must not."""

    code = "NS384"
    message = "{op} needs {first} and {other} of one {what}: {left} against {right}"

    op: str
    what: str
    first: str
    other: str
    left: Size
    right: Size

    @property
    def help(self) -> str:
        return _CURES.get(self.what, "")


_CURES = {
    "length": "a value belongs to every {first}: give both as many",
    "batch size": "all inputs hold the same samples",
    "width": "bring one of them to the other's width first, with Linear: {{out_features: {left}}}",
}


class Attending(Op):
    """What operations share that compare queries with keys."""

    def window(self, *inputs: TensorType | None) -> Window | None:
        return None

    def need_heads(self, argument: str, heads: int, x: TensorType) -> Iterator[Fault]:
        """NS380 unless the number of heads divides the features."""
        features = x.known[-1]
        if isinstance(features, int) and features % heads:
            fault = HeadsUndivided(argument=argument, heads=heads, features=features, input=x)
            yield Fault(fault, field=argument, input=0)

    def same(self, what: str, first: str, left: Size, other: str, right: Size, number: int) -> Same:
        """The demand that the input `other`, of this number, has as much of something as `first` has."""
        fault = InputsDiffer(
            op=type(self).__name__, what=what, first=first, other=other, left=left, right=right
        )
        return Same(left, right, Fault(fault, input=number))

    def need_mask(
        self, argument: str, number: int, mask: TensorType, dtype: DType, flag: str | None = None
    ) -> None:
        """Raise NS382 if the argument `flag` makes this mask, NS308 unless it has truth values or numbers."""
        op = type(self).__name__
        if flag:
            raise Fault(MaskBesideCausal(op=op, flag=flag, argument=argument), field=flag)
        if mask.dtype not in (DType.BOOL, dtype):
            expected, advice = f"a mask of truth values or of {dtype}", "put Cast: {dtype: bool} before it"
            wrong = WrongDType(op=op, expected=expected, dtype=mask.dtype, advice=advice)
            raise Fault(wrong, input=number)

    def wrong_mask(self, argument: str, number: int, mask: TensorType, wanted: str) -> Fault:
        """NS381 of the mask that is the input with this number."""
        fault = MaskShape(op=type(self).__name__, argument=argument, wanted=wanted, got=mask)
        return Fault(fault, input=number)

    def mask_demands(
        self,
        argument: str,
        number: int,
        mask: TensorType | None,
        dtype: DType,
        shapes: Mapping[str, Shape],
        flag: str | None = None,
    ) -> Iterator[Demand]:
        """NS308, NS381 and NS382 of a mask, if there is one; `shapes` has those that it may have."""
        if mask is None:
            return
        self.need_mask(argument, number, mask, dtype, flag)
        named = (f"{name} = {TensorType(shape)}" for name, shape in shapes.items())
        wrong = self.wrong_mask(argument, number, mask, " or ".join(named))
        shape = next((shape for shape in shapes.values() if len(shape) == mask.rank), None)
        if shape is None:
            raise wrong
        for left, right in zip(shape, mask.known, strict=True):
            yield Same(left, right, wrong)


class Heads(NamedTuple):
    """torch.nn.MultiheadAttention over inputs of known sizes.

    N sequences of L queries are compared with S keys. `prefix` stands before the names of its weights.
    """

    heads: int
    embed_dim: int
    kdim: int
    vdim: int
    batch: Size
    length: Size
    source: Size
    dtype: DType
    batch_first: bool
    bias: bool = True
    add_bias_kv: bool = False
    add_zero_attn: bool = False
    prefix: str = ""

    @property
    def packed(self) -> bool:
        """Whether the three projections are one weight."""
        return self.kdim == self.vdim == self.embed_dim

    @property
    def added(self) -> int:
        """How many keys the layer adds to those of every sequence."""
        return self.add_bias_kv + self.add_zero_attn

    @property
    def attended(self) -> Size:
        """How many keys there are."""
        return self.source + self.added

    def weights(self) -> tuple[Weight, ...]:
        """Its tensors, in the order of its state dict."""
        width = self.embed_dim
        if self.packed:
            shapes: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * width, width)}
        else:
            widths = {"q": width, "k": self.kdim, "v": self.vdim}
            shapes = {f"{name}_proj_weight": (width, features) for name, features in widths.items()}
        if self.bias:
            shapes["in_proj_bias"] = (3 * width,)
        if self.add_bias_kv:
            shapes |= {"bias_k": (1, 1, width), "bias_v": (1, 1, width)}
        shapes["out_proj.weight"] = (width, width)
        if self.bias:
            shapes["out_proj.bias"] = (width,)
        return tuple(Weight(self.prefix + name, shape, self.dtype) for name, shape in shapes.items())

    @property
    def macs(self) -> Size:
        """Multiply-adds of the four projections and of the two products of every head."""
        width = self.embed_dim
        projected = self.length * (2 * width) + self.source * (self.kdim + self.vdim)
        return self.batch * width * (projected + 2 * self.length * self.attended)

    def lower(
        self,
        graph: Emitter,
        inputs: tuple[str, str, str],
        mask: str,
        weights: Weights,
        *,
        zero_where_masked: bool,
    ) -> tuple[str, str]:
        """The output, as the query is laid out, and the attention (N, heads, L, S).

        `mask`, which is added, broadcasts to (N, heads, L, S); with `zero_where_masked` the heads give
        zero, not NaN, for queries that it keeps from every key.
        """
        from netspec.onnx_backend.attending import attend, over_root, zero_where_nothing_is_attended

        query, key, value = self._projected(graph, inputs, weights)
        if self.added:
            key, value = (self._lengthened(graph, x, name, weights) for x, name in ((key, "k"), (value, "v")))
        to_heads, back = ((0, 2, 1, 3), (0, 2, 1, 3)) if self.batch_first else ((1, 2, 0, 3), (2, 0, 1, 3))
        width = self.embed_dim // self.heads
        queries = over_root(graph, self._dealt(graph, query, to_heads), width, self.dtype)
        keys = self._dealt(graph, key, (*to_heads[:2], to_heads[3], to_heads[2]))
        y, attention = attend(graph, queries, keys, self._dealt(graph, value, to_heads), mask)
        if mask and zero_where_masked and not self.added:
            y = zero_where_nothing_is_attended(graph, y, mask, self.dtype)
        y = graph.node("Transpose", y, perm=back)
        y = graph.node("Reshape", y, graph.constant([0, 0, self.embed_dim], DType.INT64))
        bias = weights[f"{self.prefix}out_proj.bias"] if self.bias else ""
        return affine(graph, y, weights[f"{self.prefix}out_proj.weight"], bias), attention

    def _projected(self, graph: Emitter, inputs: tuple[str, str, str], weights: Weights) -> tuple[str, ...]:
        """Queries, keys and values, of one width."""
        thirds = graph.constant([self.embed_dim] * 3, DType.INT64)
        bias = weights[f"{self.prefix}in_proj_bias"] if self.bias else ""
        if self.packed and len(set(inputs)) == 1:
            y = affine(graph, inputs[0], weights[f"{self.prefix}in_proj_weight"], bias)
            return graph.nodes("Split", y, thirds, outputs=3, axis=-1)
        if self.packed:
            packed = weights[f"{self.prefix}in_proj_weight"]
            matrices = graph.nodes("Split", packed, thirds, outputs=3, axis=0)
        else:
            matrices = tuple(weights[f"{self.prefix}{name}_proj_weight"] for name in "qkv")
        biases = graph.nodes("Split", bias, thirds, outputs=3, axis=0) if bias else ("",) * 3
        return tuple(affine(graph, *third) for third in zip(inputs, matrices, biases, strict=True))

    def _lengthened(self, graph: Emitter, x: str, name: str, weights: Weights) -> str:
        """Keys or values, with those behind that the layer adds to every sequence."""
        vectors = [weights[f"{self.prefix}bias_{name}"]] if self.add_bias_kv else []
        if self.add_zero_attn:
            vectors.append(graph.constant(0.0, self.dtype))
        batch, one = (self.batch, 1) if self.batch_first else (1, self.batch)
        every = graph.shape((batch, one, self.embed_dim))
        added = [graph.node("Expand", vector, every) for vector in vectors]
        return graph.node("Concat", x, *added, axis=1 if self.batch_first else 0)

    def _dealt(self, graph: Emitter, x: str, perm: tuple[int, ...]) -> str:
        """Vectors dealt out to the heads, their four axes then rearranged."""
        parts = graph.constant([0, 0, self.heads, self.embed_dim // self.heads], DType.INT64)
        return graph.node("Transpose", graph.node("Reshape", x, parts), perm=perm)


def affine(graph: Emitter, x: str, weight: str, bias: str) -> str:
    """x W^T + b over the last axis; "" is no bias."""
    y = graph.node("MatMul", x, graph.node("Transpose", weight, perm=[1, 0]))
    return graph.node("Add", y, bias) if bias else y


def masked(graph: Emitter, heads: Heads, *, pairs: str, keys: str, causal: bool) -> str:
    """The masks as one that is added, and broadcasts to scores (N, heads, L, S); "" where there is none.

    pairs: (L, S) or (N * heads, L, S), keys: (N, S). What is true takes no part.
    """
    from netspec.onnx_backend.attending import causal_mask
    from netspec.onnx_backend.padding import padded

    parts, rank = [], 2
    if causal:
        parts.append(causal_mask(graph, heads.length, heads.source, heads.dtype))
    if pairs:
        parts.append(_added(graph, pairs, heads.dtype))
        if graph.type(pairs).rank == 3:
            single = graph.node("Unsqueeze", parts.pop(), graph.constant([1], DType.INT64))
            every = graph.constant([-1, heads.heads, 0, 0], DType.INT64)
            parts.append(graph.node("Reshape", single, every))
            rank = 4
    if keys:
        added = _added(graph, keys, heads.dtype)
        # Not Unsqueeze, which OpenCV knows of one axis at a time.
        parts.append(graph.node("Reshape", added, graph.constant([0, 1, 1, -1], DType.INT64)))
        rank = 4
    if not parts:
        return ""
    mask = parts[0] if len(parts) == 1 else graph.node("Add", *parts)
    # Keys that the layer adds are never masked.
    return padded(graph, mask, [(0, 0)] * (rank - 1) + [(0, heads.added)])


def _added(graph: Emitter, mask: str, dtype: DType) -> str:
    """A mask as numbers to add."""
    from netspec.onnx_backend.attending import real_mask

    if graph.type(mask).dtype is not DType.BOOL:
        return mask
    return real_mask(graph, mask, dtype, takes_part=False)
