"""The contract of every operation: each of its rules against an oracle that does not know it.

`pytest tests/ops --hypothesis-profile=search` draws ten times as many cases, and new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from onnx import numpy_helper
from onnxruntime import GraphOptimizationLevel
from torch.utils.flop_counter import FlopCounterMode

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph, Node
from netspec.ir.tensor import evaluate
from netspec.ir.window import Axis
from netspec.onnx_backend.export import export
from netspec.onnx_backend.opset import DEFAULT_OPSET, OLDEST_OPSET, installed_runtime, newest_opset
from netspec.torch_backend.build import build
from netspec.verify.reference import Reference
from netspec.verify.tolerance import ROUNDING_FACTOR, SEMANTIC_BOUND, same_masks, scaled_error
from tests.ops.cases import LAYER, Array, Case, draw_weights, run, with_weights
from tests.ops.drawing import STRATEGIES, tame, wild

OPSETS = (OLDEST_OPSET, DEFAULT_OPSET, newest_opset(installed_runtime()))
ALLOWANCE = 4 * 2.0**-24  # of max|y|, where torch happens to round less
LARGE = 1e3  # inputs of this size make what an exponential or a large sum overflows visible
SAMPLES = 256  # inputs whose gradients together show every element that a maximum may come from

# torch says, once a process, that an even kernel costs a copy of the input.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

every_operation = pytest.mark.parametrize("op", STRATEGIES)


def draws(share: float) -> settings:
    """A share of the profile's number of examples."""
    return settings(max_examples=max(1, int(settings().max_examples * share)))


def layer_of(graph: Graph) -> Node:
    (node,) = graph.nodes
    return node


def tensors(feeds: Sequence[Array]) -> list[torch.Tensor]:
    return [torch.from_numpy(feed.copy()) for feed in feeds]


def refused_by_torch(case: Case) -> str | None:
    """What torch says against a case, run on zeros; None where it takes it."""
    dtype = getattr(torch, case.dtype)
    try:
        run(case.module(), [torch.zeros(shape, dtype=dtype) for shape in case.shapes])
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        return str(error)
    return None


def refused_by_netspec(case: Case) -> str | None:
    """What netspec says against a case; None where it takes it."""
    try:
        case.graph()
    except DiagnosticError as error:
        return str(error)
    return None


def bindings(case: Case, graph: Graph, data: DataObject) -> list[Case]:
    """The case at its own sizes and, where it has symbols, at others that the graph admits."""
    if not case.values:
        return [case]
    others = {
        name: data.draw(st.integers(graph.bounds[name].least, graph.bounds[name].least + 7), label=name)
        for name in case.values
    }
    return [case, case.at(others)]


@every_operation
@draws(1.0)
@given(data=st.data())
def test_types_are_those_that_torch_gives(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    node = layer_of(graph)
    for bound in bindings(case, graph, data):
        given = run(bound.module(), tensors(bound.feeds()))
        found = [(value.type.bind(bound.values), value.type.dtype.value) for value in node.outputs]
        assert found == [(tuple(y.shape), str(y.dtype).removeprefix("torch.")) for y in given], bound


@every_operation
@draws(0.5)
@given(data=st.data(), training=st.booleans())
def test_the_module_computes_what_torch_does_and_keeps_its_inputs(
    op: str, data: DataObject, training: bool
) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    expected = case.module()
    weights = draw_weights(expected)
    with_weights(expected, weights)
    module = with_weights(build(graph), {f"{LAYER}.{name}": array for name, array in weights.items()})
    expected.train(training)
    module.train(training)
    feeds = tensors(case.feeds())
    torch.manual_seed(0)
    try:
        wanted = run(expected, feeds)
    except ValueError:
        assert training  # BatchNorm refuses to train on one value a channel
        return
    torch.manual_seed(0)
    with torch.no_grad():
        got = module(*feeds)
    for y, z in zip(got if isinstance(got, tuple) else (got,), wanted, strict=True):
        assert torch.equal(y, z)
    for feed, original in zip(feeds, case.feeds(), strict=True):
        assert torch.equal(feed, torch.from_numpy(original))
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[f"{LAYER}.{name}"]), name


