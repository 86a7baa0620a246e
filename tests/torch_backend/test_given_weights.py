"""A file's weights in a network: which it takes, which it refuses, and what it says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import netspec
from netspec.diagnostics import Diagnostic
from netspec.ir.graph import Graph
from netspec.torch_backend.alignment import Misaligned, Taken, by_order, out_of_order
from netspec.torch_backend.given_weights import take
from netspec.torch_backend.weights import save_weights, tensors_of
from tests.torch_backend.specs_as_modules import SPECS, feeds, graph_of, module_of

SPEC = """
    netspec: 1
    name: small
    inputs: {image: [batch, 3, 8, 8]}
    layers:
      - Conv2d: {out_channels: 8, kernel_size: 3, bias: false}
      - BatchNorm2d
      - ReLU
      - Conv2d: {out_channels: 8, kernel_size: 3, bias: false}
      - BatchNorm2d
      - ReLU
      - AdaptiveAvgPool2d: {output_size: 1}
      - Flatten
      - Linear: {out_features: 10}
"""


class Plain(nn.Module):
    """The same network as somebody else writes it: convolutions first, then what comes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, bias=False)
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.bn2 = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        y: torch.Tensor = self.fc(x.mean((2, 3)))
        return y


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return graph_of(SPEC, tmp_path)


@pytest.fixture
def plain() -> nn.Module:
    torch.manual_seed(0)
    module = Plain()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith(("weight", "running_var", "bias", "running_mean")):
                tensor.uniform_(0.1, 1.0)
    return module.eval()


def given(graph: Graph, weights: Mapping[str, object], folder: Path, way: object = "order") -> Taken:
    torch.save(dict(weights), folder / "w.pth")
    return take(module_of(graph, device="meta"), graph, folder / "w.pth", way)  # type: ignore[arg-type]


def refused(graph: Graph, weights: Mapping[str, object], folder: Path, way: object = "order") -> Diagnostic:
    with pytest.raises(Misaligned) as caught:
        given(graph, weights, folder, way)
    assert caught.value.taken.origin == str(folder / "w.pth")
    (fault,) = caught.value.diagnostics
    return fault


