"""The module of a network is in all things like a hand-written one."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import netspec
from netspec.ir.graph import Graph
from netspec.torch_backend.build import class_name
from tests.torch_backend.specs_as_modules import RICH, SPECS, feeds, graph_of, module_of

HIDDEN = [f"hidden.{number}" for number in range(11)]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return graph_of(RICH, tmp_path_factory.mktemp("rich"))


def equal(given: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> bool:
    return len(given) == len(expected) and all(map(torch.equal, given, expected))


class HandWritten(nn.Module):
    """What RICH describes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.hidden = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(11))
        self.batch_norm2d_1 = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.dropout_1 = nn.Dropout()

    def forward(self, image, other):
        stem = x = self.stem(image)
        for layer in self.hidden:
            x = layer(x)
        x, where = self.pool(self.batch_norm2d_1(x))
        return self.dropout_1(x.mean((2, 3)) + other), where, stem


def test_it_computes_what_the_hand_written_module_computes(rich):
    module, expected = module_of(rich), HandWritten()
    expected.load_state_dict(module.state_dict())
    inputs = feeds(rich)
    for mode in (True, False):
        module.train(mode)
        expected.train(mode)
        torch.manual_seed(1)
        y, where, stem = module(*inputs)
        torch.manual_seed(1)
        y2, where2, stem2 = expected(*inputs)
        torch.testing.assert_close(y, y2)
        assert torch.equal(where, where2)
        assert torch.equal(stem, stem2)


def test_the_state_dict_is_the_hand_written_one_in_the_order_of_the_spec(rich):
    assert list(module_of(rich).state_dict()) == list(HandWritten().state_dict())


def test_the_tree_has_the_names_of_the_spec(rich):
    module = module_of(rich)
    layers = ["stem", "hidden", "batch_norm2d_1", "pool", "adaptive_avg_pool2d_1", "flatten_1"]
    assert [name for name, _ in module.named_children()] == [*layers, "both", "dropout_1"]
    assert isinstance(module.hidden, nn.ModuleList)
    assert [name for name, _ in module.named_modules() if name.startswith("hidden.")] == HIDDEN
    assert module.hidden[10] is module.get_submodule("hidden.10")


