"""`netspec eject` on every spec: the same state dict, the very same outputs, and a file that reads well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from netspec import check
from netspec.ir.graph import Graph
from netspec.language.expand import expand
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from netspec.torch_backend.eject import eject
from netspec.torch_backend.eject.recorded import undrawn
from tests.torch_backend.ejecting import assert_same, ejected_network, feeds, imports, pair, types

SPECS = Path(__file__).parents[2] / "specs"
GOLDENS = Path(__file__).parent / "ejected"

# Parameters of specs whose sizes make no difference to the file but for its numbers, and much to the time.
SMALLER = {
    "video": {"width": "2"},
    "vit": {"width": "48", "depth": "3"},
    "vgg": {"divide": "32"},
}
SIZES = {"batch": 1, "H": 64, "W": 64, "length": 6, "samples": 2000}


def variants() -> list[tuple[str, str | None]]:
    """Every spec as it is and in each of its variants."""
    found: list[tuple[str, str | None]] = []
    for path in sorted(SPECS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [(path.stem, None), *((path.stem, name) for name in document.get("variants", ()))]
    return found


every_variant = pytest.mark.parametrize(
    ("name", "variant"), variants(), ids=lambda value: "plain" if value is None else value
)


@cache
def graph_of(name: str, variant: str | None) -> Graph:
    return check(SPECS / f"{name}.yaml", variant=variant).graph


@cache
def text_of(name: str, variant: str | None) -> str:
    return eject(graph_of(name, variant))


@every_variant
def test_the_file_stands_alone_and_has_the_same_state_dict(name: str, variant: str | None) -> None:
    text = text_of(name, variant)
    assert imports(text) <= {"torch", "collections", "typing"}
    with undrawn():
        own, ejected = build(graph_of(name, variant), device="meta"), ejected_network(text)
    assert types(ejected) == types(own)


@every_variant
def test_it_computes_the_very_same(name: str, variant: str | None) -> None:
    graph = check(SPECS / f"{name}.yaml", variant=variant, settings=SMALLER.get(name, {})).graph
    own, ejected = pair(graph, drawn=False)
    assert_same(own, ejected, feeds(graph, SIZES))


@pytest.mark.parametrize("name", ["convnext", "lstm", "segnet", "shufflenet_v2", "transformer"])
def test_it_trains_the_same(name: str) -> None:
    graph = graph_of(name, None)
    own, ejected = pair(graph, drawn=False)
    given = feeds(graph, SIZES | {"batch": 2, "H": 32, "W": 32})
    assert_same(own.train(), ejected.train(), given)
    for (key, expected), found in zip(own.state_dict().items(), ejected.state_dict().values(), strict=True):
        assert expected.equal(found), key


def test_ruff_finds_nothing_to_do(tmp_path: Path) -> None:
    for name, variant in variants():
        (tmp_path / f"{variant or name}.py").write_text(text_of(name, variant), encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,W,I,B,C4,UP", "--ignore", "E501"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["lenet_bn", "resnet18", "segnet", "transformer", "unet"])
def test_it_reads_as_expected(name: str) -> None:
    """After a change on purpose UPDATE_GOLDEN=1 writes the files anew; read them as a user would."""
    golden = GOLDENS / f"{name}.txt"
    text = text_of(name, None)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_same_graph_gives_the_same_text() -> None:
    assert eject(check(SPECS / "googlenet.yaml").graph) == text_of("googlenet", None)


def test_it_runs_as_a_script_without_netspec(tmp_path: Path) -> None:
    path = tmp_path / "lenet.py"
    path.write_text(text_of("lenet", None), encoding="utf-8")
    alone = "import sys; sys.modules['netspec'] = None; sys.argv = sys.argv[1:]; import runpy; "
    done = subprocess.run(
        [sys.executable, "-c", f"{alone}runpy.run_path(sys.argv[0], run_name='__main__')", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "61,706 parameters\n"


def test_an_expanded_spec_folds_again() -> None:
    flat = check_text(json.dumps(expand(graph_of("resnet", "resnet34"))), "flat.json").graph
    own, ejected = pair(flat, drawn=False)
    assert_same(own, ejected, feeds(flat, SIZES))
    assert eject(flat).count("nn.Conv2d(") < 20 < [type(node.op).__name__ for node in flat].count("Conv2d")