def test_weights_in_order_compute_the_same(graph, plain, tmp_path):
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    module = module_of(graph, device="meta")
    taken = take(module, graph, tmp_path / "w.pth", "order")
    (x,) = feeds(graph)
    assert torch.allclose(module.eval()(x), plain(x), rtol=1e-5, atol=1e-6)
    assert taken.is_asked
    assert taken.remarks == ()
    assert dict(row[::2] for row in taken.alignment.rows())["conv2.weight"] == "conv2d_2.weight"
    (warning,) = taken.warnings
    assert (warning.code, warning.text.partition(" lists ")[2]) == (
        "NS579",
        "conv2 before bn1, but the network runs conv2d_2 after batch_norm2d_1",
    )


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_network_s_weights_find_back_by_their_order(spec):
    graph = netspec.check(spec).graph
    module = module_of(graph, device="meta")
    file = {f"other.{name}": tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    alignment = by_order(file, tensors_of(module, graph))
    assert [row.given for row in alignment.rows()] == [f"other.{row.wanted}" for row in alignment.rows()]
    assert out_of_order(alignment, file) is None


def test_the_first_disagreement_is_named_with_both_sides(graph, plain, tmp_path):
    weights = plain.state_dict()
    weights["conv2.weight"] = torch.zeros(8, 8, 1, 1)
    weights["bn2.weight"] = torch.zeros(9)
    fault = refused(graph, weights, tmp_path)
    assert (fault.code, fault.text.partition(".pth ")[2]) == (
        "NS577",
        "does not fit this network in order: 2 of 5 modules differ, the first at conv2 and conv2d_2",
    )
    assert [note.text for note in fault.notes] == [
        "conv2 has weight (8, 8, 1, 1), where conv2d_2 needs weight (8, 8, 3, 3)",
        "bn2 has weight (9), bias (8), running_mean (8), running_var (8), where batch_norm2d_2 needs "
        "weight (8), bias (8), running_mean (8), running_var (8)",
    ]


def test_what_is_left_over_and_what_is_missing(graph, plain, tmp_path):
    weights = plain.state_dict()
    more = {**weights, "aux.weight": torch.zeros(2, 2)}
    assert [note.text for note in refused(graph, more, tmp_path).notes] == ["aux is left over: weight (2, 2)"]
    fewer = {name: tensor for name, tensor in weights.items() if not name.startswith("fc")}
    assert [note.text for note in refused(graph, fewer, tmp_path).notes] == [
        "nothing is left for linear_1, which needs weight (10, 8), bias (10)"
    ]


def test_of_many_differences_the_first_are_shown(graph, tmp_path):
    weights = {f"stranger{number}.weight": torch.zeros(1) for number in range(3000)}
    fault = refused(graph, weights, tmp_path)
    assert "3,000 of 3,000 modules differ" in fault.text
    assert (len(fault.notes), fault.notes[-1].text) == (21, "and 2,980 more")


def test_no_weights_at_all(tmp_path):
    """A network without weights takes none, and only none."""
    graph = graph_of("netspec: 1\nname: a\ninputs: {x: [batch, 3]}\nlayers: [ReLU]\n", tmp_path)
    save_weights(module_of(graph), graph, tmp_path / "none")
    for way in (None, "name", "order"):
        assert take(module_of(graph), graph, tmp_path / "none", way).alignment.pairs == ()
    assert refused(graph, {"w": torch.ones(1)}, tmp_path).code == "NS577"


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("way", [None, "name", "order"])
def test_the_prefixes_of_wrappers_are_left_out_and_said(prefix, way, graph, tmp_path):
    weights = {prefix + name: tensor for name, tensor in module_of(graph).state_dict().items()}
    taken = given(graph, weights, tmp_path, way)
    assert taken.alignment.fits
    assert len(taken.remarks) == prefix.count(".")
    assert ("DataParallel" in "".join(taken.remarks)) == ("module." in prefix)
    assert ("torch.compile" in "".join(taken.remarks)) == ("_orig_mod." in prefix)


def test_a_part_that_was_compiled(graph, tmp_path):
    weights = {
        name.replace("conv2d_1.", "conv2d_1._orig_mod."): tensor
        for name, tensor in module_of(graph).state_dict().items()
    }
    assert given(graph, weights, tmp_path, None).alignment.fits


def test_names_that_would_become_one_keep_their_prefix(graph, tmp_path):
    weights = {**module_of(graph).state_dict(), "_orig_mod.linear_1.bias": torch.zeros(10)}
    fault = refused(graph, weights, tmp_path, None)
    assert [note.text for note in fault.notes] == ["_orig_mod.linear_1.bias belongs to no layer"]


def test_a_network_that_has_such_a_name_keeps_it(tmp_path):
    spec = (
        "netspec: 1\nname: a\ninputs: {x: [batch, 3]}\nlayers: [{Linear: {out_features: 2}, name: _orig_mod}]"
    )
    graph = graph_of(spec, tmp_path)
    taken = given(graph, module_of(graph).state_dict(), tmp_path, "name")
    assert (taken.alignment.fits, taken.remarks) == (True, ())


def test_floats_of_several_widths_are_converted_and_said(graph, plain, tmp_path):
    weights = plain.state_dict()
    for name in ("conv1.weight", "fc.weight", "fc.bias"):
        weights[name] = weights[name].half()
    weights["conv2.weight"] = weights["conv2.weight"].bfloat16()
    assert given(graph, weights, tmp_path).remarks == (
        "converted 3 tensors from float16 to float32",
        "converted 1 tensor from bfloat16 to float32",
    )


def test_after_a_refusal_the_module_is_as_it_was(graph, plain, tmp_path):
    module = module_of(graph)
    before = {name: tensor.tolist() for name, tensor in module.state_dict().items()}
    weights = {**plain.state_dict(), "fc.bias": torch.zeros(10, dtype=torch.int32)}
    torch.save(weights, tmp_path / "w.pth")
    with pytest.raises(Misaligned, match="1 tensor differs"):
        take(module, graph, tmp_path / "w.pth", "order")
    assert {name: tensor.tolist() for name, tensor in module.state_dict().items()} == before


# --- a file that is sorted -------------------------------------------------------------------------------


def test_a_sorted_file_whose_names_leave_the_order_open(graph, plain, tmp_path):
    weights = plain.state_dict()
    for old, new in (("bn1", "stem.bn"), ("bn2", "block.bn")):
        weights = {name.replace(old, new): tensor for name, tensor in weights.items()}
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(Misaligned) as caught:
        take(module_of(graph), graph, tmp_path / "w.safetensors", "order")
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.text.partition("since ")[2]) == (
        "NS583",
        "its tensors are sorted by name; block.bn and stem.bn have the same shapes, so that either could be "
        "batch_norm2d_1",
    )


