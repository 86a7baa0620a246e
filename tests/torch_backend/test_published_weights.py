"""State dicts as torchvision publishes them, loaded by their order into the specs: the same function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import netspec
from netspec.torch_backend.build import build
from netspec.torch_backend.given_weights import take
from tests.torch_backend.specs_as_modules import SPECS
from tests.torch_backend.torchvision_layouts import (
    VGG11,
    DenseNet121,
    MobileNetV2,
    ResNet18,
    with_statistics,
)

LAYOUTS = {ResNet18: 11_689_512, VGG11: 132_863_336, DenseNet121: 7_978_856, MobileNetV2: 3_504_872}

PUBLISHED = [
    ("resnet", "resnet18", {}, ResNet18),
    ("vgg", "vgg11", {"channels": "3", "classes": "1000"}, VGG11),
    ("densenet", "densenet121", {}, DenseNet121),
    ("mobilenet_v2", None, {}, MobileNetV2),
]
SIZE = 224  # what the published weights were trained for, and the one size that VGG's spec may fix


@pytest.mark.parametrize(
    ("layout", "params"), LAYOUTS.items(), ids=lambda case: getattr(case, "__name__", "")
)
def test_the_layouts_have_torchvision_s_parameters(layout: Callable[[], nn.Module], params: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in layout().parameters()) == params


def test_the_layouts_have_torchvision_s_names() -> None:
    with torch.device("meta"):
        names = {layout: list(layout().state_dict()) for layout in LAYOUTS}
    assert {layout: len(keys) for layout, keys in names.items()} == {
        ResNet18: 122,
        VGG11: 22,
        DenseNet121: 727,
        MobileNetV2: 314,
    }
    assert [name for name in names[ResNet18] if name.startswith("layer2.0") and name.endswith("weight")] == [
        "layer2.0.conv1.weight",
        "layer2.0.bn1.weight",
        "layer2.0.conv2.weight",
        "layer2.0.bn2.weight",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.weight",
    ]
    assert {name.rpartition(".")[0] for name in names[VGG11]} == {
        *(f"features.{number}" for number in (0, 3, 6, 8, 11, 13, 16, 18)),
        *(f"classifier.{number}" for number in (0, 3, 6)),
    }
    assert {
        "features.conv0.weight",
        "features.denseblock4.denselayer16.norm2.running_var",
        "features.transition3.conv.weight",
        "features.norm5.bias",
        "classifier.weight",
    } <= set(names[DenseNet121])
    assert {
        "features.0.1.weight",
        "features.1.conv.0.0.weight",
        "features.1.conv.2.weight",
        "features.17.conv.3.running_mean",
        "features.18.0.weight",
        "classifier.1.bias",
    } <= set(names[MobileNetV2])


@pytest.mark.parametrize(
    ("spec", "variant", "settings", "layout"), PUBLISHED, ids=lambda case: getattr(case, "__name__", "")
)
def test_published_weights_compute_the_same(
    spec: str,
    variant: str | None,
    settings: dict[str, str],
    layout: Callable[[], nn.Module],
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    published = with_statistics(layout())
    x = torch.randn(1, 3, SIZE, SIZE)
    with torch.no_grad():
        expected = published(x)
    torch.save(published.state_dict(), tmp_path / "published.pth")
    del published

    graph = netspec.check(SPECS / f"{spec}.yaml", variant=variant, settings=settings).graph
    module = build(graph, device="meta")
    taken = take(module, graph, tmp_path / "published.pth", "order")
    assert taken.warnings == ()
    with torch.no_grad():
        y = module.eval()(x)
    assert (y - expected).abs().max() <= 1e-5 * expected.abs().max()
