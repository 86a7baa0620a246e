"""`init`: which rule is whose, held against torch.nn.init for what the distributions are and take."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch.nn import init

from netspec.ir.graph import Distribution, InitRule, Values
from netspec.language.distributions import DISTRIBUTIONS, fits
from tests.language.spec_text import checked, codes, faults, graph, spec

LAYERS = """
- Conv2d: {out_channels: 4, kernel_size: 3}
  name: conv
- BatchNorm2d:
  name: norm
- Flatten
- Linear: {out_features: 2}
  name: dense
"""


def rules(layers: str, more: str = "") -> dict[str, str]:
    """The rule of each parameter that has one: `conv.weight` to `normal`."""
    network = graph(layers, more=more)
    return {f"{node.name}.{name}": described(rule) for node in network for name, rule in node.init.items()}


def described(rule: InitRule) -> str:
    return rule.name if isinstance(rule, Distribution) else f"values of {rule.shape}"


def test_one_rule_is_for_all_weights_of_two_dimensions_or_more() -> None:
    assert rules(LAYERS, "init: xavier_uniform") == {
        "conv.weight": "xavier_uniform",
        "dense.weight": "xavier_uniform",
    }


def test_rules_by_operation_and_parameter() -> None:
    more = """
    init:
      Conv2d: {weight: kaiming_normal, bias: zeros}
      BatchNorm2d: ones
      Linear: {orthogonal: {gain: 2}}
    """
    assert rules(LAYERS, more) == {
        "conv.weight": "kaiming_normal",
        "conv.bias": "zeros",
        "norm.weight": "ones",
        "dense.weight": "orthogonal",
    }


def test_a_step_goes_before_the_file() -> None:
    layers = """
    - Conv2d: {out_channels: 4, kernel_size: 3}
      init: {bias: ones}
      name: a
    - Conv2d: {out_channels: 4, kernel_size: 3}
      init: normal
      name: b
    - BatchNorm2d:
      init: zeros
      name: c
    """
    assert rules(layers, "init: {Conv2d: {weight: kaiming_uniform, bias: zeros}}") == {
        "a.weight": "kaiming_uniform",
        "a.bias": "ones",
        "b.weight": "normal",
        "b.bias": "zeros",
        "c.weight": "zeros",
    }


def test_every_repetition_has_its_rule() -> None:
    layers = "- Conv2d: {out_channels: 3, kernel_size: 1}\n  repeat: 2\n  name: a\n  init: {weight: eye}"
    assert codes(faults(layers)) == ["NS229"]
    assert rules(layers.replace("eye", "ones")) == {"a.0.weight": "ones", "a.1.weight": "ones"}


def test_literals() -> None:
    layers = "- Conv2d: {out_channels: 1, kernel_size: [1, 2]}\n  init: {weight: [[[[1, -1]]]], bias: [0.5]}"
    network = graph(layers, inputs="{image: [batch, 1, 6, 8]}")
    assert network.nodes[0].init == {
        "weight": Values((1, 1, 1, 2), (1.0, -1.0)),
        "bias": Values((1,), (0.5,)),
    }


def test_a_number_is_a_constant() -> None:
    network = graph("- Flatten\n- Linear: {out_features: 2}\n  init: {bias: -2}")
    assert network.nodes[1].init == {"bias": Distribution("constant", {"val": -2.0})}


def test_arguments_are_complete() -> None:
    network = graph(
        "- Flatten\n- Linear: {out_features: 2}\n  init: {weight: {kaiming_normal: {mode: fan_out}}}"
    )
    rule = network.nodes[1].init["weight"]
    assert rule == Distribution("kaiming_normal", {"a": 0.0, "mode": "fan_out", "nonlinearity": "leaky_relu"})


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions_are_those_of_torch(name: str) -> None:
    """Their arguments and defaults are torch's, but for the generator, and for what torch demands."""
    signature = inspect.signature(getattr(init, f"{name}_"))
    theirs = {
        parameter.name: parameter.default
        for parameter in signature.parameters.values()
        if parameter.name not in ("tensor", "generator")
    }
    ours = {field: info.get_default() for field, info in DISTRIBUTIONS[name].model_fields.items()}
    assert ours.keys() == theirs.keys()
    for argument, default in theirs.items():
        if default is not inspect.Parameter.empty:
            assert ours[argument] == default


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2), (4, 3, 2, 2), (4, 3, 2, 2, 2)])
def test_a_rule_fits_where_torch_can_fill(name: str, shape: tuple[int, ...]) -> None:
    arguments = {"constant": {"val": 1.0}, "sparse": {"sparsity": 0.5}}.get(name, {})
    rule = Distribution(name, DISTRIBUTIONS[name].model_validate(arguments).model_dump())
    try:
        getattr(init, f"{name}_")(torch.empty(shape), **rule.arguments)
        filled = True
    except ValueError:
        filled = False
    assert fits(rule, shape) == filled


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("gauss", "NS223"),
        ("{normal: {sdt: 1}}", "NS206"),
        ("{normal: {std: -1}}", "NS204"),
        ("{normal: 3}", "NS230"),
        ("constant", "NS207"),
        ("{uniform: {a: 2, b: 1}}", "NS204"),
        ("true", "NS204"),
        ("{a: 1, b: 2}", "NS228"),
        ("[[1], [2, 3]]", "NS204"),
        ("[[1, 2]]", "NS229"),
        ("{nothing: zeros}", "NS228"),
        ("eye", None),
        ("{sparse: {sparsity: 2}}", "NS204"),
        ("{dirac: {groups: 0}}", "NS204"),
        ("dirac", "NS229"),
        ("9" * 400, "NS204"),
    ],
)
def test_rules_that_are_refused(rule: str, code: str | None) -> None:
    layers = f"- Flatten\n- Linear: {{out_features: 2}}\n  init: {rule}"
    if code is None:
        graph(layers)
    else:
        assert set(codes(faults(layers))) == {code}


def test_a_rule_that_no_layer_needs_is_a_warning() -> None:
    text = spec(LAYERS, more="init: {Conv2d: zeros, LogSoftmax: zeros}")
    assert [found.code for found in checked(text).warnings] == ["NS231"]


def test_a_parameter_that_only_some_layers_have() -> None:
    layers = """
    - Conv2d: {out_channels: 4, kernel_size: 1, bias: false}
    - Conv2d: {out_channels: 4, kernel_size: 1}
    """
    assert rules(layers, "init: {Conv2d: {bias: zeros}}") == {"conv2d_2.bias": "zeros"}
    without = layers.replace("kernel_size: 1}", "kernel_size: 1, bias: false}")
    assert codes(faults(without, more="init: {Conv2d: {bias: zeros}}")) == ["NS228"]