@every_operation
@draws(0.3)
@given(data=st.data())
def test_weights_are_the_state_of_the_module(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    if case.dtype == "float32":
        case = replace(case, dtype=data.draw(st.sampled_from(["float32", "float64", "float16", "bfloat16"])))
    node = layer_of(case.graph())
    module = case.module()
    declared = node.op.weights(*node.input_types)
    assert [(w.name, w.shape, f"torch.{w.dtype}") for w in declared] == [
        (name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in module.state_dict().items()
    ]
    trained = {name: p.numel() for name, p in module.named_parameters() if p.requires_grad}
    assert {w.name: int(np.prod(w.shape)) for w in declared if w.trained} == trained
    assert list(node.op.build(*node.input_types).state_dict()) == [w.name for w in declared]


@every_operation
@draws(0.3)
@given(data=st.data())
def test_multiply_adds_are_half_of_the_operations_that_torch_counts(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    node = layer_of(graph)
    cost = node.op.cost(*node.input_types, *(value.type for value in node.outputs))
    for bound in bindings(case, graph, data):
        feeds = tensors(bound.feeds())
        if op == "Linear" and len(case.shapes[0]) == 1:
            feeds = [feeds[0][None]]  # torch does not count the product of a matrix and one vector
        with FlopCounterMode(display=False) as counter:
            run(bound.module(), feeds)
        assert 2 * evaluate(cost.macs, bound.values) == counter.get_total_flops(), bound


def sources(case: Case, position: tuple[int, ...]) -> list[set[tuple[int, ...]]]:
    """Which elements of every input the output element at `position` depends on, as gradients show.

    The gradient of a maximum shows one element at a time: there the first axis counts many samples.
    """
    if op_samples := SAMPLES if case.op == "MaxPool2d" else 0:
        ((_, *sizes),) = case.shapes
        case = replace(case, shapes=((op_samples, *sizes),))
        position = position[1:]
    module = case.module()
    with_weights(module, draw_weights(module))
    feeds = [torch.from_numpy(np.abs(feed)).requires_grad_() for feed in case.feeds()]
    given = module(*(feed * 1 for feed in feeds))  # a copy, which ReLU may then overwrite
    y = given[0] if isinstance(given, tuple) else given
    seen = y[(slice(None), *position)].sum() if op_samples else y[position]
    gradients = torch.autograd.grad(seen, feeds)
    return [{tuple(map(int, place)) for place in gradient.nonzero()} for gradient in gradients]


def taps(axis: Axis, position: int, size: int) -> list[int]:
    """The elements of the input that the window at a position touches, those in the padding left out."""
    start = position * axis.stride - axis.padding
    touched = (start + tap * axis.dilation for tap in range(axis.kernel))
    return [element for element in touched if 0 <= element < size]


def wraps(case: Case, window: tuple[Axis, ...], position: tuple[int, ...]) -> bool:
    """Whether a window lies in padding that is copied from the input, which a window does not tell."""
    if case.arguments.get("padding_mode", "zeros") == "zeros":
        return False
    return any(
        len(taps(axis, place, size)) < axis.kernel
        for axis, place, size in zip(window, position[2:], case.shapes[0][2:], strict=True)
    )


@every_operation
@draws(0.3)
@given(data=st.data())
def test_the_window_is_what_gradients_show(op: str, data: DataObject) -> None:
    case = data.draw(tame(op)).static()
    node = layer_of(case.graph())
    window = node.op.window(*node.input_types)
    if window is None or not case.dtype.startswith("float"):
        event("no window")
        return
    shape = node.output.type.bind({})
    position = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    if window and wraps(case, window, position):
        event("in copied padding")
        return
    for seen, size in zip(sources(case, position), case.shapes, strict=True):
        if window:
            trailing = {place[2:] for place in seen}
            expected = (taps(axis, *pair) for axis, *pair in zip(window, position[2:], size[2:], strict=True))
            assert trailing == set(product(*expected))
            assert op == "MaxPool2d" or {place[0] for place in seen} <= {position[0]}
            continue
        # Every element alone, but that channels may come from elsewhere and a size of 1 stretches.
        aligned = position[len(position) - len(size) :]
        for place in seen:
            for axis, (p, q, length) in enumerate(zip(place, aligned, size, strict=True)):
                channel = axis + len(position) - len(size) == 1
                assert p == q or channel or (p == 0 and length == 1)


@dataclass(frozen=True)
class Expected:
    """What torch makes of some inputs: in float32, in float64, and how large the terms of its sums are."""

    case: Case
    feeds: dict[str, Array]
    torch32: list[Array]
    exact: list[Array]
    magnitudes: list[float]

    @classmethod
    def of(cls, case: Case, weights: dict[str, Array], scale: float) -> Expected:
        feeds = case.feeds(scale=scale)
        wide = [x.double() if x.is_floating_point() else x for x in tensors(feeds)]
        narrow = with_weights(case.module(), weights)
        rounded = with_weights(case.module(as_exported=True), weights).double()
        exact = [y.numpy() for y in run(rounded, wide)]
        # Where a sum cancels, its rounding is to be measured by its terms: all of them with one sign.
        positive = {name: np.abs(a) * (-1 if name == "running_mean" else 1) for name, a in weights.items()}
        numbers = {name: abs(case.arguments[name]) for name in ("other", "alpha") if name in case.arguments}
        terms = replace(case, arguments={**case.arguments, **numbers}).module(as_exported=True)
        feeds_of_terms = [x if x.dtype == torch.bool else x.abs() for x in wide]
        sums = run(with_weights(terms, positive).double(), feeds_of_terms)
        return cls(
            case,
            dict(zip(case.inputs, feeds, strict=True)),
            [y.numpy() for y in run(narrow, tensors(feeds))],
            exact,
            [max(float(np.abs(y).max()), float(z.max())) for y, z in zip(exact, sums, strict=True)],
        )

    def judge_runtime(self, got: Sequence[Array]) -> None:
        """Indices and integers exactly, real numbers to within their rounding."""
        for a, b, y, magnitude in zip(got, self.torch32, self.exact, self.magnitudes, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            if a.dtype.kind != "f":
                assert np.array_equal(a, b)
                continue
            assert same_masks(a, b)
            error, of_torch = np.abs(a - y).max(), np.abs(b - y).max()
            assert error <= ROUNDING_FACTOR * max(of_torch, ALLOWANCE * magnitude)

    def judge_reference(self, got: Sequence[Array]) -> None:
        """All but exactly: nothing is rounded to float32 on the way."""
        for a, y in zip(got, self.exact, strict=True):
            assert a.shape == y.shape
            assert np.array_equal(a, y) or scaled_error(a, y) <= SEMANTIC_BOUND


def session(path: Path, optimised: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    levels = GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def reference(path: Path) -> Reference:
    model = onnx.load(path)
    return Reference(model, {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer})


@every_operation
@draws(0.25)
@given(data=st.data(), optimised=st.booleans())
def test_onnx_computes_what_torch_does(
    op: str, data: DataObject, optimised: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = data.draw(tame(op))
    path = tmp_path_factory.getbasetemp() / "one.onnx"
    weights = draw_weights(case.module())
    named = {f"{LAYER}.{name}": array for name, array in weights.items()}
    for variant in [case, case.static()] if case.values else [case]:
        graph = variant.graph()
        expected = [
            Expected.of(bound, weights, scale)
            for bound in bindings(variant, graph, data)
            for scale in (1.0, LARGE)
        ]
        for opset in OPSETS:
            export(graph, named, path, opset=opset)
            onnx.checker.check_model(str(path), full_check=True)
            loaded = session(path, optimised)
            for wanted in expected:
                wanted.judge_runtime(loaded.run(None, wanted.feeds))
            if opset == DEFAULT_OPSET:
                evaluator = reference(path)
                for wanted in expected:
                    wanted.judge_reference(list(evaluator.run(wanted.feeds).values()))


def narrower(case: Case) -> bool:
    """Where netspec means to take less than torch."""
    arguments = case.arguments
    if case.op == "Linear":
        return bool(arguments["out_features"] == 0)  # tensors without elements
    if case.op == "Conv2d":
        padding = arguments.get("padding", 0)  # where it is copied, a negative one crops
        return padding not in ("same", "valid") and bool(np.min(padding) < 0)
    if case.op == "AvgPool2d":
        return bool(arguments.get("divisor_override", 1) < 0)
    if case.op.startswith("BatchNorm"):
        # Where torch owns no tensor of so many features, it does not look at their number.
        return bool(arguments.get("num_features", case.shapes[0][1]) != case.shapes[0][1])
    if case.op == "MaxPool2d":
        y, *_ = run(case.module(), [torch.zeros(shape) for shape in case.shapes])
        return bool(y.isinf().any())  # the maximum of a window that lies in padding alone
    if case.op not in ("Add", "Mul"):
        return False
    # What torch promotes to another type, or wraps around.
    numbers = [arguments[name] for name in ("other", "alpha") if name in arguments]
    if case.dtype == "float32":
        return any(abs(number) > float(np.finfo(np.float32).max) for number in numbers)
    if case.dtype == "bool" or any(isinstance(number, float) for number in numbers):
        return True
    limits = np.iinfo(case.dtype)
    return any(not limits.min <= number <= limits.max for number in numbers)


@every_operation
@draws(2.0)
@given(data=st.data())
def test_netspec_takes_what_torch_takes(op: str, data: DataObject) -> None:
    case = data.draw(wild(op))
    refusal = refused_by_torch(case)
    taken = refusal is None and not narrower(case)
    event("taken" if taken else "refused")
    complaint = refused_by_netspec(case)
    assert taken == (complaint is None), (refusal, complaint)


@every_operation
@draws(0.5)
@given(data=st.data())
def test_inferred_minima_are_where_torch_begins(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    least = {name: graph.bounds[name].least for name in case.values}
    if least:
        assert refused_by_torch(case.at(least)) is None
    for name, size in least.items():
        if size > 1:
            smaller = case.at(least | {name: size - 1})
            assert refused_by_torch(smaller) is not None or narrower(smaller)
