"""`share` and `parametrize`: whose weights a layer uses, and how they are computed."""

from __future__ import annotations

import json

import pytest
import torch

from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.language.expand import expand
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from tests.language.spec_text import codes, faults, graph, reads


def owners(network: Graph) -> dict[str, str]:
    """Whose weights each layer uses, by the layer's name."""
    return {node.name: node.owner for node in network}


def weights(network: Graph) -> list[str]:
    """The state dict's keys."""
    return list(build(network, seed=0).state_dict())


BLOCKS = """
blocks:
  Mix:
    params: {width: 32}
    layers:
      - {Linear: {out_features: $width}, name: first}
      - {Linear: {out_features: $width}, share: first}
      - {Inner: , repeat: 2}
  Inner: {layers: [BatchNorm2d, {Linear: {out_features: $in.features}}]}
"""


def test_a_layer_uses_the_weights_of_an_earlier_one() -> None:
    network = graph(
        """
        - {Linear: {out_features: 32}, name: first}
        - {Linear: {out_features: 32}, share: first}
        - {Linear: {out_features: 32}, share: linear_2, name: last}
        - {Linear: {out_features: 32}, share: first, repeat: 2}
        """
    )
    assert owners(network) == dict.fromkeys(
        ["first", "linear_2", "last", "linear_4.0", "linear_4.1"], "first"
    )
    assert weights(network) == ["first.weight", "first.bias"]


def test_the_same_module_is_called_twice() -> None:
    network = graph("- {Linear: {out_features: 32}, name: a}\n- {Linear: {out_features: 32}, share: a}")
    module = build(network, seed=0).eval()
    image = torch.randn(1, 3, 32, 32)
    linear = module.get_submodule("a")
    assert torch.equal(module(image), linear(linear(image)))


def test_a_block_uses_the_weights_of_an_earlier_instance() -> None:
    network = graph(
        """
        - {Mix: , name: a}
        - {Mix: , share: a}
        - {Mix: , share: mix_2, name: b}
        - {Mix: , share: b, repeat: 2}
        - {Mix: , share: mix_4.1}
        """,
        more=BLOCKS,
    )
    own = [
        *("first", "first", "inner_1.0.batch_norm2d_1", "inner_1.0.linear_1"),
        *("inner_1.1.batch_norm2d_1", "inner_1.1.linear_1"),
    ]
    assert list(owners(network).values()) == [f"a.{name}" for name in own] * 6
    assert {scope.shares for scope in network.scopes if scope.block == "Mix"} == {None, "a"}
    assert {name.split(".")[0] for name in weights(network)} == {"a"}


def test_inside_a_block_names_are_its_own() -> None:
    network = graph("- {Mix: , name: a}\n- Mix", more=BLOCKS)
    assert owners(network)["a.linear_2"] == "a.first"
    assert owners(network)["mix_2.linear_2"] == "mix_2.first"


def test_iterations_share_with_one_another_and_with_what_is_outside() -> None:
    network = graph(
        """
        - {Linear: {out_features: 32}, name: outside}
        - for: {i: [0, 1]}
          name: s
          do:
            - {Linear: {out_features: 32}, name: own}
            - {Linear: {out_features: 32}, share: own}
            - {Linear: {out_features: 32}, share: outside}
        - {Linear: {out_features: 32}, share: s.1.own}
        - branches: {x: [{Linear: {out_features: 32}, share: s.0.own}], y: []}
          merge: Add
        """
    )
    assert owners(network) == {
        "outside": "outside",
        "s.0.own": "s.0.own",
        "s.0.linear_2": "s.0.own",
        "s.0.linear_3": "outside",
        "s.1.own": "s.1.own",
        "s.1.linear_2": "s.1.own",
        "s.1.linear_3": "outside",
        "linear_2": "s.1.own",
        "x.linear_1": "s.0.own",
        "add_1": "add_1",
    }


def test_arguments_that_come_to_the_same_are_the_same() -> None:
    network = graph(
        "- {Linear: {out_features: 32, bias: true}, name: a}\n- {Linear: {out_features: $n}, share: a}",
        more="params: {n: 32}",
    )
    assert owners(network)["linear_2"] == "a"


