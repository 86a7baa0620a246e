"""Drawing weights: as torch.nn.init draws them, from the seed and the layer's name alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netspec.diagnostics import DiagnosticError
from netspec.language.distributions import DISTRIBUTIONS
from netspec.torch_backend.initialise import stream
from tests.torch_backend.specs_as_modules import graph_of, module_of

TWO = """
    netspec: 1
    inputs: {x: [batch, 4]}
    layers:
      - {Linear: {out_features: 5}, name: first}
      - {Linear: {out_features: 5}, name: second}
"""
THREE = TWO.replace("{Linear: {out_features: 5}, name: second}", "{Dropout: {p: 0.5}}") + (
    "      - {Linear: {out_features: 5}, name: between}\n      - {Linear: {out_features: 5}, name: second}\n"
)

RULES: dict[str, dict[str, Any]] = {
    "uniform": {"a": -0.5, "b": 0.25},
    "normal": {"mean": 1.0, "std": 0.5},
    "trunc_normal": {"mean": 0.5, "std": 0.5, "a": -1.0, "b": 1.0},
    "constant": {"val": 0.75},
    "ones": {},
    "zeros": {},
    "eye": {},
    "dirac": {"groups": 2},
    "xavier_uniform": {"gain": 2.0},
    "xavier_normal": {"gain": 0.5},
    "kaiming_uniform": {"a": 0.2, "mode": "fan_out"},
    "kaiming_normal": {"nonlinearity": "relu"},
    "orthogonal": {"gain": 3.0},
    "sparse": {"sparsity": 0.5, "std": 2.0},
}


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_one_seed_one_draw(tmp_path):
    graph = graph_of(TWO, tmp_path)
    assert same(module_of(graph, seed=3), module_of(graph, seed=3))
    assert not same(module_of(graph, seed=3), module_of(graph, seed=4))
    first, second = module_of(graph).first.weight, module_of(graph).second.weight
    assert not torch.equal(first[:, :4], second[:, :4])


def test_a_new_layer_leaves_the_others_as_they_were(tmp_path):
    two, three = module_of(graph_of(TWO, tmp_path)), module_of(graph_of(THREE, tmp_path))
    assert torch.equal(two.first.weight, three.first.weight)
    assert torch.equal(two.second.weight, three.second.weight)


def test_whatever_the_caller_set_is_neither_used_nor_changed(tmp_path):
    graph = graph_of(TWO, tmp_path)
    expected = module_of(graph)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    assert same(module_of(graph), expected)
    assert torch.equal(torch.get_rng_state(), state)
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        again = module_of(graph)
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert same(again, expected)


def test_the_random_state_comes_back_after_a_failure(tmp_path):
    giant = "{Linear: {out_features: 100000000}},\n".replace(",\n", "\n      - ") * 2
    graph = graph_of(TWO + f"      - {giant}Tanh\n", tmp_path)
    state = torch.get_rng_state()
    with pytest.raises(DiagnosticError):
        module_of(graph)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.gpu
def test_a_gpu_gets_the_weights_of_the_cpu_and_keeps_its_random_state(tmp_path):
    graph = graph_of(TWO, tmp_path)
    state = torch.cuda.get_rng_state()
    module = module_of(graph, device="cuda")
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert module.first.weight.is_cuda
    assert same(module.cpu(), module_of(graph))


def test_without_init_weights_are_torch_s_own(tmp_path):
    module = module_of(graph_of(TWO, tmp_path), seed=5)
    torch.manual_seed(stream(5, "second"))
    assert torch.equal(module.second.weight, nn.Linear(5, 5).weight)


def test_every_distribution_has_its_case():
    assert RULES.keys() == DISTRIBUTIONS.keys()


@pytest.mark.parametrize("name", RULES)
def test_a_distribution_is_torch_s(name, tmp_path):
    words = ", ".join(f"{key}: {value}" for key, value in RULES[name].items())
    layer = "Conv2d: {out_channels: 6, kernel_size: 3}" if name == "dirac" else "Linear: {out_features: 6}"
    shape = "[batch, 4, 5, 5]" if name == "dirac" else "[batch, 4]"
    text = f"""
        netspec: 1
        inputs: {{x: {shape}}}
        layers:
          - {layer}
            name: layer
            init: {{weight: {{{name}: {{{words}}}}}}}
    """
    module = module_of(graph_of(text, tmp_path), seed=9)
    torch.manual_seed(stream(9, "layer"))
    expected: Any = nn.Conv2d(4, 6, 3) if name == "dirac" else nn.Linear(4, 6)
    getattr(nn.init, f"{name}_")(expected.weight, **RULES[name])
    assert torch.equal(module.layer.weight, expected.weight)
    assert torch.equal(module.layer.bias, expected.bias)
    assert module.layer.weight.requires_grad


def test_literal_values_stand_where_they_are_written(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 3]}
        layers:
          - Linear: {out_features: 2}
            name: layer
            init: {weight: [[1, 2, 3], [4, 5.5, -6]], bias: 0.25}
    """
    module = module_of(graph_of(text, tmp_path))
    assert module.layer.weight.tolist() == [[1, 2, 3], [4, 5.5, -6]]
    assert module.layer.bias.tolist() == [0.25, 0.25]
    assert module.layer.weight.dtype == torch.float32


@pytest.mark.parametrize(
    "rule",
    [
        "{uniform: {a: 1.0, b: 0.0}}",
        "{trunc_normal: {mean: 100.0}}",
        "{trunc_normal: {std: 0.0}}",
        "{constant: {val: 1.0e+300}}",
    ],
)
def test_what_torch_cannot_draw_well_is_refused(rule, tmp_path):
    text = f"""
        netspec: 1
        inputs: {{x: [batch, 3]}}
        layers:
          - {{Linear: {{out_features: 2}}, name: layer, init: {{weight: {rule}}}}}
    """
    with pytest.raises(DiagnosticError) as caught:
        module_of(graph_of(text, tmp_path))
    (fault,) = caught.value.diagnostics
    assert fault.span is not None
    if fault.code != "NS574":  # the language refuses some already
        assert fault.code.startswith(("NS1", "NS2"))
    else:
        assert fault.text.startswith(rule[1 : rule.index(":")] + " cannot draw weight of layer layer: ")
