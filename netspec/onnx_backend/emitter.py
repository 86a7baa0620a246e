"""What an operation's `lower` writes to: nodes, constants, and the weights of one layer."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netspec.ir.dim import Dim, Size
from netspec.ir.graph import Node
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.sizes import measured

Attribute = int | float | str | DType | Sequence[int] | Sequence[float] | Sequence[str]
"""What an ONNX attribute may hold here; a bool is written as an int, a DType as ONNX's number of it."""

Nested = int | float | Sequence["Nested"]
"""A number, or a nested sequence of numbers that is a full rectangle."""

# A slash stands in no name of a spec, and no operation's type begins with a digit.
CONSTANT_PREFIX = "constant/"

_FORMATS = {
    DType.FLOAT32: "f",
    DType.FLOAT16: "e",
    DType.FLOAT64: "d",
    DType.INT64: "q",
    DType.INT32: "i",
    DType.BOOL: "?",
}


@dataclass(slots=True)
class Emitted:
    """One ONNX node; its tensors are named when the whole graph is known."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """A small constant tensor: its elements in little-endian order."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    raw: bytes


class Emitter:
    """The ONNX graph as it grows, one layer at a time.

    `opset` is the version that `lower` writes for; `symbols` says of which input each symbolic dimension is
    an axis. The tensors that `node` and `nodes` return are
    placeholders: a layer's outputs take the names of the spec once `lower` has returned.
    """

    def __init__(self, opset: int, symbols: Mapping[str, tuple[str, int]] | None = None) -> None:
        self.opset = opset
        self._symbols = symbols or {}
        self._sizes: dict[Dim, str] = {}
        self._shapes: dict[str, str] = {}
        self.emitted: list[Emitted] = []
        self.constants: dict[tuple[DType, tuple[int, ...], bytes], Constant] = {}
        self._types: Mapping[str, TensorType] = {}
        self._read: Collection[int] = ()
        self._fresh = 0

    def node(self, op_type: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node with one output and return the output's name; an input `""` is left out."""
        return self.nodes(op_type, *inputs, outputs=1, **attributes)[0]

    def nodes(self, op_type: str, *inputs: str, outputs: int, **attributes: Attribute) -> tuple[str, ...]:
        """Add a node with several outputs and return their names."""
        start = self._fresh
        self._fresh = start + outputs
        # A percent sign stands in no name of a spec.
        names = tuple([f"%{number}" for number in range(start, start + outputs)])
        self.emitted.append(Emitted(op_type, inputs, names, attributes))
        return names

    def constant(self, value: Nested, dtype: DType) -> str:
        """The name of an initializer that holds a constant; equal constants are one initializer.

        Args:
            value: a number (shape ()), or a nested sequence of numbers.
            dtype: the elements' type; a real number is rounded to it, to nearest even.
        """
        shape = _shape(value)
        flat = tuple(_flatten(value, shape))
        raw = _pack(flat, dtype)
        key = (dtype, shape, raw)
        known = self.constants.get(key)
        if known is None:
            known = Constant(f"{CONSTANT_PREFIX}{len(self.constants) + 1}", dtype, shape, raw)
            self.constants[key] = known
        return known.name

    def size(self, size: Size) -> str:
        """The name of an int64 tensor of shape (1,) that holds a size, read from the inputs if symbolic."""
        if isinstance(size, int):
            return self.constant([size], DType.INT64)
        assert isinstance(size, Dim)
        known = self._sizes.get(size)
        if known is None:
            known = self._sizes[size] = measured(self, size, self._symbols)
        return known

    def shape(self, sizes: Sequence[Size]) -> str:
        """The name of an int64 tensor that holds a whole shape; one constant where no size is symbolic."""
        fixed = [size for size in sizes if isinstance(size, int)]
        if len(fixed) == len(sizes):
            return self.constant(fixed, DType.INT64)
        return self.node("Concat", *(self.size(size) for size in sizes), axis=0)

    def lengths(self, tensor: str, *axes: int) -> str:
        """The name of an int64 tensor of shape (n,) that holds the lengths of n axes of a tensor."""
        # Shape can leave out the others itself, but OpenCV 4 overlooks that, and takes them all.
        whole = self._shapes.get(tensor)
        if whole is None:
            whole = self._shapes[tensor] = self.node("Shape", tensor)
        return self.node("Gather", whole, self.constant(axes, DType.INT64), axis=0)

    def type(self, tensor: str) -> TensorType:
        """The type of a tensor that the layer was given."""
        return self._types[tensor]

    def is_read(self, port: int) -> bool:
        """Whether anything reads the layer's output with this index; `lower` may give `""` for it if not."""
        return port in self._read

    def enter(self, types: Mapping[str, TensorType], read: Collection[int]) -> None:
        """Begin a layer: the types of its input tensors and the indices of its ports that are read."""
        self._types = types
        self._read = read


class Weights:
    """The weights of one layer, as names of initializers.

    `weights["weight"]` is `LAYER.weight`, and puts that tensor into the file when it is first asked for.
    """

    __slots__ = ("_declared", "_layer", "_used")

    def __init__(self, layer: Node, used: dict[str, Node]) -> None:
        self._layer = layer
        self._declared = frozenset(weight.name for weight in layer.op.weights(*layer.input_types))
        self._used = used

    def __getitem__(self, name: str) -> str:
        if name not in self._declared:
            raise KeyError(f"{type(self._layer.op).__name__} declares no weight {name!r}")
        full = f"{self._layer.owner}.{name}"
        self._used[full] = self._layer
        return full

    def __contains__(self, name: str) -> bool:
        return name in self._declared


def _shape(value: Nested) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, Sequence):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(value: Nested, shape: tuple[int, ...]) -> Iterator[int | float]:
    if not isinstance(value, Sequence):
        if shape:
            raise ValueError("a constant's rows differ in depth")
        yield value
        return
    if not shape or len(value) != shape[0]:
        raise ValueError("a constant's rows differ in length")
    for row in value:
        yield from _flatten(row, shape[1:])


def _pack(flat: Sequence[int | float], dtype: DType) -> bytes:
    if dtype is DType.BFLOAT16:
        return b"".join(_bfloat16(number) for number in flat)
    return struct.pack(f"<{len(flat)}{_FORMATS[dtype]}", *flat)


def _bfloat16(number: float) -> bytes:
    """The upper half of the float32, rounded to nearest even."""
    bits = int.from_bytes(struct.pack("<f", number), "little")
    if number != number:
        return b"\xc0\x7f"
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).to_bytes(2, "little")
