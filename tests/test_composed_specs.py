"""The specs that are composed of blocks: their figures and shapes, and those of every variant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from netspec import build, check
from netspec.analysis.table import Row, Table, tabulate
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.ir.tensor import evaluate
from netspec.language.expand import expand, expanded_yaml
from netspec.language.source import read
from netspec.pipeline import check_text
from netspec.verify.certificate import Verdict
from tests.pages import ROOT

SPECS = ROOT / "specs"
LINES = 80  # that a spec may have, so that it fits on a page


class Case(NamedTuple):
    """A spec, one of its variants, and parameters that it is given."""

    spec: str
    variant: str | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def graph(self) -> Graph:
        return check(SPECS / f"{self.spec}.yaml", variant=self.variant, settings=dict(self.settings)).graph

    def table(self) -> Table:
        return tabulate(self.graph())

    @property
    def name(self) -> str:
        return self.variant or self.spec


def every_case() -> list[Case]:
    found = []
    for path in sorted(SPECS.glob("*.yaml")):
        variants = read(path).value.get("variants") or {}
        found += [Case(path.stem, variant) for variant in (None, *variants)]
    return found


CASES = every_case()
every = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.spec}-{case.name}")

THREE = (("channels", "3"), ("classes", "1000"))  # the networks as published: colour, 1,000 classes

PARAMETERS = {
    Case("alexnet_lrn"): 60_965_224,
    Case("vgg"): 128_806_154,
    Case("vgg", "vgg11"): 128_806_154,
    Case("vgg", "vgg11_small"): 43_093_322,
    Case("vgg", "vgg11", THREE): 132_863_336,
    Case("vgg", "vgg13", THREE): 133_047_848,
    Case("vgg", "vgg16", THREE): 138_357_544,
    Case("vgg", "vgg19", THREE): 143_667_240,
    Case("vgg", "vgg11_bn", THREE): 132_868_840,
    Case("vgg", "vgg13_bn", THREE): 133_053_736,
    Case("vgg", "vgg16_bn", THREE): 138_365_992,
    Case("vgg", "vgg19_bn", THREE): 143_678_248,
    Case("nin"): 1_992_166,
    Case("googlenet"): 5_977_530,
    Case("resnet18"): 11_178_378,
    Case("resnet", "resnet18"): 11_689_512,
    Case("resnet", "resnet34"): 21_797_672,
    Case("resnet", "resnet50"): 25_557_032,
    Case("resnet", "resnet101"): 44_549_160,
    Case("resnet", "resnet152"): 60_192_808,
    Case("densenet"): 758_226,
    Case("densenet", "densenet121"): 7_978_856,
    Case("densenet", "densenet169"): 14_149_480,
    Case("densenet", "densenet201"): 20_013_928,
    Case("mobilenet_v2"): 3_504_872,
    Case("squeezenet"): 1_235_496,
    Case("shufflenet_v2"): 2_278_604,
    Case("efficientnet"): 5_288_548,
    Case("convnext"): 28_589_128,
    Case("vit"): 86_567_656,
}
"""As in the reference systems, and for the published networks as torchvision counts them."""

MULTIPLY_ADDS = {  # of one sample, at this height and width where they are open
    Case("vgg"): (7_547_232_256, 0),
    Case("vgg", "vgg11_small"): (512_155_648, 0),
    Case("nin"): (762_297_352, 0),
    Case("googlenet"): (276_066_304, 0),
    Case("resnet18"): (1_734_890_496, 224),
    Case("densenet"): (129_077_168, 96),
}

SHAPES = {
    Case("vgg"): (0, "64x112x112 128x56x56 256x28x28 512x14x14 512x7x7 25088 4096 4096 10"),
    Case("googlenet"): (0, "64x24x24 192x12x12 480x6x6 832x3x3 1024 10"),
    Case("resnet18"): (224, "64x56x56 64x56x56 128x28x28 256x14x14 512x7x7 512x1x1 512 10"),
}
"""The shapes after each stage: a stage ends where the next step is a pool, a loop's iteration or flat."""


def size_of(row: Row, size: int) -> str:
    values = {"batch": 1, "H": size, "W": size}
    return "x".join(str(evaluate(length, values)) for length in row.output.known[1:])


@pytest.mark.parametrize("case", PARAMETERS, ids=lambda case: case.name)
def test_the_parameters_are_counted(case: Case) -> None:
    assert case.table().params == PARAMETERS[case]


