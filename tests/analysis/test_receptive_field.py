"""Receptive fields, held against the pixels that gradients reach."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import netspec
from netspec.analysis.receptive_field import ReceptiveField, receptive_fields
from netspec.ir.graph import Graph
from netspec.torch_backend.build import build

# How torch computes an uneven `same` is not the matter here.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

SIZE = 23


def graph_of(layers: list[Any], folder: Path, shape: tuple[int, ...] = (1, 1, SIZE, SIZE)) -> Graph:
    data = {"netspec": 1, "inputs": {"x": list(shape)}, "layers": layers}
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return netspec.check(path).graph


def spread(graph: Graph) -> nn.Module:
    """The network with every maximum made a mean, and every weight one: gradients reach the whole window."""
    module = build(graph).double()
    for name, part in list(module.named_modules()):
        if isinstance(part, nn.Conv2d):
            nn.init.ones_(part.weight)
            assert part.bias is not None
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.MaxPool2d):
            scope, _, own = name.rpartition(".")
            setattr(module.get_submodule(scope), own, DilatedSum(part))
    return module


class DilatedSum(nn.Module):
    """The sum over the window of a MaxPool2d, as a convolution; the pads hold zeros."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool: Any = pool

    def forward(self, x):
        kernel = torch.ones(1, 1, *self.pool.kernel_size, dtype=x.dtype)
        summed = nn.functional.conv2d(
            x.flatten(0, 1)[:, None],
            kernel,
            stride=self.pool.stride,
            padding=self.pool.padding,
            dilation=self.pool.dilation,
        )
        return summed.reshape(*x.shape[:2], *summed.shape[2:])


def reached(module: nn.Module, row: int, column: int) -> tuple[list[int], list[int]]:
    """First and last row and column of the input that one element of the output depends on."""
    x = torch.ones(1, 1, SIZE, SIZE, dtype=torch.float64, requires_grad=True)
    y = module(x)
    y[0, :, row, column].sum().backward()
    assert x.grad is not None
    rows, columns = x.grad[0, 0].nonzero(as_tuple=True)
    return [int(rows.min()), int(rows.max())], [int(columns.min()), int(columns.max())]


def predicted(field: ReceptiveField, position: tuple[int, int]) -> tuple[list[int], list[int]]:
    """The same from the window: it begins at stride * position - padding, and what is outside is cut off."""
    spans = []
    for axis, at in zip(field.axes, position, strict=True):
        begin = at * axis.stride - axis.padding
        spans.append([max(begin, 0), min(begin + axis.extent, SIZE) - 1])
    return spans[0], spans[1]


def pair(low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=2, max_size=2)


