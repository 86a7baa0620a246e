"""Ejected networks draw their weights as the spec says."""

from __future__ import annotations

from typing import Any

import torch

from netspec.torch_backend.build import build
from netspec.torch_backend.eject import eject
from tests.torch_backend.ejected_cases import graph_of
from tests.torch_backend.ejecting import ejected_network


def drawn(text: str) -> tuple[Any, Any, str]:
    graph = graph_of(text)
    written = eject(graph)
    return build(graph), ejected_network(written), written


def test_fixed_rules_give_the_same_weights() -> None:
    own, ejected, text = drawn(
        """
netspec: 1
inputs: {x: [batch, 4]}
init: {Linear: {weight: {constant: {val: 0.25}}, bias: ones}}
layers:
  - Linear: {out_features: 2, bias: false}
  - {Linear: {out_features: 2}, parametrize: {weight_norm: {}}}
  - {Linear: {out_features: 2}, init: {weight: [[1, 2], [3, 4]], bias: zeros}}
  - {Parameter: {shape: [2]}, init: ones, name: shift}
  - {Add: {}, from: [shift, linear_3]}
outputs: {y: prev}
"""
    )
    expected = {name: tensor for name, tensor in own.state_dict().items() if "parametrizations" not in name}
    found = ejected.state_dict()
    assert all(found[name].equal(tensor) for name, tensor in expected.items())
    assert torch.equal(own.linear_2.weight, ejected.linear_2.weight)
    assert "for module in self.modules()" not in text  # no class has one rule for all


def test_rules_go_by_class_where_they_can() -> None:
    _, ejected, text = drawn(
        """
netspec: 1
inputs: {x: [batch, 9, 9]}
init:
  Linear: {weight: {normal: {mean: 3.0, std: 0.01}}, bias: {constant: {val: 3.0}}}
  Conv1d: {weight: zeros, bias: {uniform: {a: 5.0, b: 6.0}}}
layers:
  - Conv1d: {out_channels: 9, kernel_size: 1}
  - Linear: {out_features: 9}
  - {Linear: {out_features: 9, bias: false}, repeat: 2}
outputs: {y: prev}
"""
    )
    weights = ejected.state_dict()
    assert (weights["conv1d_1.weight"] == 0).all()
    assert ((weights["conv1d_1.bias"] >= 5) & (weights["conv1d_1.bias"] <= 6)).all()
    for name in ("linear_1.weight", "linear_2.0.weight", "linear_2.1.weight", "linear_1.bias"):
        assert torch.allclose(weights[name], torch.tensor(3.0), atol=0.1), name
    assert text.count("for module in self.modules()") == 1


def test_layers_inside_of_layers_keep_their_own_rules() -> None:
    _, ejected, text = drawn(
        """
netspec: 1
inputs: {x: [batch, 3, 8]}
init: {Linear: {weight: {constant: {val: 0.5}}}}
layers:
  - TransformerEncoderLayer: {nhead: 2, dim_feedforward: 8, batch_first: true}
  - {Linear: {out_features: 8}, repeat: 5}
outputs: {y: prev}
"""
    )
    for name, tensor in ejected.state_dict().items():
        if name.endswith("weight") and name.startswith("linear"):
            assert (tensor == 0.5).all(), name
        elif name.endswith("linear1.weight"):
            assert tensor.std() > 0, name
    assert "for name in (" in text
