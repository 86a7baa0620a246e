"""What `train:` chooses from, held against torch."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch.nn import functional

from netspec.language.source import parse
from netspec.language.training.kinds import KINDS, LOSSES, METRICS, OPTIMIZERS
from tests.language.training_text import refused, training

LOOPS_BUSINESS = {"self", "params", "foreach", "fused", "capturable", "differentiable"}
UNSUPPORTED = {"Optimizer", "LBFGS", "SparseAdam", "Adafactor", "Muon"}


def test_the_optimizers_are_those_of_torch() -> None:
    theirs = {name for name, cls in vars(torch.optim).items() if inspect.isclass(cls)}
    assert set(OPTIMIZERS.homes) == theirs - UNSUPPORTED


@pytest.mark.parametrize("name", OPTIMIZERS.homes)
def test_an_optimizer_has_the_arguments_and_defaults_of_torch(name: str) -> None:
    signature = inspect.signature(getattr(torch.optim, name))
    theirs = {key: its.default for key, its in signature.parameters.items() if key not in LOOPS_BUSINESS}
    fields = OPTIMIZERS.model(name).model_fields
    assert {key: field.default for key, field in fields.items()} == theirs


@pytest.mark.parametrize("name", OPTIMIZERS.homes)
def test_complete_arguments_make_an_optimizer(name: str) -> None:
    arguments = training(f"train: {{data: mnist, optimizer: {name}}}").optimizer.arguments
    made = getattr(torch.optim, name)([torch.zeros(1, requires_grad=True)], **arguments)
    assert {key: made.defaults[key] for key in arguments} == dict(arguments)


WRONG_NUMBERS = [
    ("SGD", "lr: -0.1"),
    ("SGD", "momentum: -1"),
    ("SGD", "weight_decay: -1"),
    ("SGD", "nesterov: true"),
    ("SGD", "nesterov: true, momentum: 0.9, dampening: 0.1"),
    ("Adam", "betas: [0.9, 1.0]"),
    ("Adam", "betas: [-0.1, 0.9]"),
    ("Adam", "eps: -1"),
    ("NAdam", "momentum_decay: -1"),
    ("Adagrad", "lr_decay: -1"),
    ("Adagrad", "initial_accumulator_value: -1"),
    ("Adadelta", "rho: 1.5"),
    ("RMSprop", "alpha: -1"),
    ("Rprop", "etas: [0.5, 0.9]"),
    ("Rprop", "etas: [1.0, 1.2]"),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG_NUMBERS)
def test_what_torch_refuses_is_refused(name: str, arguments: str) -> None:
    parsed = parse(f"{{{arguments}}}", "arguments", "yaml").value
    with pytest.raises(ValueError, match=r"Invalid|Nesterov"):
        getattr(torch.optim, name)([torch.zeros(1, requires_grad=True)], **parsed)
    (fault,) = refused(f"train: {{data: mnist, optimizer: {{{name}: {{{arguments}}}}}}}")
    assert fault.code == "NS204"


def test_the_losses_have_the_arguments_and_defaults_of_torch() -> None:
    functions: dict[str, Any] = {
        "cross_entropy": functional.cross_entropy,
        "mse": functional.mse_loss,
        "l1": functional.l1_loss,
        "huber": functional.huber_loss,
        "bce_with_logits": functional.binary_cross_entropy_with_logits,
    }
    assert set(functions) == set(LOSSES.homes)
    for name, function in functions.items():
        theirs = {key: its.default for key, its in inspect.signature(function).parameters.items()}
        for key, field in LOSSES.model(name).model_fields.items():
            assert theirs[key] == field.default, (name, key)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.key)
def test_defaults_of_what_is_left_out_are_those_of_its_model(kind: Any) -> None:
    for name in kind.homes:
        assert kind.model(name).__doc__
    if kind.default is not None:
        fields = kind.model(kind.default).model_fields
        assert {key: field.default for key, field in fields.items()} == dict(kind.defaults)


def test_metrics_are_of_losses_that_there_are() -> None:
    assert set(METRICS) <= set(LOSSES.homes)