def test_a_merge_may_share() -> None:
    network = graph(
        """
        - branches: {x: [], y: [ReLU]}
          merge: {Bilinear: {out_features: 32}, name: a}
        - branches: {x: [], y: [ReLU]}
          merge: {Bilinear: {out_features: 32}, share: a}
        """
    )
    assert owners(network)["bilinear_2"] == "a"


def test_rules_for_weights_are_those_of_the_owner() -> None:
    network = graph(
        "- {Linear: {out_features: 32}, name: a, init: ones}\n- {Linear: {out_features: 32}, share: a}",
        more="init: zeros",
    )
    first, second = network
    assert first.init.keys() == {"weight"}
    assert second.init == {}


@pytest.mark.parametrize("key", ["init: zeros", "parametrize: weight_norm"])
def test_a_layer_that_shares_has_no_weights_of_its_own(key: str) -> None:
    layers = (
        f"- {{Linear: {{out_features: 32}}, name: a}}\n- {{Linear: {{out_features: 32}}, share: a, {key}}}"
    )
    assert codes(faults(layers)) == ["NS202"]


def test_instances_with_other_arguments_share_nothing() -> None:
    found = faults("- {Mix: , name: mix}\n- {Mix: {width: 31}, share: mix}", more=BLOCKS)
    assert set(codes(found)) == {"NS249"}


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("{Linear: {out_features: 31}, share: a}", "NS249"),
        ("{Linear: {out_features: 32, bias: false}, share: a}", "NS249"),
        ("{Bilinear: {out_features: 32}, from: [prev, prev], share: a}", "NS249"),
        ("{ReLU: , share: a}", "NS249"),
        ("{Mix: , share: a}", "NS249"),
        ("{Inner: , share: mix}", "NS249"),
        ("{Linear: {out_features: 32}, share: mix}", "NS249"),
        ("{Linear: {out_features: 32}, share: narrow}", "NS249"),
        ("{Linear: {out_features: 32}, share: nothing}", "NS212"),
        ("{Linear: {out_features: 32}, share: later}", "NS213"),
        ("{Linear: {out_features: 32}, share: linear_4}", "NS213"),
        ("{Linear: {out_features: 32}, share: mix.first}", "NS204"),
        ("{Linear: {out_features: 32}, share: gone}", "NS243"),
        ("{Linear: {out_features: 32}, share: image}", "NS204"),
        ("{Linear: {out_features: 32}, share: prev}", "NS204"),
        ("{Linear: {out_features: 32}, share: twice}", "NS204"),
        ("{Linear: {out_features: 32}, share: pool.indices}", "NS204"),
        ("{Linear: {out_features: 32}, share: twice.*}", "NS215"),
        ("{Linear: {out_features: 32}, share: [a]}", "NS204"),
    ],
)
def test_weights_that_cannot_be_shared(step: str, code: str) -> None:
    found = faults(
        f"""
        - {{Linear: {{out_features: 32}}, name: a}}
        - {{Mix: , name: mix}}
        - {{MaxPool2d: {{kernel_size: 3, stride: 1, padding: 1, return_indices: true}}, name: pool}}
        - {{Linear: {{out_features: 32}}, if: false, name: gone}}
        - {{ReLU: , repeat: 2, name: twice}}
        - {{Linear: {{out_features: 32, bias: false}}, name: narrow}}
        - {step}
        - {{Linear: {{out_features: 32}}, name: later}}
        """,
        more=BLOCKS,
    )
    assert codes(found) == [code]


def test_inputs_must_have_the_same_channels() -> None:
    layers = """
    - {Conv2d: {out_channels: 5, kernel_size: 1}, name: a}
    - {Conv2d: {out_channels: 5, kernel_size: 1}, share: a}
    """
    (fault,) = faults(layers)
    assert fault.code == "NS249"
    assert fault.text.endswith("its input is (batch, 5, 32, 32), the other's (batch, 3, 32, 32)")


