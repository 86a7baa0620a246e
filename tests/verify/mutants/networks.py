"""The networks whose exports are mutated, each with the weights that it starts from and with trained ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netspec.ir.graph import Graph
from netspec.pipeline import Checked, check, check_text
from netspec.torch_backend.build import build
from netspec.torch_backend.calibrate import calibrate, has_statistics
from netspec.torch_backend.weights import arrays
from netspec.verify.inputs import drawn_batch
from netspec.verify.publishing import CALIBRATION_BATCH
from netspec.verify.tolerance import Array

SPECS = Path(__file__).parents[3] / "specs"

MISCELLANY = """
netspec: 1
name: miscellany
inputs: {image: {shape: [batch, 4, H, W], preprocess: {scale: 0.5, mean: 0.25}}}
dims: {H: {min: 8, multiple_of: 4}, W: {min: 8, multiple_of: 4}}
layers:
  - Conv2d: {out_channels: 8, kernel_size: 3, padding: 2, dilation: 2, groups: 2}
  - LeakyReLU: {negative_slope: 0.1}
  - InstanceNorm2d: {affine: true}
  - ELU: {alpha: 0.5}
  - ConstantPad2d: {padding: [1, 1, 0, 2], value: 0.5}
  - ConvTranspose2d: {out_channels: 6, kernel_size: 3, stride: 2, padding: 1, output_padding: 1}
  - PReLU: {num_parameters: 6}
  - Clamp: {min: -2.0, max: 4.0}
  - GroupNorm: {num_groups: 3}
  - Hardsigmoid
  - AvgPool2d: {kernel_size: 3, stride: 2, padding: 1, count_include_pad: false}
  - LocalResponseNorm: {size: 3}
  - Upsample: {scale_factor: 2, mode: bilinear}
  - Permute: {dims: [0, 2, 3, 1]}
  - LayerNorm
  - Linear: {out_features: 5}
  - Softplus
  - Permute: {dims: [0, 3, 1, 2]}
  - MaxPool2d: {kernel_size: 2}
  - Softmax: {dim: 1}
    name: shares
outputs: {shares: {from: shares, labels: [a, b, c, d, e]}}
"""

SMALL: dict[str, dict[str, str]] = {
    "lenet": {},
    "lenet_bn": {},
    "simple_convnet": {},
    "edge_detector": {},
    "two_views": {"width": "8"},
    "gru": {"width": "12"},
    "lstm": {"width": "12", "vocabulary": "40"},
    "transformer": {"width": "16", "vocabulary": "40"},
    "convnext": {"depths": "[1, 1, 1, 1]", "widths": "[8, 8, 12, 12]"},
    "segnet": {"width": "4"},
    "unet": {"width": "4", "depth": "2"},
}
"""Specs by name, with the parameters that make them small."""

TRAINED = ("lenet", "lenet_bn", "simple_convnet")
"""Those that are trained on Fashion-MNIST; the others take weights that no initialisation draws."""

EPOCHS = 2


@dataclass(frozen=True)
class Network:
    """A network with weights; `weights_are` says where these come from."""

    checked: Checked
    weights: Mapping[str, Array]
    weights_are: str

    @property
    def graph(self) -> Graph:
        return self.checked.graph

    @property
    def name(self) -> str:
        return f"{self.graph.name}, {self.weights_are}"


def names() -> tuple[str, ...]:
    """All networks."""
    return (*SMALL, "miscellany")


def networks(name: str) -> Iterator[Network]:
    """One network, untrained and trained."""
    checked = _checked(name)
    yield Network(checked, drawn(checked.graph), "untrained")
    if name in TRAINED:
        yield Network(checked, trained(name), "trained")
    else:
        yield Network(checked, shaken(checked.graph), "shaken")


def _checked(name: str) -> Checked:
    if name == "miscellany":
        return check_text(MISCELLANY, name, format="yaml")
    return check(SPECS / f"{name}.yaml", settings=SMALL[name])


def drawn(graph: Graph, seed: int = 0) -> Mapping[str, Array]:
    """The weights of an untrained network, as `build` makes them."""
    from torch import from_numpy

    module = build(graph, seed=seed)
    if has_statistics(module):
        feeds = drawn_batch(graph, CALIBRATION_BATCH, seed)
        calibrate(module, [from_numpy(feeds[entry.name]) for entry in graph.inputs])
    return arrays(module.eval())


def shaken(graph: Graph, seed: int = 0) -> Mapping[str, Array]:
    """Weights as training leaves them: none is zero, one, or equal to its neighbour."""
    draw = np.random.default_rng(seed)
    weights = {}
    for name, array in drawn(graph, seed).items():
        spread = 0.2 * (np.std(array) or 0.5)
        moved = array * draw.uniform(0.8, 1.25, array.shape)
        if not name.endswith("running_var"):
            moved = moved + spread * draw.standard_normal(array.shape)
        weights[name] = moved.astype(array.dtype)
    return weights


def trained(name: str) -> Mapping[str, Array]:
    """The weights after a short training."""
    from safetensors.numpy import load_file

    from tests.train.running import run

    short = check(SPECS / f"{name}.yaml", settings={**SMALL[name], "train.epochs": str(EPOCHS)})
    with tempfile.TemporaryDirectory() as folder:
        run(short, Path(folder))
        (saved,) = Path(folder).glob("*/last.safetensors")
        return load_file(saved)