@pytest.mark.parametrize("case", MULTIPLY_ADDS, ids=lambda case: case.name)
def test_the_multiply_adds_are_counted(case: Case) -> None:
    expected, size = MULTIPLY_ADDS[case]
    macs = case.table().macs
    assert evaluate(macs, {"batch": 1, "H": size, "W": size}) == expected


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.name)
def test_the_stages_have_their_shapes(case: Case) -> None:
    size, expected = SHAPES[case]
    shapes = [size_of(row, size) for row in case.table().rows]
    found = iter(shapes)
    for shape in expected.split():
        assert shape in found, f"{shape} does not come in its turn"  # `in` goes on where it stopped


INCEPTION = """
netspec: 1
inputs: {x: [1, 192, 28, 28]}
params: {kernel: 0}
use: [googlenet.yaml]
layers:
  - if: $kernel == 0
    then: [{Inception: {c1: 64, c2: [96, 128], c3: [16, 32], c4: 32}}]
    else: [{Conv2d: {out_channels: 256, kernel_size: $kernel, padding: $kernel // 2}}]
"""


@pytest.mark.parametrize(
    ("kernel", "millions", "macs"), [("0", 0.16, 128), ("3", 0.44, 346), ("5", 1.22, 963)]
)
def test_an_inception_block_costs_less_than_one_wide_convolution(
    kernel: str, millions: float, macs: int, tmp_path: Path
) -> None:
    for name, text in (
        ("googlenet.yaml", (SPECS / "googlenet.yaml").read_text(encoding="utf-8")),
        ("one.yaml", INCEPTION),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    table = tabulate(check(tmp_path / "one.yaml", settings={"kernel": kernel}).graph)
    # What is published is cut off, not rounded.
    assert table.params // 10_000 / 100 == millions
    assert isinstance(table.macs, int)
    assert table.macs // 1_000_000 == macs


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_spec_fits_on_a_page(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


@every
def test_a_spec_checks_without_a_warning(case: Case) -> None:
    checked = check(SPECS / f"{case.spec}.yaml", variant=case.variant)
    assert checked.warnings == ()
    assert checked.graph.name == case.name


@every
def test_the_expanded_spec_is_the_same_graph(case: Case) -> None:
    graph = case.graph()
    flat = expand(graph)
    text = "".join(f"{line}\n" for line in expanded_yaml(flat))
    for again in (
        check_text(text, "flat.yaml", format="yaml").graph,
        check_text(json.dumps(flat), "flat.json").graph,
        check_text(json.dumps(graph.resolved), "resolved.json").graph,
    ):
        assert graph_hash(again) == graph_hash(graph)
        assert beside(again) == beside(graph)
        assert again.bounds == graph.bounds
    assert not {"blocks", "params", "use", "variants"} & set(flat)
    assert "$" not in text


def beside(graph: Graph) -> list[Any]:
    """What a graph's hash leaves out, of every layer."""
    return [(node.init, node.shares, node.slots, node.parametrize) for node in graph]


SMALL: dict[str, dict[str, str]] = {
    "audio": {"width": "8"},
    "convnext": {"widths": "[8, 16, 24, 32]", "depths": "[1, 1, 2, 1]"},
    "densenet": {"depths": "[2, 2, 1, 1]", "growth": "8", "stem": "16"},
    "googlenet": {},
    "gru": {"width": "16"},
    "lstm": {"width": "16"},
    "mobilenet_v2": {"multiplier": "0.25", "classes": "10"},
    "resnet": {"depths": "[1, 1, 1, 1]", "classes": "10"},
    "resnet18": {},
    "segnet": {"width": "8"},
    "shufflenet_v2": {"widths": "[24, 48, 96]", "head": "64", "classes": "10"},
    "squeezenet": {"classes": "10"},
    "transformer": {"width": "16"},
    "two_views": {},
    "unet": {"width": "8", "depth": "2"},
    "video": {"width": "4"},
    "vit": {"width": "48", "depth": "2", "heads": "3", "patch": "32"},
}
"""Composed specs at sizes that build in seconds; `make specs` builds all of them as they are."""

LARGE = {"alexnet_lrn", "efficientnet", "nin", "vgg"}
"""What is not built here for its size: `make specs` does."""


def test_every_composed_spec_is_built() -> None:
    flat = {"alexnet", "edge_detector", "lenet", "lenet5", "lenet_bn", "simple_convnet"}
    assert {*SMALL} | LARGE | flat == {case.spec for case in CASES}


@pytest.mark.parametrize("spec", SMALL)
def test_a_spec_builds_with_every_gate_passed(spec: str, tmp_path: Path) -> None:
    built = build(SPECS / f"{spec}.yaml", settings=SMALL[spec], out=tmp_path)
    assert {gate.name: gate.verdict for gate in built.certificate.gates} == {
        "consistency": Verdict.PASSED,
        "semantic": Verdict.PASSED,
        "rounding": Verdict.PASSED,
    }
