"""Recurrences: layers that read a sequence step by step and keep a state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from netspec.diagnostics import Diagnostic, Severity
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import TensorType
from netspec.ops.arguments import Bool, Expected, NonNegativeInt, PositiveInt, Probability
from netspec.ops.base import Demand, Fault, Same, Weight
from netspec.ops.broadcasting import need_one_type
from netspec.ops.faults import WrongRank, as_declared
from netspec.ops.sequences import Sequential, as_number

if TYPE_CHECKING:
    from torch import nn

    from netspec.onnx_backend.emitter import Emitter, Weights

Nonlinearity = Annotated[Literal["tanh", "relu"], Expected("tanh or relu")]


class StateShape(Diagnostic):
    """An initial state that is not one vector for every layer, direction and sequence."""

    code = "NS385"
    message = "{argument} of {op} must be {wanted}, not {got}"

    op: str
    argument: str
    wanted: TensorType
    got: TensorType

    @property
    def help(self) -> str:
        return "its dimensions are layers times directions, batch and hidden size, with batch_first too"


class IdleDropout(Diagnostic):
    """Dropout between layers where there is one layer: allowed, and without effect."""

    code = "NS386"
    severity = Severity.WARNING
    message = "dropout acts between the layers of {op}, which has one: it does nothing"

    op: str

    @property
    def help(self) -> str:
        return "put a Dropout step behind it, or raise num_layers"


class ProjectionTooWide(Diagnostic):
    """A projection that does not make the state narrower."""

    code = "NS387"
    message = "proj_size must be smaller than hidden_size: {proj_size} against {hidden_size}"

    proj_size: int
    hidden_size: int

    @property
    def help(self) -> str:
        return "leave proj_size out to have no projection"


class Recurrent(Sequential):
    """What RNN, LSTM and GRU share."""

    arguments: ClassVar[tuple[str, ...]] = ("input", "h_0")
    optional: ClassVar[int] = 1
    order: ClassVar[tuple[int, ...]]
    """Where in torch's weights each of ONNX's gates stands."""

    if TYPE_CHECKING:
        input_size: int | None
        hidden_size: int
        num_layers: int
        bias: bool
        dropout: float
        bidirectional: bool

    @property
    def directions(self) -> tuple[str, ...]:
        """The endings of the weights' names, one a direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def width(self) -> int:
        """The features of the state that every step gives out."""
        return self.hidden_size

    def ports(self, *inputs: TensorType | None) -> tuple[str, ...]:
        return ("output", "h_n")

    def demands(self, x: TensorType, *states: TensorType | None) -> Iterator[Demand]:
        op = type(self).__name__
        self.need_sequences(x)
        yield from as_declared("input_size", self.input_size, x.known[2], x)
        wanted = self._state_types(x)
        for number, (state, expected) in enumerate(zip(states, wanted, strict=False), start=1):
            if state is None:
                continue
            argument = self.arguments[number]
            if state.rank != 3:
                advice = "put Unsqueeze: {dim: 0} before it" if state.rank == 2 else ""
                fault = WrongRank(op=op, expected=f"an {argument} like {expected}", got=state, advice=advice)
                raise Fault(fault, input=number)
            need_one_type(op, x, state)
            unlike = Fault(StateShape(op=op, argument=argument, wanted=expected, got=state), input=number)
            for left, right in zip(expected.known, state.known, strict=True):
                yield Same(left, right, unlike)

    def remarks(self, x: TensorType, *others: TensorType | None, **_: Any) -> Iterator[Fault]:
        yield from super().remarks(x, *others)
        if self.dropout and self.num_layers == 1:
            yield Fault(IdleDropout(op=type(self).__name__), field="dropout")

    def _state_types(self, x: TensorType) -> tuple[TensorType, ...]:
        """The types of the states, initial and final."""
        batch, _ = self.extents(x)
        return (x.with_shape((self.num_layers * len(self.directions), batch, self.width)),)

    def infer(self, x: TensorType, *states: TensorType | None) -> tuple[TensorType, ...]:
        features = len(self.directions) * self.width
        return x.with_shape(self.arranged(*self.extents(x), features)), *self._state_types(x)

    def _read(self, x: TensorType, layer: int) -> int:
        """How many features a layer reads: the input's, or what all directions of the one before give."""
        return len(self.directions) * self.width if layer else as_number(x.known[2])

    def weights(self, x: TensorType, *states: TensorType | None) -> tuple[Weight, ...]:
        gates = len(self.order) * self.hidden_size
        tensors = []
        for layer in range(self.num_layers):
            for ending in self.directions:
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gates, self._read(x, layer)),
                    "weight_hh": (gates, self.width),
                }
                if self.bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if self.width != self.hidden_size:
                    shapes["weight_hr"] = (self.width, self.hidden_size)
                tensors += [
                    Weight(f"{name}_l{layer}{ending}", shape, x.dtype) for name, shape in shapes.items()
                ]
        return tuple(tensors)

    def cost(self, x: TensorType, *others: TensorType | None) -> Cost:
        batch, length = self.extents(x)
        matrices = (weight for weight in self.weights(x) if weight.name.startswith("weight"))
        return Cost(macs=batch * length * sum(rows * columns for _, (rows, columns), *_ in matrices))

    def _module_arguments(self, x: TensorType) -> dict[str, Any]:
        from netspec.torch_backend.dtypes import torch_dtype

        return {
            "input_size": as_number(x.known[2]),
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "bias": self.bias,
            "batch_first": self.batch_first,
            # torch warns of dropout that has no layer to stand behind; netspec has done so itself.
            "dropout": self.dropout if self.num_layers > 1 else 0.0,
            "bidirectional": self.bidirectional,
            "dtype": torch_dtype(x.dtype),
        }

    def lower(self, graph: Emitter, x: str, *states: str, weights: Weights) -> tuple[str, ...]:
        from netspec.onnx_backend.recurring import at_rest, joined, parted, side_by_side

        batch, length = self.extents(graph.type(x))
        dtype = graph.type(x).dtype
        if self.batch_first:
            x = graph.node("Transpose", x, perm=(1, 0, 2))
        count = len(self.directions)
        given = (*states, *[""] * (len(self.arguments) - 1 - len(states)))
        initial = zip(*(parted(graph, state, self.num_layers, count) for state in given), strict=True)
        rest = ""
        if "" in given and self.width == self.hidden_size:
            rest = at_rest(graph, count, batch, self.hidden_size, dtype)
        final: list[tuple[str, ...]] = []
        for layer, before in enumerate(initial):
            states = tuple(state or rest for state in before)
            y, *after = self._layer(graph, layer, x, length, states, weights)
            final.append(tuple(after))
            batch_first = self.batch_first and layer == self.num_layers - 1
            x = side_by_side(graph, y, count * self.width, count, batch_first=batch_first)
        ports = enumerate(zip(*final, strict=True), start=1)
        return x, *(joined(graph, parts, 0) if graph.is_read(port) else "" for port, parts in ports)

    def _layer(
        self, graph: Emitter, layer: int, x: str, length: Size, states: tuple[str, ...], weights: Weights
    ) -> tuple[str, ...]:
        """What one layer gives: all of its states (L, directions, N, H), and the last of each kind."""
        from netspec.onnx_backend.recurring import gates

        def own(*names: str) -> list[str]:
            return [weights[f"{name}_l{layer}{ending}"] for ending in self.directions for name in names]

        count, rows = len(self.directions), len(self.order) * self.hidden_size
        matrices = (
            gates(graph, own(name), self.order, (count, rows, -1)) for name in ("weight_ih", "weight_hh")
        )
        bias = gates(graph, own("bias_ih", "bias_hh"), self.order, (count, -1)) if self.bias else ""
        direction = "bidirectional" if self.bidirectional else "forward"
        return self._node(graph, x, *matrices, bias, *states, direction=direction)

    def _node(self, graph: Emitter, *inputs: str, direction: str) -> tuple[str, ...]:
        """ONNX's operator on an input, its two weights, its bias, and initial states; each may be ""."""
        x, inner, outer, bias, *states = inputs
        return graph.nodes(
            type(self).__name__,
            *(x, inner, outer, bias, "", *states),
            outputs=1 + len(states),
            hidden_size=self.hidden_size,
            direction=direction,
            **self._attributes(),
        )

    def _attributes(self) -> dict[str, Any]:
        """What ONNX's operator is told beside its size and direction."""
        return {}


