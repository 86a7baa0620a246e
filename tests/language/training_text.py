"""Networks with a `train` section, for the tests of what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.graph import Graph
from netspec.ir.training import Named, Training
from netspec.pipeline import check_text

NETWORK = """\
netspec: 1
name: net
inputs: {image: [batch, 1, 28, 28]}
params: {lr: 0.25, classes: 10, data: mnist}
variants: {slow: {lr: 0.5}}
layers:
  - Flatten
  - Linear: {out_features: $classes}
    name: logits
  - Softmax: {dim: 1}
    name: probabilities
outputs: [logits, probabilities]
"""
SHORT = "train: {data: fashion-mnist, optimizer: SGD}"

FULL = """\
train:
  data: {folder: flowers/2024}
  epochs: 3
  batch_size: 64
  optimizer: {AdamW: {lr: $lr, betas: [0.5, 0.75]}}
  schedule: {one_cycle: {warmup: 1}}
  loss: {cross_entropy: {weight: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0], reduction: sum}}
  metrics: [per_class, top5, per_class]
  precision: bf16
  augment: {flip: true, crop: 4}
  clip: 5
  accumulate: 2
  ema: 0.99
  seed: 7
  validate_on: 0.1
  sync_batch_norm: true
  output: logits
"""


def trained(section: str, network: str = NETWORK, **settings: str) -> Graph:
    """The graph of a network with this `train` section; settings are written with _ for the dots."""
    named = {f"train.{name.replace('__', '.')}": value for name, value in settings.items()}
    return check_text(f"{network}{section}\n", "net.yaml", format="yaml", settings=named).graph


def training(section: str, network: str = NETWORK, **settings: str) -> Training:
    found = trained(section, network, **settings).training
    assert found is not None
    return found


def refused(section: str, network: str = NETWORK, **settings: str) -> list[Diagnostic]:
    with pytest.raises(DiagnosticError) as caught:
        trained(section, network, **settings)
    return list(caught.value.diagnostics)


def chosen(named: Named) -> tuple[str, dict[str, Any]]:
    return named.name, dict(named.arguments)


def plain(found: Training | None) -> dict[str, Any]:
    """A Training without its places."""
    assert found is not None
    whole = {key: value for key, value in found._asdict().items() if key not in ("span", "entries")}
    return {key: chosen(value) if isinstance(value, Named) else value for key, value in whole.items()}
