"""An operation's example: a line of its docstring, from which a spec is made, checked and lowered.

    Example: (N, 3, 32, 32) -> Conv2d: {out_channels: 8, kernel_size: 3} -> (N, 8, 30, 30)

Inputs, steps and outputs stand in the order in which data flow. A step reads what no step before it has
read: the inputs, and all that the steps before it give. A tensor is a shape, behind it its elements' type
where that is not float32, as in `(N, T) of int64`. The name before one is the argument that it is given
for, as in `query (N, T, 64), attn_mask (T, T)`, or the port that it comes from.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from string import ascii_lowercase
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.graph import Graph, Node
from netspec.ir.tensor import UNKNOWN_TYPE, DType, TensorType
from netspec.ops.catalogue import find
from netspec.pipeline import check_text

WIDTH = 76  # columns of a spec, where what stands on one line can be broken

_ARROW = " -> "
_TENSOR = re.compile(r"(?:(\w+) )?\(([^()]*)\)(?: of (\w+))?")
_TENSORS = re.compile(rf"{_TENSOR.pattern}(?:, {_TENSOR.pattern})*")


class WrongExample(Diagnostic):
    """An example that is not written as examples are, or that gives something else than it says."""

    code = "NS398"
    message = "the example of {op} does not hold: {problem}"

    op: str
    problem: str

    @property
    def help(self) -> str:
        return "this is one: (N, 3, 32, 32) -> Conv2d: {{out_channels: 8, kernel_size: 3}} -> (N, 8, 30, 30)"


class Lowering(NamedTuple):
    """The ONNX operators of a layer, in their order, from one opset to another."""

    first: int
    last: int
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """The spec of an example, the layer in it that shows the operation, and what it gives, by port."""

    spec: str
    graph: Graph
    layer: Node
    outputs: tuple[tuple[str, TensorType], ...]

    @property
    def gives(self) -> str:
        """What comes out, as an example says it; the port `output` goes without saying."""
        return ", ".join(f"{port} {typed(t)}" if port != "output" else typed(t) for port, t in self.outputs)

    @cached_property
    def lowering(self) -> tuple[Lowering, ...]:
        """What the layer becomes in every opset; nothing where torch's exporter writes one of the layers."""
        from netspec.onnx_backend.lower import lower
        from netspec.onnx_backend.opset import OLDEST_OPSET, newest_opset

        if not all(node.op.is_lowered for node in self.graph):
            return ()
        found = []
        for opset in range(OLDEST_OPSET, newest_opset(None) + 1):
            nodes = lower(self.graph, opset).nodes
            found.append((opset, tuple(node.op_type for node in nodes if self._is_of_layer(node.name))))
        runs = ((operators, list(run)) for operators, run in groupby(found, key=lambda item: item[1]))
        return tuple(Lowering(run[0][0], run[-1][0], operators) for operators, run in runs)

    def _is_of_layer(self, node: str) -> bool:
        layer, _, part = node.partition("/")
        return layer == self.layer.name and part != "output"  # which only gives an output its name


def typed(type: TensorType) -> str:
    """A tensor as an example shows it."""
    return f"{type}" if type.dtype is DType.FLOAT32 else f"{type} of {type.dtype}"


def example(op: str, text: str) -> Example:
    """Make a spec of the example of an operation, check it, and hold what it gives against what is said.

    Errors: NS398, and whatever is wrong with the spec.
    """
    first, *steps, said = text.split(_ARROW)
    if not steps or not _TENSORS.fullmatch(first):
        raise DiagnosticError(WrongExample(op=op, problem="it is not INPUTS -> STEP -> OUTPUTS"))
    given = [_Given(*found) for found in _TENSOR.findall(first)]
    draft = _Draft(op, _named(given, steps), by_argument=any(item.argument for item in given))
    for step in steps:
        draft.add(step)
    shown = draft.finished()
    if shown.gives != said:
        raise DiagnosticError(WrongExample(op=op, problem=f"it says {said}, and gives {shown.gives}"))
    return shown


class _Given(NamedTuple):
    """An input: the argument that it is given for if that is said, its sizes as written, its dtype."""

    argument: str
    sizes: str
    dtype: str

    @property
    def section(self) -> str:
        """What stands under the input's name in a spec."""
        return f"{{shape: [{self.sizes}], dtype: {self.dtype}}}" if self.dtype else f"[{self.sizes}]"