class RNN(Recurrent):
    """Plain recurrence, (L, N, C), (D * num_layers, N, H) -> (L, N, D * H).

    h' = tanh(W x + b + R h + c) step by step, or with max(0, .) for tanh; layer upon layer, D = 2 where it
    is bidirectional, else 1. With `batch_first` the sequences are (N, L, C); states keep their layout. An
    initial state left out is zero.

    Ports:   output; h_n (D * num_layers, N, H), the last states.
    Cost:    H (C + H) multiply-adds a step, for every layer and direction; C is D * H behind the first.
    Errors:  NS385 a state's shape; NS305 input_size differs from C; NS306 C is symbolic; NS383 (warning)
             the batch stands first; NS386 (warning) dropout with one layer.
    Source:  torch.nn.RNN; ONNX RNN-14.
    Example: (N, T, 40) -> RNN: {hidden_size: 64, batch_first: true} -> (N, T, 64), h_n (1, N, 64)
    """

    order = (0,)

    input_size: PositiveInt | None = None
    hidden_size: PositiveInt
    num_layers: PositiveInt = 1
    nonlinearity: Nonlinearity = "tanh"
    bias: Bool = True
    batch_first: Bool = False
    dropout: Probability = 0.0
    bidirectional: Bool = False

    def build(self, x: TensorType, *states: TensorType | None) -> nn.Module:
        from torch import nn

        return nn.RNN(nonlinearity=self.nonlinearity, **self._module_arguments(x))

    def _attributes(self) -> dict[str, Any]:
        return {"activations": [self.nonlinearity.capitalize()] * len(self.directions)}


