"""The consistency gate: the file says what the graph says, and every engine agrees on the shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto

from netspec.diagnostics import Diagnostic, printable
from netspec.ir.graph import Graph
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.onnx_backend.read import Model
from netspec.verify.inputs import Dimensions, bindings
from netspec.verify.oracle import Oracle
from netspec.verify.tolerance import Array

ELEMENT_NAMES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.BOOL: "bool",
}


UNFORESEEN = (ValueError, RuntimeError, TypeError)
"""What onnx's C++ raises besides, on element types that there are not and the like."""


class CheckerRefuses(Diagnostic):
    """onnx's checker or its shape inference finds the file invalid."""

    code = "NS520"
    message = "onnx's checker refuses the file: {reason}"

    reason: str

    @property
    def help(self) -> str:
        if "unsupported type: tensor(bfloat16)" not in self.reason:
            return ""
        return "operators take bfloat16 from opset 22 on, at the latest: --opset 22"


class RuntimeRefuses(Diagnostic):
    """onnxruntime does not load or run the file."""

    code = "NS521"
    message = "onnxruntime {version} ({lane}) refuses the file: {reason}"

    version: str
    lane: str
    reason: str

    @property
    def help(self) -> str:
        if "Could not find an implementation" not in self.reason:
            return ""
        return "it lacks this operator for these element types: give the inputs the dtype float32"


class InterfaceDiffers(Diagnostic):
    """An input or output of the file is not the one that the spec declares."""

    code = "NS522"
    message = "the file's {what} {verb} {got}, but the spec says {expected}"

    what: str
    expected: str
    got: str

    @property
    def verb(self) -> str:
        return "are" if self.what.endswith("s") else "is"


class ShapeDiffers(Diagnostic):
    """netspec's rules and an engine disagree on an output's shape or dtype."""

    code = "NS523"
    message = "{engine} gives {output} as {got}, but netspec infers {expected}{where}"

    engine: str
    output: str
    expected: str
    got: str
    values: Mapping[str, int]

    @property
    def where(self) -> str:
        return _where(self.values)


class TorchRefuses(Diagnostic):
    """The PyTorch module does not run at values of the symbols that the spec admits."""

    code = "NS524"
    message = "PyTorch cannot run the network{where}: {reason}"

    values: Mapping[str, int]
    reason: str

    @property
    def where(self) -> str:
        return _where(self.values)

    @property
    def help(self) -> str:
        return "if the network should not take such sizes, say so under dims:" if self.values else ""


class WeightMissing(Diagnostic):
    """A parameter of the network is not in the file."""

    code = "NS525"
    message = "the file has no initializer {name}"

    name: str


class WeightDiffers(Diagnostic):
    """An initializer is not, bit for bit, the parameter that it is named for."""

    code = "NS526"
    message = "the initializer {name} {how}"

    name: str
    how: str


class StrangeInitializer(Diagnostic):
    """A tensor in the file that is neither a weight of a layer nor a constant of the lowering."""

    code = "NS536"
    message = "the file has an initializer {name}, which is {what}"

    name: str
    what: str


@dataclass(frozen=True, kw_only=True)
class ForeignNode(Diagnostic):
    """A node that netspec never writes: of another operator set, or with a graph inside."""

    code = "NS528"
    message = "the node {node} ({op}) {how}, which netspec never writes"

    node: str
    op: str
    how: str


def _where(values: Mapping[str, int]) -> str:
    at = ", ".join(f"{name} = {value}" for name, value in values.items())
    return f" at {at}" if at else ""


@dataclass
class Findings:
    """What the gate has found so far. `comparable` is false once the engines cannot be run alike."""

    problems: list[Diagnostic] = field(default_factory=list)
    facts: dict[str, int | float] = field(default_factory=dict)
    comparable: bool = True
    _bindings: set[tuple[tuple[str, int], ...]] = field(default_factory=set)

    def bound(self, values: Mapping[str, int]) -> None:
        """Count the values of the symbols at which shapes were compared."""
        self._bindings.add(tuple(values.items()))
        self.facts["bindings of the dimensions"] = len(self._bindings)

    def add(self, problem: Diagnostic, *, comparable: bool = True) -> None:
        """Record a problem; one that leaves nothing to compare says so."""
        self.problems.append(problem)
        self.comparable = self.comparable and comparable

    def shape_known_to_differ(self, engine: str, output: str) -> bool:
        """Whether the same was already found at other values of the dimensions; once is enough."""
        return any(
            isinstance(p, ShapeDiffers) and (p.engine, p.output) == (engine, output) for p in self.problems
        )


def check_file(path: Path, findings: Findings) -> None:
    """onnx's full check, strict shape inference included, on the file as it lies there."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, *UNFORESEEN) as error:
        reason = " ".join(str(error).replace(str(path), path.name).split())
        findings.add(CheckerRefuses(reason=printable(reason)))


def check_nodes(model: ModelProto, findings: Findings) -> None:
    """Only plain operators of the standard; a stranger's loops and own operators are never run."""
    for node in model.graph.node:
        how = ""
        if node.domain not in ("", "ai.onnx") or model.functions:
            how = "is of another operator set"
        elif any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            how = "has a graph inside"
        if how:
            problem = ForeignNode(how=how, node=printable(node.name), op=printable(node.op_type))
            findings.add(problem, comparable=False)


def check_interface(model: ModelProto, graph: Graph, findings: Findings) -> None:
    """Names, order, dtypes and dimensions of the inputs and outputs, as the graph has them."""
    expected_inputs = {entry.name: entry.value.type for entry in graph.inputs}
    expected_outputs = {entry.name: entry.value.type for entry in graph.outputs}
    _check_entries("input", expected_inputs, model.graph.input, findings)
    _check_entries("output", expected_outputs, model.graph.output, findings)