def test_a_sorted_file_whose_names_and_shapes_tell_the_order(graph, plain, tmp_path):
    save_file(plain.state_dict(), tmp_path / "w.safetensors")
    module = module_of(graph, device="meta")
    assert take(module, graph, tmp_path / "w.safetensors", "order").warnings == ()
    (x,) = feeds(graph)
    assert torch.allclose(module.eval()(x), plain(x), rtol=1e-5, atol=1e-6)


TWO = """
    netspec: 1
    name: two
    inputs: {x: [batch, 3]}
    layers:
      - {Linear: {out_features: 3}, name: FIRST}
      - {Linear: {out_features: 3}, name: SECOND}
"""


def test_a_file_of_netspec_keeps_its_order(tmp_path):
    """Of two layers of one shape, the first is called `z` in one spec and `a` in the other."""
    one = graph_of(TWO.replace("FIRST", "z").replace("SECOND", "a"), tmp_path)
    module = module_of(one, seed=1)
    save_weights(module, one, tmp_path / "w")
    other = graph_of(TWO.replace("FIRST", "a").replace("SECOND", "z"), tmp_path)
    renamed = module_of(other, device="meta")
    assert take(renamed, other, tmp_path / "w", "order").warnings == ()
    assert renamed.a.weight.tolist() == module.z.weight.tolist()
    assert renamed.z.weight.tolist() == module.a.weight.tolist()


# --- shared layers ---------------------------------------------------------------------------------------


@pytest.fixture
def sharing(tmp_path: Path) -> Graph:
    """Three layers of one size, of which the last uses the first one's weights."""
    layers = "[{Linear: {out_features: 3}, name: a}, {Linear: {out_features: 3}, name: b}, "
    layers += "{Linear: {out_features: 3}, name: c}]"
    graph = graph_of(f"netspec: 1\nname: sharing\ninputs: {{x: [batch, 3]}}\nlayers: {layers}\n", tmp_path)
    first, second, third = graph.nodes
    return replace(graph, nodes=(first, second, replace(third, shares="a")))


def test_shared_weights_are_saved_once_and_come_back(sharing, tmp_path):
    module = module_of(sharing, seed=1)
    assert list(module.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    save_weights(module, sharing, tmp_path / "w")
    for way in (None, "name", "order"):
        other = module_of(sharing, device="meta")
        assert take(other, sharing, tmp_path / "w", way).alignment.fits
        (x,) = feeds(sharing)
        assert other(x).tolist() == module(x).tolist()


@pytest.mark.parametrize("way", [None, "name", "order"])
def test_a_file_may_list_shared_weights_twice(way, sharing, tmp_path):
    weights = module_of(sharing, seed=1).state_dict()
    twice = {**weights, "c.weight": weights["a.weight"], "c.bias": weights["a.bias"].clone()}
    assert given(sharing, twice, tmp_path, way).alignment.fits
    twice["c.bias"] = weights["a.bias"] + 1
    fault = refused(sharing, twice, tmp_path, way)
    assert (fault.code, fault.text) == (
        "NS584",
        f"c.bias and a.bias differ in {tmp_path / 'w.pth'}, but layer c shares the weights of a",
    )