class GRU(Recurrent):
    """Gated recurrence, (L, N, C), (D * num_layers, N, H) -> (L, N, D * H).

    r, z = sigmoid(W x + b + R h + c), n = tanh(W x + b + r (R h + c)), h' = (1 - z) n + z h step by step;
    layer upon layer, D = 2 where it is bidirectional, else 1. With `batch_first` the sequences are
    (N, L, C); states keep their layout. An initial state left out is zero.

    Ports:   output; h_n (D * num_layers, N, H), the last states.
    Cost:    3 H (C + H) multiply-adds a step, for every layer and direction; C is D * H behind the first.
    Errors:  NS385 a state's shape; NS305 input_size differs from C; NS306 C is symbolic; NS383 (warning)
             the batch stands first; NS386 (warning) dropout with one layer.
    Source:  torch.nn.GRU; ONNX GRU-14 with linear_before_reset, its gates z, r, h.
    Example: (N, T, 40) -> GRU: {hidden_size: 64, bidirectional: true, batch_first: true}
             -> (N, T, 128), h_n (2, N, 64)
    """

    order = (1, 0, 2)

    input_size: PositiveInt | None = None
    hidden_size: PositiveInt
    num_layers: PositiveInt = 1
    bias: Bool = True
    batch_first: Bool = False
    dropout: Probability = 0.0
    bidirectional: Bool = False

    def build(self, x: TensorType, *states: TensorType | None) -> nn.Module:
        from torch import nn

        return nn.GRU(**self._module_arguments(x))

    def _attributes(self) -> dict[str, Any]:
        return {"linear_before_reset": 1}


