"""The contract of every operation: each of its rules against an oracle that does not know it.

`pytest tests/ops --hypothesis-profile=search` draws ten times as many cases, and new ones.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph
from netspec.ir.tensor import evaluate
from netspec.ir.window import Axis, Window
from netspec.onnx_backend.opset import DEFAULT_OPSET, OLDEST_OPSET, installed_runtime, newest_opset
from netspec.ops.base import Indexed
from netspec.ops.catalogue import FAMILIES
from netspec.torch_backend.build import build
from tests.ops.cases import LAYER, Array, Case, Sizes, draw_weights, layer_of, run, with_weights
from tests.ops.engines import LARGE, Expected, exported, refused_by_torch, tensors
from tests.ops.family import family_of, tame, wild

OPSETS = (OLDEST_OPSET, DEFAULT_OPSET, newest_opset(installed_runtime()))
SAMPLES = 256  # inputs whose gradients together show every element that a maximum may come from

# torch says, once a process, that an even kernel costs a copy of the input, and which recurrence is slow, and
# that a softmax has no `dim`: what it then takes is torch's own rule, and may be so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
    pytest.mark.filterwarnings("ignore:Implicit dimension choice"),
]

every_operation = pytest.mark.parametrize("op", FAMILIES)


def draws(share: float) -> settings:
    """A share of the profile's number of examples."""
    return settings(max_examples=max(1, int(settings().max_examples * share)))


def refused_by_netspec(case: Case) -> str | None:
    """What netspec says against a case; None where it takes it."""
    try:
        case.graph()
    except DiagnosticError as error:
        return str(error)
    return None


