"""How much of a graph a picture shows: levels, limits, and the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.drawing import draw, picture
from netspec.drawing.metrics import width
from netspec.ir.graph import Graph
from netspec.ops.shape import Identity
from tests.drawing.reading import EVERYTHING, SPECS, SVG, graph_of, of_kind, one, parts, spec


def shown(graph: Graph, depth: int | None = None) -> int:
    found = parts(draw(graph, depth=depth).svg)
    return len(of_kind(found, "layer")) + len(of_kind(found, "closed"))


def test_closed_boxes_stand_for_what_is_in_them() -> None:
    found = parts(draw(spec("googlenet"), depth=1).svg)
    assert not of_kind(found, "box")
    first = one(found, "closed", "inception_1")
    assert first.texts == ("inception_1 Inception", "14 layers", "163,696 params")
    assert first.element.findall(f"{SVG}rect")[0].get("class") == "leaf"  # and another behind it
    assert one(found, "value", "inception_1.concat_1").flow == (
        "inception_1",
        ("inception_2",),
    )


def test_levels_open_one_after_the_other() -> None:
    graph = spec("googlenet")
    assert [shown(graph, depth) for depth in (1, 2, 3, 4, 5)] == [19, 58, 85, 139, 139]
    drawn = draw(graph, depth=9)
    assert (drawn.depth, drawn.levels) == (4, 4)


@pytest.mark.parametrize(
    ("name", "variant"),
    [("resnet", "resnet152"), ("densenet", "densenet121"), ("efficientnet", None), ("googlenet", None)],
)
def test_a_large_network_is_legible(name: str, variant: str | None) -> None:
    text = draw(spec(name, variant)).svg
    found = parts(text)
    assert 10 < len(of_kind(found, "layer")) + len(of_kind(found, "closed")) <= picture.LEGIBLE
    assert float(ET.fromstring(text).get("width", "")) <= 800


def test_too_many_layers_are_refused_with_the_depth_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MOST", 40)
    with pytest.raises(DiagnosticError) as raised:
        draw(spec("googlenet"), depth=3)
    (found,) = raised.value.diagnostics
    assert (found.code, found.fill(found.help)) == ("NS602", "close the boxes inside others: --depth 1")
    monkeypatch.setattr(picture, "MOST", 10)
    with pytest.raises(DiagnosticError) as raised:
        draw(spec("googlenet"))
    assert "blocks" in raised.value.diagnostics[0].help


def test_too_many_wires_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "TANGLED", 2)
    with pytest.raises(DiagnosticError) as raised:
        draw(spec("two_views"))
    assert raised.value.diagnostics[0].code == "NS603"


def test_a_branching_is_above_its_merge() -> None:
    """Branches lie beside each other in their order, between two wires that stand above each other."""
    found = parts(draw(spec("googlenet")).svg)
    names = ("one.conv_1", "three", "five", "pool")
    lefts = [one(found, "closed", f"inception_1.{name}").rectangle[0] for name in names]
    assert lefts == sorted(lefts)
    ends = (one(found, "box", "conv_3"), one(found, "layer", "inception_1.concat_1"))
    middles = [(part.rectangle[0] + part.rectangle[2]) / 2 for part in ends]
    assert max(middles) - min(middles) < 2


def test_text_fits_into_its_rectangle() -> None:
    for part in parts(draw(spec("resnet", "resnet50"), depth=EVERYTHING).svg):
        if part.kind in ("layer", "closed", "box"):
            left, _, right, _ = part.rectangle
            assert width(part.texts[0], 11) <= right - left


def test_the_same_bytes_every_time() -> None:
    """Whatever order sets have in a process, and without a path of the machine."""
    command = [sys.executable, "-m", "netspec", "show", "specs/two_views.yaml", "--svg", "-"]
    texts = [
        subprocess.run(
            command,
            capture_output=True,
            check=True,
            cwd=SPECS.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1]
    assert texts[0].decode() == draw(spec("two_views")).svg
    assert str(SPECS.parent).encode() not in texts[0]


class Noted(Identity):
    """An operation whose argument may be any text."""

    note: str = ""


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    graph = graph_of(
        "{netspec: 1, name: odd, inputs: {x: [batch, 4]}, layers: [Identity], outputs: [prev]}", tmp_path
    )
    note = "</text><script>\x07\ud800&\"']]>"
    node = graph.nodes[0].but(op=Noted.model_construct(note=note))
    text = draw(Graph(graph.name, graph.inputs, (node,), graph.outputs, graph.bounds, graph.resolved)).svg
    text.encode()
    root = ET.fromstring(text)
    assert not [element for element in root.iter() if "script" in element.tag]
    (layer,) = of_kind(parts(text), "layer")
    assert "</text><script>" in layer.texts[0]
    assert "\\x07" in layer.hover