def _named(given: Sequence[_Given], steps: Iterable[str]) -> dict[str, _Given]:
    """The inputs by name; where there are several, they are called as the arguments that they are for."""
    if len(given) == 1 and not given[0].argument:
        return {"x": given[0]}
    found = (find(_called(step)) for step in steps)
    reader = next((operation for operation in found if operation and operation.arguments), None)
    usual = reader.arguments if reader and len(reader.arguments) >= len(given) else tuple(ascii_lowercase)
    return {item.argument or name: item for item, name in zip(given, usual, strict=False)}


def _called(step: str) -> str:
    return step.partition(":")[0]


class _Tensor(NamedTuple):
    """What a step may read: how `from` calls it, and which port of which type it is."""

    reference: str
    port: str = "output"
    type: TensorType = UNKNOWN_TYPE


class _Draft:
    """A spec as it grows: only when a step is checked is known which ports it has."""

    def __init__(self, op: str, inputs: Mapping[str, _Given], *, by_argument: bool) -> None:
        self.op = op
        self.lines = [
            "netspec: 1",
            *_section("inputs", {name: inputs[name].section for name in inputs}),
            "layers:",
        ]
        self.unread = [_Tensor(name) for name in inputs]
        self.by_argument = by_argument
        self.graph: Graph | None = None

    def add(self, step: str) -> None:
        """Add a step that reads what is unread, and check all that there is by now."""
        operation = find(_called(step))
        is_source = operation is not None and not operation.arguments
        self._write(step, [] if is_source else [tensor.reference for tensor in self.unread])
        kept = self.unread if is_source else []
        outputs = {f"kept_{number}": tensor.reference for number, tensor in enumerate(kept)}
        self.graph = self._checked({**outputs, "made": "prev"} if kept else {})
        node = self.graph.nodes[-1]
        ports = zip(node.op.ports(*node.input_types), node.outputs, strict=True)
        made = (
            _Tensor(node.name if port == "output" else f"{node.name}.{port}", port, value.type)
            for port, value in ports
        )
        self.unread = [*kept, *made]

    def _write(self, step: str, read: list[str]) -> None:
        above = self.graph.nodes[-1].name if self.graph else "x"
        if read in ([], [above]) and not self.by_argument:
            self.lines.append(f"  - {step}")
            return
        names = ["prev" if self.graph and name == above else name for name in read]
        if self.by_argument and self.graph is None:
            given = "{" + ", ".join(f"{name}: {name}" for name in names) + "}"
        else:
            given = "[" + ", ".join(names) + "]"
        self.lines += [f"  - {step}" if ":" in step else f"  - {step}:", f"    from: {given}"]

    def finished(self) -> Example:
        """The example, with everything for an output that no step has read."""
        assert self.graph is not None
        nodes = [node for node in self.graph if type(node.op).__name__ == self.op]
        if not nodes:
            raise DiagnosticError(WrongExample(op=self.op, problem=f"it has no step {self.op}"))
        outputs: dict[str, str] = {}
        if [tensor.reference for tensor in self.unread] != [self.graph.nodes[-1].name]:
            outputs = {_output(tensor.port): tensor.reference for tensor in self.unread}
            self.graph = self._checked(outputs)
        found = Example(self._text(outputs), self.graph, nodes[-1], tuple(t[1:] for t in self.unread))
        foot = textwrap.wrap(f"gives {found.gives}", WIDTH - 2, break_long_words=False)
        return replace(found, spec="\n".join([found.spec, *(f"# {line}" for line in foot)]))

    def _checked(self, outputs: Mapping[str, str]) -> Graph:
        return check_text(self._text(outputs), f"{self.op}_example", format="yaml").graph

    def _text(self, outputs: Mapping[str, str]) -> str:
        return "\n".join([*self.lines, *_section("outputs", outputs)])


def _output(port: str) -> str:
    """What an output is called: as its port, unless that is a number."""
    return port if port.isidentifier() else f"part_{port}"


def _section(key: str, entries: Mapping[str, str]) -> list[str]:
    """A section of names and values; nothing where there are none."""
    if not entries:
        return []
    pairs = [f"{name}: {value}" for name, value in entries.items()]
    line = f"{key}: {{{', '.join(pairs)}}}"
    return [line] if len(line) <= WIDTH else [f"{key}:", *(f"  {pair}" for pair in pairs)]