def bindings(case: Case, graph: Graph, data: DataObject) -> list[Case]:
    """The case at its own sizes and, where it has symbols, at others that the graph admits."""
    if not case.sizes:
        return [case]
    others = {}
    for name in case.sizes:
        bounds = graph.bounds[name]
        step = bounds.multiple_of
        others[name] = step * data.draw(st.integers(-(-bounds.least // step), bounds.least // step + 7))
    return [case, case.at(others)]


@every_operation
@draws(0.2)
@given(data=st.data())
def test_types_are_those_that_torch_gives(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    node = layer_of(graph)
    for bound in bindings(case, graph, data):
        given = run(bound.module(), tensors(bound.feeds()))
        found = [(value.type.bind(bound.sizes), value.type.dtype.value) for value in node.outputs]
        assert found == [(tuple(y.shape), str(y.dtype).removeprefix("torch.")) for y in given], bound


@every_operation
@draws(0.15)
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
    compared = [wanted[place] for place in case.compared(layer_of(graph))]
    for y, z in zip(got if isinstance(got, tuple) else (got,), compared, strict=True):
        assert np.array_equal(y.numpy(), z.numpy(), equal_nan=y.is_floating_point())
    for feed, original in zip(feeds, case.feeds(), strict=True):
        assert torch.equal(feed, torch.from_numpy(original))
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[f"{LAYER}.{name}"]), name


@every_operation
@draws(0.1)
@given(data=st.data())
def test_weights_are_the_state_of_the_module(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    if case.dtype == "float32":
        case = case.of_dtype(data.draw(st.sampled_from(["float32", "float64", "float16", "bfloat16"])))
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
@draws(0.1)
@given(data=st.data())
def test_multiply_adds_are_half_of_the_operations_that_torch_counts(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    node = layer_of(graph)
    cost = node.op.cost(*node.input_types, *(value.type for value in node.outputs))
    closed_form = family_of(op).macs.get(op, lambda _: None)
    for bound in bindings(case, graph, data):
        macs = closed_form(bound)
        if macs is None:
            with FlopCounterMode(display=False) as counter:
                run(bound.module(), tensors(bound.feeds()))
            macs = counter.get_total_flops() / 2
        assert evaluate(cost.macs, bound.sizes) == macs, bound


def sources(case: Case, position: Sizes) -> list[set[Sizes] | None]:
    """Which elements of every input the output element at `position` depends on, as gradients show; None of
    an input that has no gradient.

    The gradient of a selection shows one element at a time: there the first axis counts many samples.
    """
    if selecting := case.op in family_of(case.op).selecting:
        case = replace(case, shapes=tuple((SAMPLES, *shape[1:]) for shape in case.shapes))
        position = position[1:]
    module = case.module()
    with_weights(module, draw_weights(module))
    feeds = [
        torch.from_numpy(np.abs(feed) if feed.dtype.kind == "f" else feed).requires_grad_(
            feed.dtype.kind == "f"
        )
        for feed in case.feeds()
    ]
    given = module(*(feed.clone() for feed in feeds))  # a copy, which ReLU may then overwrite
    y = given[0] if isinstance(given, tuple) else given
    seen = y[(slice(None), *position)].sum() if selecting else y[position]
    followed = [feed for feed in feeds if feed.requires_grad]
    gradients = iter(torch.autograd.grad(seen, followed, materialize_grads=True))
    return [places(next(gradients)) if feed.requires_grad else None for feed in feeds]


def places(gradient: Tensor) -> set[Sizes]:
    """Where it is not zero."""
    return {tuple(map(int, place)) for place in gradient.nonzero()}


@every_operation
@draws(0.1)
@given(data=st.data())
def test_integers_and_truth_values_say_what_they_decide(op: str, data: DataObject) -> None:
    case = data.draw(tame(op)).static()
    node = layer_of(case.graph())
    feeds = case.feeds()
    given = [y.numpy() for y in run(case.module(), tensors(feeds))]
    for port, y in enumerate(given):
        if y.dtype.kind == "f" or "float32" not in case.input_dtypes or op in family_of(op).computed:
            continue
        rule = node.op.decides(port, *node.input_types)
        operands = node.arranged(feeds, None)
        if isinstance(rule, Indexed):
            source = operands[rule.input]
            assert source is not None
            extremes = [given[0]] if port else [source.max(axis=rule.axes), source.min(axis=rule.axes)]
            selected = pointed_at(source, y, rule.axes)
            assert any(np.array_equal(selected.reshape(z.shape), z) for z in extremes)
        else:
            assert rule is not None, f"{op}.decides({port}) is missing"
            right = rule.number if rule.right is None else operands[rule.right]
            left = np.asarray(operands[rule.left])
            order = np.broadcast_to(np.sign(left - np.asarray(right)), y.shape)
            assert all(len(np.unique(y[order == sign])) <= 1 for sign in (-1, 0, 1))


def pointed_at(source: Array, indices: Array, axes: tuple[int, ...]) -> Array:
    """The elements that indices point at, which count over some axes."""
    axes = tuple(axis % source.ndim for axis in axes)
    if indices.ndim < source.ndim:
        indices = np.expand_dims(indices, axes)
    along = dict(zip(axes, np.unravel_index(indices, [source.shape[axis] for axis in axes]), strict=True))
    own = np.indices(indices.shape)
    return np.asarray(source[tuple(along.get(axis, own[axis]) for axis in range(source.ndim))])


def taps(axis: Axis, position: int, size: int) -> list[int]:
    """The elements of the input that the window at a position touches, those in the padding left out."""
    start = position * axis.stride - axis.padding
    touched = (start + tap * axis.dilation for tap in range(axis.kernel))
    return [element for element in touched if 0 <= element < size]


def wraps(case: Case, window: Window, position: Sizes) -> bool:
    """Whether a window lies in padding that is copied from the input, which a window does not tell."""
    if not family_of(case.op).copying(case):
        return False
    trailing = zip(window, position[-len(window) :], case.shapes[0][-len(window) :], strict=True)
    return any(len(taps(axis, place, size)) < axis.kernel for axis, place, size in trailing)


@every_operation
@draws(0.12)
@given(data=st.data())
def test_the_window_is_what_gradients_show(op: str, data: DataObject) -> None:
    case = data.draw(tame(op)).static()
    node = layer_of(case.graph())
    window = node.op.window(*node.input_types)
    if window is None or not node.output.type.dtype.is_floating or "float32" not in case.input_dtypes:
        event("no window, or no gradient")
        return
    shape = node.output.type.bind({})
    position = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    if window and wraps(case, window, position):
        event("in copied padding")
        return
    axes = len(window)
    for seen, size in zip(sources(case, position), case.shapes, strict=True):
        if seen is None:
            continue
        if window:
            trailing = {place[-axes:] for place in seen}
            pairs = zip(window, position[-axes:], size[-axes:], strict=True)
            assert trailing == set(product(*(taps(*pair) for pair in pairs)))
            assert op in family_of(op).selecting or {place[0] for place in seen} <= {position[0]}
            continue
        # Every element alone, but that channels may come from elsewhere and a size of 1 stretches.
        aligned = position[len(position) - len(size) :]
        for place in seen:
            for axis, (p, q, length) in enumerate(zip(place, aligned, size, strict=True)):
                channel = axis + len(position) - len(size) == 1
                assert p == q or channel or (p == 0 and length == 1)


@every_operation
@pytest.mark.parametrize("opset", OPSETS)
@draws(0.05)
@given(data=st.data(), optimised=st.booleans(), static=st.booleans())
def test_onnx_computes_what_torch_does(
    op: str,
    opset: int,
    data: DataObject,
    optimised: bool,
    static: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    case = data.draw(tame(op))
    if static:
        case = case.static()
    weights = draw_weights(case.module())
    graph = case.graph()
    path = tmp_path_factory.getbasetemp() / "one.onnx"
    file = exported(graph, {f"{LAYER}.{name}": array for name, array in weights.items()}, path, opset)
    session = file.session(optimised)
    evaluator = file.reference() if opset == DEFAULT_OPSET else None
    for bound in bindings(case, graph, data):
        for scale in (1.0, LARGE):
            expected = Expected.of(bound, layer_of(graph), weights, scale)
            assert not list(expected.faults_of_runtime(session.run(None, expected.feeds))), (bound, scale)
            if evaluator is not None:
                given = list(evaluator.run(expected.feeds).values())
                assert not list(expected.faults_of_reference(given)), (bound, scale)


@every_operation
@draws(0.6)
@given(data=st.data())
def test_netspec_takes_what_torch_takes(op: str, data: DataObject) -> None:
    case = data.draw(wild(op))
    refusal = refused_by_torch(case)
    taken = refusal is None and not family_of(op).narrower(case)
    event("taken" if taken else "refused")
    complaint = refused_by_netspec(case)
    assert taken == (complaint is None), (refusal, complaint)


@every_operation
@draws(0.2)
@given(data=st.data())
def test_inferred_minima_are_where_torch_begins(op: str, data: DataObject) -> None:
    case = data.draw(tame(op))
    graph = case.graph()
    least = {name: graph.bounds[name].least for name in case.sizes}
    if least:
        assert refused_by_torch(case.at(least)) is None
    for name, size in least.items():
        if size > 1:
            smaller = case.at(least | {name: size - 1})
            assert refused_by_torch(smaller) is not None or family_of(op).narrower(smaller)