def test_what_is_shared_stays_so_in_the_flat_and_the_resolved_spec() -> None:
    network = graph(
        """
        - {Mix: , name: a}
        - {Mix: , share: a}
        - {Linear: {out_features: 32}, name: b, parametrize: weight_norm}
        - {Linear: {out_features: 32}, share: b}
        """,
        more=BLOCKS,
    )
    for written in (expand(network), network.resolved):
        again = check_text(json.dumps(written), "again.json").graph
        assert graph_hash(again) == graph_hash(network)
        assert owners(again) == owners(network)
    assert weights(check_text(json.dumps(expand(network)), "again.json").graph) == weights(network)


# Computed weights


def rules(network: Graph) -> dict[str, dict[str, dict[str, object]]]:
    return {
        node.name: {rule: dict(arguments) for rule, arguments in node.parametrize.items()}
        for node in network
        if node.parametrize
    }


def test_a_weight_is_computed_from_others() -> None:
    network = graph(
        """
        - {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: weight_norm}
        - {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: {weight_norm: {dim: $axis}}}
        - {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: {spectral_norm: }}
        - Conv2d: {out_channels: 4, kernel_size: 3}
          parametrize: {spectral_norm: {n_power_iterations: 3}}
          repeat: 2
        - {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: }
        """,
        more="params: {axis: -1}",
    )
    spectral = {"n_power_iterations": 1, "eps": 1e-12, "dim": None}
    assert rules(network) == {
        "conv2d_1": {"weight_norm": {"dim": 0}},
        "conv2d_2": {"weight_norm": {"dim": -1}},
        "conv2d_3": {"spectral_norm": spectral},
        "conv2d_4.0": {"spectral_norm": {**spectral, "n_power_iterations": 3}},
        "conv2d_4.1": {"spectral_norm": {**spectral, "n_power_iterations": 3}},
    }
    module = build(network, seed=0).eval()
    assert module(torch.zeros(1, 3, 32, 32)).shape == (1, 4, 20, 20)
    kernel = module.get_submodule("conv2d_1").weight
    assert kernel.shape == (4, 3, 3, 3)
    assert "conv2d_1.weight" not in module.state_dict()


def test_every_instance_of_a_block_computes_its_own() -> None:
    more = "blocks: {A: {layers: [{Linear: {out_features: 32}, parametrize: spectral_norm}]}}"
    network = graph("- A\n- A\n- {A: , share: a_1}", more=more)
    assert rules(network).keys() == {"a_1.linear_1", "a_2.linear_1"}
    assert not [name for name in weights(network) if name.startswith("a_3")]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("weightnorm", "NS257"),
        ("{weightnorm: {}}", "NS257"),
        ("{weight_norm: {axis: 1}}", "NS206"),
        ("{weight_norm: {dim: x}}", "NS204"),
        ("{weight_norm: {dim: 4}}", "NS258"),
        ("{weight_norm: {dim: -5}}", "NS258"),
        ("{weight_norm: 1}", "NS230"),
        ("{weight_norm: []}", "NS230"),
        ("{spectral_norm: {eps: 0}}", "NS204"),
        ("{spectral_norm: {n_power_iterations: 0}}", "NS204"),
        ("{weight_norm: {dim: $missing}}", "NS147"),
        ("{weight_norm: {}, spectral_norm: {}}", "NS204"),
        ("[weight_norm]", "NS204"),
        ("true", "NS204"),
        ("{}", "NS204"),
    ],
)
def test_computed_weights_that_are_refused(rule: str, code: str) -> None:
    layers = f"- Conv2d: {{out_channels: 4, kernel_size: 3}}\n  parametrize: {rule}"
    assert codes(faults(layers)) == [code]


@pytest.mark.parametrize("step", ["ReLU", "BatchNorm2d", "Identity"])
def test_a_layer_without_a_matrix_has_nothing_to_compute(step: str) -> None:
    assert codes(faults(f"- {step}:\n  parametrize: weight_norm")) == ["NS258"]


def test_only_layers_are_shared() -> None:
    network = graph("- {ReLU: , name: a}\n- {ReLU: , share: a}")
    assert reads(network) == {"a": ["image"], "relu_2": ["a"]}
    assert owners(network)["relu_2"] == "a"