@st.composite
def layer(draw: st.DrawFn) -> Any:
    kernel, dilation, stride = draw(pair(1, 3)), draw(pair(1, 2)), draw(pair(1, 2))
    kind = draw(st.sampled_from(["Conv2d", "MaxPool2d", "AvgPool2d", "ReLU", "BatchNorm2d"]))
    window: dict[str, Any] = {"kernel_size": kernel, "stride": stride}
    if kind == "Conv2d":
        uneven = st.just("same") if stride == [1, 1] else pair(0, 2)
        padding = draw(st.one_of(pair(0, 2), uneven))
        return {kind: {**window, "out_channels": 2, "dilation": dilation, "padding": padding}}
    window["padding"] = [draw(st.integers(0, k // 2)) for k in kernel]
    if kind == "MaxPool2d":
        return {kind: {**window, "dilation": dilation}}
    return {kind: window} if kind == "AvgPool2d" else kind


def hold(graph: Graph, data: st.DataObject) -> None:
    """The field of the output is what gradients reach from a drawn position."""
    output = graph.outputs[0].value
    field = receptive_fields(graph)[output.name]
    assert field is not None
    assert field.origin == "x"
    height, width = output.type.bind({})[2:]
    module = spread(graph).eval()
    position = (data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1)))
    expected = predicted(field, position)
    if all(first <= last for first, last in expected):  # else it sees padding alone
        found = reached(module, *position)
        dilated = any(axis.stride > 1 or axis.extent > 3 for axis in field.axes)
        for (first, last), (least, most) in zip(found, expected, strict=True):
            if least > 0 and most < SIZE - 1:  # the window lies inside: its first and last elements are taps
                assert (first, last) == (least, most)
            else:  # what the edge cuts off may leave a dilated window without a tap at its end
                assert least <= first <= last <= most
                assert dilated or (first, last) == (least, most)


@settings(max_examples=80)
@given(layers=st.lists(layer(), min_size=1, max_size=4), data=st.data())
def test_chains_see_what_gradients_reach(layers, data, tmp_path_factory):
    try:
        graph = graph_of(layers, tmp_path_factory.getbasetemp())
    except netspec.DiagnosticError:
        return  # a window larger than what is left
    hold(graph, data)


@settings(max_examples=40)
@given(
    before=layer(),
    kernels=st.lists(st.sampled_from([1, 3, 5]), min_size=2, max_size=3),
    merge=st.sampled_from(["Add", "Mul", "Concat"]),
    after=layer(),
    data=st.data(),
)
def test_merged_branches_see_what_any_of_them_sees(before, kernels, merge, after, data, tmp_path_factory):
    layers: list[Any] = [{"Conv2d": {"out_channels": 2, "kernel_size": 1}, "name": "stem"}, before]
    layers += [{"ReLU": {}, "name": "head"}]
    for number, kernel in enumerate(kernels):
        arguments = {"out_channels": 2, "kernel_size": kernel, "padding": kernel // 2}
        layers.append({"Conv2d": arguments, "from": "head", "name": f"way{number}"})
    layers.append({merge: {}, "from": [f"way{number}" for number in range(len(kernels))], "name": "join"})
    layers.append(after)
    hold(graph_of(layers, tmp_path_factory.getbasetemp()), data)


def field_at(name: str, text: str, folder: Path) -> ReceptiveField | None:
    path = folder / "spec.yaml"
    path.write_text(textwrap.dedent(text))
    return receptive_fields(netspec.check(path).graph)[name]


def axes(field: ReceptiveField | None) -> list[tuple[int, int, int]]:
    assert field is not None
    return [(axis.extent, axis.stride, axis.padding) for axis in field.axes]


def test_worked_examples(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 3, H, W], scale: [batch, 8, 1, 1]}
        layers:
          - Conv2d: {out_channels: 8, kernel_size: [7, 3], stride: [2, 1], padding: [3, 1]}
            from: x
            name: a
          - {MaxPool2d: {kernel_size: 3, stride: 2, padding: 1, return_indices: true}, name: b}
          - {Conv2d: {out_channels: 8, kernel_size: 3, dilation: 2, padding: 2}, name: c}
          - {Conv2d: {out_channels: 8, kernel_size: 1, stride: 2}, name: d}
          - {Mul: {}, from: [c, scale], name: e}
          - {AdaptiveAvgPool2d: {output_size: 1}, from: c, name: f}
          - {Flatten: {}, name: g}
        outputs: {one: d, two: e, three: g, four: b.indices}
    """
    assert axes(field_at("x", text, tmp_path)) == [(1, 1, 0), (1, 1, 0)]
    assert axes(field_at("a", text, tmp_path)) == [(7, 2, 3), (3, 1, 1)]
    assert axes(field_at("b", text, tmp_path)) == [(11, 4, 5), (5, 2, 2)]
    assert field_at("b.indices", text, tmp_path) == field_at("b", text, tmp_path)
    assert axes(field_at("c", text, tmp_path)) == [(27, 4, 13), (13, 2, 6)]
    assert axes(field_at("d", text, tmp_path)) == [(27, 8, 13), (13, 4, 6)]
    for meaningless in ("e", "f", "g"):  # two origins; the whole image; no axes
        assert field_at(meaningless, text, tmp_path) is None


def test_sums_over_different_strides_have_no_window(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 1, 8, 8]}
        layers:
          - {MaxPool2d: {kernel_size: 2}, name: halved}
          - {Conv2d: {out_channels: 1, kernel_size: 5}, from: x, name: cut}
          - {Add: {}, from: [halved, cut], name: sum}
    """
    assert field_at("halved", text, tmp_path) is not None
    assert field_at("cut", text, tmp_path) is not None
    assert field_at("sum", text, tmp_path) is None


def test_inputs_without_spatial_axes_have_none(tmp_path):
    text = "{netspec: 1, inputs: {x: [batch, 3]}, layers: [ReLU, {Linear: {out_features: 2}}]}"
    assert field_at("x", text, tmp_path) is None
    assert field_at("relu_1", text, tmp_path) is None