def test_scopes_in_scopes(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 3]}
        layers: [{Linear: {out_features: 3}, name: a, repeat: 3}, Tanh]
    """
    module = module_of(graph_of(text, tmp_path))
    assert [type(child).__name__ for child in module.children()] == ["ModuleList", "Tanh"]
    assert len(module.a) == 3


def test_it_prints_as_its_layers(rich):
    module = module_of(rich)
    lines = str(module).splitlines()
    assert lines[0] == "Rich("
    assert lines[2] == "  (hidden): ModuleList("
    assert lines[3].startswith("    (0-10): 11 x Conv2d(4, 4")
    assert "  (both): Add()" in lines
    assert lines[-1] == ")"
    assert str(module) == repr(module)
    assert "forward" not in str(module)


@pytest.mark.parametrize(
    ("name", "expected"), [("lenet_bn", "LenetBn"), ("a", "A"), ("_x_y_", "XY"), ("_", "Network")]
)
def test_the_class_bears_the_network_s_name(name, expected):
    assert class_name(name) == expected


def note_call(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
    """A hook that leaves a mark; a function of the module, so that it can be pickled."""
    module.calls = getattr(module, "calls", 0) + 1  # type: ignore[assignment]


def saved_and_loaded(module: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert isinstance(loaded, nn.Module)
    return loaded


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module)), saved_and_loaded]
)
def test_copies_are_whole_and_apart(rich, copied):
    module: Any = module_of(rich).eval()
    module.tag = "mine"
    module.hidden[3].weight.requires_grad_(False)
    module.hidden[1].register_forward_hook(note_call)
    module.batch_norm2d_1.train()
    again: Any = copied(copied(module))
    module.batch_norm2d_1.eval()
    assert again.batch_norm2d_1.training
    again.eval()
    assert (type(again).__name__, str(again), again.tag) == ("Rich", str(module), "mine")
    assert type(again.hidden).__name__ == "ModuleList"
    assert not again.hidden[3].weight.requires_grad
    assert list(again.state_dict()) == list(module.state_dict())
    inputs = feeds(rich)
    assert equal(again(*inputs), module(*inputs))
    assert (again.hidden[1].calls, module.hidden[1].calls) == (1, 1)
    with torch.no_grad():
        again.stem.weight.zero_()
    assert module.stem.weight.abs().sum() > 0
    assert again(*inputs)[2].std() < module(*inputs)[2].std()


def test_a_shallow_copy_shares_its_layers(rich):
    module = module_of(rich)
    again = copy.copy(module)
    assert again is not module
    assert again.stem is module.stem
    assert type(again).__name__ == "Rich"


def test_weights_go_through_torch_save_and_back(rich, tmp_path):
    module, other = module_of(rich, seed=1).eval(), module_of(rich, seed=2).eval()
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert equal(module(*feeds(rich)), other(*feeds(rich)))


WHOLE = {
    "lenet": {},
    "lenet_bn": {},
    "simple_convnet": {},
    "resnet": {"depths": "[1, 1, 1, 1]"},
    "densenet": {"depths": "[1, 2, 1, 1]"},
    "segnet": {"width": "8"},
    "shufflenet_v2": {"widths": "[24, 48, 96]", "head": "64"},
    "two_views": {},
    "unet": {"width": "8", "depth": "2"},
    "vit": {"width": "48", "depth": "1", "heads": "3", "patch": "32"},
}
"""Specs with what they are set to, so that torch is quick. It cannot trace through an LSTM or a GRU whole."""


@pytest.mark.parametrize("spec", WHOLE)
def test_specs_export_and_compile_whole(spec):
    graph = netspec.check(SPECS / f"{spec}.yaml", settings=WHOLE[spec]).graph
    module = module_of(graph).eval()
    inputs = feeds(graph, batch=2)
    with torch.no_grad():
        expected = module(*inputs)
        names = [item.name for item in graph.inputs]
        dynamic = {name: {0: torch.export.Dim.DYNAMIC} for name in names}
        program = torch.export.export(module, inputs, dynamic_shapes=dynamic)
        close(program.module()(*inputs), expected)
        assert set(program.state_dict) == set(module.state_dict())
        more = feeds(graph, batch=5)
        close(program.module()(*more), module(*more))
        torch._dynamo.reset()
        compiled = torch.compile(module, backend="eager", fullgraph=True)
        close(compiled(*inputs), expected)


def close(given, expected):
    """Hold one output or several against others."""
    assert isinstance(given, tuple) == isinstance(expected, tuple)
    several = (given, expected) if isinstance(given, tuple) else ([given], [expected])
    for got, wanted in zip(*several, strict=True):
        torch.testing.assert_close(got, wanted)


def test_several_inputs_and_outputs_compile_and_export(rich):
    module = module_of(rich).eval()
    inputs = feeds(rich)
    torch._dynamo.reset()
    expected = module(*inputs)
    for run in (
        torch.compile(module, backend="eager", fullgraph=True),
        torch.export.export(module, inputs).module(),
    ):
        for given, wanted in zip(run(*inputs), expected, strict=True):
            torch.testing.assert_close(given, wanted)


def test_inputs_go_by_their_names_too(rich):
    module = module_of(rich).eval()
    image, other = feeds(rich)
    assert equal(module(other=other, image=image), module(image, other))


def test_hooks_see_every_layer_and_gradients_reach_every_parameter(rich):
    module = module_of(rich)
    seen: list[str] = []
    for name, layer in module.named_modules():
        layer.register_forward_hook(lambda *_, name=name: seen.append(name))
    y, _, stem = module(*feeds(rich))
    assert seen == [node.name for node in rich] + [""]
    (y.square().sum() + stem.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_modes_and_dtypes_reach_every_layer(rich):
    module = module_of(rich)
    assert all(part.training for part in module.modules())
    module.eval()
    assert not any(part.training for part in module.modules())
    module.to(torch.float64)
    y, where, _ = module(*(x.double() for x in feeds(rich)))
    assert (y.dtype, where.dtype) == (torch.float64, torch.int64)


def test_the_meta_device_allocates_nothing(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 1000000]}
        layers: [{Linear: {out_features: 1000000}}, BatchNorm1d]
    """  # four terabytes
    module = module_of(graph_of(text, tmp_path), device="meta")
    assert {tensor.device.type for tensor in module.state_dict().values()} == {"meta"}
    assert module(torch.empty(7, 1_000_000, device="meta")).shape == (7, 1_000_000)


def test_a_layer_too_large_for_the_memory(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 100000000]}
        layers: [{Linear: {out_features: 100000000}, name: giant}]
    """
    with pytest.raises(netspec.DiagnosticError) as caught:
        module_of(graph_of(text, tmp_path))
    (fault,) = caught.value.diagnostics
    assert fault.code == "NS573"
    assert fault.text.startswith("torch cannot make layer giant: ")
    assert fault.span is not None
    assert fault.span.line == 4
    assert Path(fault.span.source.name).name == "spec.yaml"