class LSTM(Recurrent):
    """Long short-term memory, (L, N, C), (D * num_layers, N, P), (D * num_layers, N, H) -> (L, N, D * P).

    i, f, o = sigmoid(W x + b + R h + c), g = tanh(W x + b + R h + c), c' = f c + i g, h' = o tanh(c') step by
    step, or V o tanh(c') of width P = proj_size where that is not 0, else P = H; layer upon layer, D = 2
    where it is bidirectional, else 1. With `batch_first` the sequences are (N, L, C); states keep their
    layout. An initial state left out is zero.

    Ports:   output; h_n (D * num_layers, N, P) and c_n (D * num_layers, N, H), the last states.
    Cost:    4 H (C + P) multiply-adds a step, and H P where it projects, for every layer and direction; C is
             D * P behind the first.
    Errors:  NS385 a state's shape; NS387 proj_size not below hidden_size; NS305 input_size differs from C;
             NS306 C is symbolic; NS383 (warning) the batch stands first; NS386 (warning) dropout with one
             layer.
    Source:  torch.nn.LSTM; ONNX LSTM-14, its gates i, o, f, c. It has no projection: there R V is one matrix.
    Example: (N, T, 40) -> LSTM: {hidden_size: 64, batch_first: true}
             -> (N, T, 64), h_n (1, N, 64), c_n (1, N, 64)
    """

    arguments: ClassVar[tuple[str, ...]] = ("input", "h_0", "c_0")
    optional: ClassVar[int] = 2
    order = (0, 3, 1, 2)

    input_size: PositiveInt | None = None
    hidden_size: PositiveInt
    num_layers: PositiveInt = 1
    bias: Bool = True
    batch_first: Bool = False
    dropout: Probability = 0.0
    bidirectional: Bool = False
    proj_size: NonNegativeInt = 0

    @property
    def width(self) -> int:
        return self.proj_size or self.hidden_size

    def ports(self, *inputs: TensorType | None) -> tuple[str, ...]:
        return ("output", "h_n", "c_n")

    def demands(self, x: TensorType, *states: TensorType | None) -> Iterator[Demand]:
        if self.proj_size >= self.hidden_size:
            fault = ProjectionTooWide(proj_size=self.proj_size, hidden_size=self.hidden_size)
            raise Fault(fault, field="proj_size")
        yield from super().demands(x, *states)

    def _state_types(self, x: TensorType) -> tuple[TensorType, ...]:
        (h,) = super()._state_types(x)
        return h, x.with_shape((*h.known[:2], self.hidden_size))

    def build(self, x: TensorType, *states: TensorType | None) -> nn.Module:
        from netspec.torch_backend import recurrence

        return recurrence.LSTM(proj_size=self.proj_size, **self._module_arguments(x))

    def _layer(
        self, graph: Emitter, layer: int, x: str, length: Size, states: tuple[str, ...], weights: Weights
    ) -> tuple[str, ...]:
        if not self.proj_size:
            return super()._layer(graph, layer, x, length, states, weights)
        from netspec.onnx_backend.recurring import joined, parted

        parts = zip(*(parted(graph, state, len(self.directions), 1) for state in states), strict=True)
        given = [
            self._projected(graph, f"_l{layer}{ending}", x, length, part, weights)
            for ending, part in zip(self.directions, parts, strict=True)
        ]
        y, *after = zip(*given, strict=True)
        return joined(graph, y, 1), *(joined(graph, state, 0) for state in after)

    def _projected(
        self, graph: Emitter, name: str, x: str, length: Size, states: tuple[str, ...], weights: Weights
    ) -> tuple[str, str, str]:
        """One direction of a layer: the states before the projection V recur through R V, which is exact.

        What the initial state, which is no V h, adds to the first step comes in as a part of its input.
        """
        from netspec.onnx_backend.recurring import beside_first, gates

        reverse = name.endswith("_reverse")
        inner, outer, projection = (weights[f"weight_{kind}{name}"] for kind in ("ih", "hh", "hr"))
        h_0, c_0 = states
        if h_0:
            x = beside_first(graph, x, h_0, length, reverse=reverse)
            inner = graph.node("Concat", inner, outer, axis=1)
        shape = (1, len(self.order) * self.hidden_size, -1)
        outer = graph.node("MatMul", outer, projection)
        matrices = (gates(graph, [matrix], self.order, shape) for matrix in (inner, outer))
        bias = ""
        if self.bias:
            biases = [weights[f"bias_{kind}{name}"] for kind in ("ih", "hh")]
            bias = gates(graph, biases, self.order, (1, -1))
        direction = "reverse" if reverse else "forward"
        y, h, c = self._node(graph, x, *matrices, bias, "", c_0, direction=direction)
        down = graph.node("Transpose", projection, perm=[1, 0])
        return graph.node("MatMul", y, down), graph.node("MatMul", h, down), c


OPERATIONS = (RNN, LSTM, GRU)