def _check_entries(
    what: str, expected: Mapping[str, TensorType], got: Sequence[ValueInfoProto], findings: Findings
) -> None:
    names = [entry.name for entry in got]
    if names != list(expected):
        problem = InterfaceDiffers(what=f"{what}s", expected=_listed(expected), got=_listed(names))
        findings.add(problem, comparable=False)
        return
    for entry in got:
        tensor, type = entry.type.tensor_type, expected[entry.name]
        dtype = ELEMENT_NAMES.get(tensor.elem_type, f"element type {tensor.elem_type}")
        text = f"({', '.join(_dimensions(entry))}) {dtype}"
        wanted = f"({', '.join(map(str, type.known))}) {type.dtype}"
        if text != wanted:
            problem = InterfaceDiffers(what=f"{what} {entry.name}", expected=wanted, got=text)
            findings.add(problem, comparable=dtype == type.dtype)


def _dimensions(entry: ValueInfoProto) -> Iterator[str]:
    for dimension in entry.type.tensor_type.shape.dim:
        kind = dimension.WhichOneof("value")
        yield "?" if kind is None else str(getattr(dimension, kind))


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return printable(", ".join(names)) or "none"


def expected_weights(graph: Graph) -> dict[str, tuple[Shape, DType]]:
    """Shape and dtype of every tensor that the layers own, by its name in the file.

    Whole numbers are left out: BatchNorm counts its training steps, which evaluation does not read.
    """
    return {
        f"{node.name}.{weight.name}": (weight.shape, weight.dtype)
        for node in graph
        if node.shares is None
        for weight in node.op.weights(*node.input_types)
        if weight.dtype.is_floating
    }


def check_weights(
    held: Mapping[str, Array], graph: Graph, given: Mapping[str, Array] | None, findings: Findings
) -> None:
    """Every parameter is an initializer of its name, shape and dtype, and bit for bit the one given."""
    expected = expected_weights(graph)
    findings.facts["weights"] = len(expected)
    for name, (shape, dtype) in expected.items():
        if name not in held:
            findings.add(WeightMissing(name=name), comparable=False)
            continue
        have = held[name]
        if have.shape != shape or have.dtype.name != dtype:
            how = f"is {have.shape} {have.dtype}, not {shape} {dtype}"
            findings.add(WeightDiffers(name=name, how=how), comparable=given is not None)
        elif given is not None and (different := _different(have, given[name])):
            noun = "element" if different == 1 else "elements"
            how = f"differs from the trained parameter in {different:,} {noun} of {have.size:,}"
            findings.add(WeightDiffers(name=name, how=how))


def check_initializers(model: Model, graph: Graph, findings: Findings) -> None:
    """Every initializer has its use: a weight that no layer owns, or a default for an input, has none."""
    owned = expected_weights(graph)
    inputs = {entry.name for entry in graph.inputs}
    for name in model.weights:
        if name not in owned:
            what = "a default for an input" if name in inputs else "the weight of no layer"
            findings.add(StrangeInitializer(name=printable(name), what=what))


def opset_of(model: ModelProto) -> int:
    """The version of ONNX's own operators that a model uses; 0 where it names none."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)


def _different(a: Array, b: Array) -> int:
    """How many elements differ in any bit."""
    bits = np.dtype(f"u{a.dtype.itemsize}")
    flat_a, flat_b = (np.ascontiguousarray(array).reshape(-1).view(bits) for array in (a, b))
    return int(np.count_nonzero(flat_a != flat_b))


def check_shapes(graph: Graph, oracle: Oracle, seed: int, findings: Findings) -> None:
    """netspec's shapes against torch's where they are too many or too large to compute: on the meta device.

    A graph whose only symbol is the batch is run at more batch sizes than this would add, so that it is left
    out: torch imports 800 modules to evaluate shapes alone, which takes longer than the whole check.
    """
    if not Dimensions.of(graph).has_others:
        return
    for values in bindings(graph, seed):
        findings.bound(values)
        try:
            shapes = oracle.shapes(values)
        except (RuntimeError, ValueError) as error:
            refused_by_torch(values, error, findings)
            return
        check_outputs("PyTorch", graph, values, shapes, findings)


def refused_by_torch(values: Mapping[str, int], error: Exception, findings: Findings) -> None:
    """Record that the module does not run at values that the spec admits."""
    reason = str(error).strip().splitlines()[0]
    findings.add(TorchRefuses(values=values, reason=reason), comparable=False)


def check_outputs(
    engine: str,
    graph: Graph,
    values: Mapping[str, int],
    shapes: Sequence[tuple[tuple[int, ...], str]],
    findings: Findings,
) -> bool:
    """An engine's shapes and dtypes of all outputs against the graph's types; whether they are equal."""
    if len(shapes) != len(graph.outputs):
        expected = f"{len(graph.outputs)} outputs"
        problem = InterfaceDiffers(what=f"{engine}'s outputs", expected=expected, got=str(len(shapes)))
        findings.add(problem, comparable=False)
        return False
    equal = True
    for output, (shape, dtype) in zip(graph.outputs, shapes, strict=True):
        type = output.value.type
        expected = f"{type.bind(values)} {type.dtype}"
        if f"{shape} {dtype}" != expected:
            equal = False
            if findings.shape_known_to_differ(engine, output.name):
                continue
            findings.add(
                ShapeDiffers(
                    engine=engine,
                    output=output.name,
                    expected=expected,
                    got=f"{shape} {dtype}",
                    values=values,
                )
            )
    return equal
