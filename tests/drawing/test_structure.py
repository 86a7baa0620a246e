"""What is in a picture: every layer once, in the boxes of its scopes, with the values that flow."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from netspec.drawing import draw
from netspec.ir.graph import Graph
from tests.drawing.reading import SVG, Part, ends, graph_of, of_kind, one, parts, rectangle, spec, whole

SPECS = [
    ("lenet", None),
    ("googlenet", None),
    ("resnet", "resnet18"),
    ("densenet", None),
    ("unet", None),
    ("two_views", None),
    ("shufflenet_v2", None),
    ("vit", None),
    ("transformer", None),
    ("lstm", None),
]

NESTED = """\
netspec: 1
name: nested
inputs: {image: [batch, 3, 32, 32], scale: [batch, 8, 1, 1]}
blocks:
  Unit:
    params: {channels: int}
    layers:
      - Conv2d: {out_channels: $channels, kernel_size: 3, stride: 2, padding: 1}
      - ReLU
layers:
  - Unit: {channels: 8}
    from: image
    name: stem
  - branches:
      wide: [{Unit: {channels: 4}}, Sigmoid]
      deep: [{Unit: {channels: 4}}]
    merge: Concat
  - Mul:
    from: [prev, scale]
    name: scaled
  - for: {p: [0.1, 0.2]}
    name: tail
    do: [{Dropout: {p: $p}}]
outputs: {features: scaled, tail: prev}
"""


def edges(graph: Graph) -> set[tuple[str, str]]:
    """What reads from what, by the names of a picture."""
    makers = {item.value.name: f"input:{item.name}" for item in graph.inputs}
    makers |= {value.name: node.name for node in graph for value in node.outputs}
    found = {(makers[value.name], node.name) for node in graph for value in node.inputs}
    return found | {(makers[item.value.name], f"output:{item.name}") for item in graph.outputs}


@pytest.mark.parametrize(("name", "variant"), SPECS)
def test_every_layer_and_every_edge_is_there_once(name: str, variant: str | None) -> None:
    graph = spec(name, variant)
    found = whole(graph)
    assert sorted(part.name for part in of_kind(found, "layer")) == sorted(graph.by_name)
    terminals = [f"input:{item.name}" for item in graph.inputs]
    terminals += [f"output:{item.name}" for item in graph.outputs]
    assert [part.name for part in of_kind(found, "terminal")] == terminals
    flows = [(source, end) for part in of_kind(found, "value") for source, to in [part.flow] for end in to]
    assert len(set(flows)) == len(flows)
    assert set(flows) == edges(graph)


@pytest.mark.parametrize(("name", "variant"), SPECS)
def test_boxes_are_the_scopes(name: str, variant: str | None) -> None:
    graph = spec(name, variant)
    found = whole(graph)
    boxes = {part.name for part in of_kind(found, "box")}
    scopes = {scope.name for scope in graph.scopes if scope.kind != "list"}
    assert boxes <= scopes
    for layer in of_kind(found, "layer"):
        prefixes = (layer.name[:end] for end, character in enumerate(layer.name) if character == ".")
        assert list(layer.around) == [prefix for prefix in prefixes if prefix in boxes]
    for scope in scopes - boxes:  # empty, or around one box and nothing else
        inside = {part.around for part in of_kind(found, "layer") if part.name.startswith(f"{scope}.")}
        assert len({next(b for b in around if b.startswith(scope)) for around in inside}) <= 1


def test_boxes_nest_and_bear_their_names(tmp_path: Path) -> None:
    found = whole(graph_of(NESTED, tmp_path))
    assert [(part.name, part.around) for part in of_kind(found, "box")] == [
        ("stem", ()),
        ("wide", ()),
        ("wide.unit_1", ("wide",)),
        ("deep.unit_1", ()),
        ("tail.0", ()),
        ("tail.1", ()),
    ]
    titles = {part.name: part.texts for part in found if part.kind in ("box", "layer")}
    assert titles["stem"] == ("stem Unit", "224 params")
    assert titles["wide.unit_1"] == ("unit_1 Unit", "292 params")
    assert titles["deep.unit_1"] == ("deep.unit_1 Unit", "292 params")
    assert titles["stem.conv2d_1"] == ("Conv2d 3×3, 8, stride 2, padding 1", "conv2d_1", "224 params")
    assert titles["tail.0.dropout_1"] == ("Dropout p 0.1", "dropout_1", "")


def test_hovering_tells_all_about_a_part(tmp_path: Path) -> None:
    hovers = {(part.kind, part.name): part.hover for part in whole(graph_of(NESTED, tmp_path))}
    assert hovers["layer", "stem.conv2d_1"].splitlines() == [
        "stem.conv2d_1",
        "Conv2d(out_channels=8, kernel_size=[3, 3], stride=[2, 2], padding=[1, 1])",
        "output (batch, 8, 16, 16)",
        "224 parameters, 55,296 multiply-adds a sample",
        "receptive field 3x3 /2",
    ]
    assert hovers["box", "wide"].splitlines() == [
        "wide",
        "3 layers, 292 parameters, 18,432 multiply-adds a sample",
    ]
    assert hovers["terminal", "input:image"] == "input image: (batch, 3, 32, 32)"
    assert hovers["value", "scaled"].splitlines() == [
        "scaled (batch, 8, 8, 8)",
        "from scaled to tail.0.dropout_1, features",
    ]


def test_shapes_are_text_and_numbers_where_sizes_are_given() -> None:
    graph = spec("resnet", "resnet18")
    symbolic = {part.name: part.texts for part in of_kind(parts(draw(graph).svg), "value")}
    given = {part.name: part.texts for part in of_kind(parts(draw(graph, {"H": 224, "W": 64}).svg), "value")}
    assert symbolic["relu_1"] == ("(batch, 64, (H + 1) // 2, (W + 1) // 2)",)
    assert given["relu_1"] == ("(batch, 64, 112, 32)",)


def test_element_types_show_unless_they_are_the_usual_one() -> None:
    values = {part.name: part.texts for part in of_kind(whole(spec("transformer")), "value")}
    assert values["tokens"] == ("(batch, length) int64",)
    assert values["padding"] == ("(batch, length) bool",)


@pytest.mark.parametrize(("name", "variant"), SPECS)
def test_parts_lie_in_their_boxes_and_beside_each_other(name: str, variant: str | None) -> None:
    text = draw(spec(name, variant)).svg
    root = ET.fromstring(text)
    page = rectangle(root)
    found = [part for part in parts(text) if part.kind != "value"]
    boxes = {part.name: part.rectangle for part in of_kind(found, "box")}
    beside: dict[tuple[str, ...], list[Part]] = {}
    for part in found:
        left, top, right, bottom = part.rectangle
        outer = boxes[part.around[-1]] if part.around else page
        assert outer[0] < left < right < outer[2]
        assert outer[1] < top < bottom < outer[3]
        for other in beside.setdefault(part.around, []):
            apart = right <= other.rectangle[0] or other.rectangle[2] <= left
            assert apart or bottom <= other.rectangle[1] or other.rectangle[3] <= top, (part.name, other.name)
        beside[part.around].append(part)


def test_wires_reach_from_part_to_part(tmp_path: Path) -> None:
    """The wires of one value, put end to end, begin at what makes it and end at what reads it."""
    text = draw(graph_of(NESTED, tmp_path)).svg
    wires: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {}
    for path in ET.fromstring(text).iter(f"{SVG}path"):
        if path.get("class") == "wire":
            wires.setdefault(path.findtext(f"{SVG}title", "").split()[0], []).append(ends(path.get("d", "")))
    found = parts(text)
    # `stem.relu_1` leaves its box, forks, and enters two others.
    maker = one(found, "layer", "stem.relu_1").rectangle
    stem, wide = one(found, "box", "stem").rectangle, one(found, "box", "wide").rectangle
    starts = [round(start[1]) for start, _ in wires["stem.relu_1"]]
    stops = [round(stop[1]) for _, stop in wires["stem.relu_1"]]
    assert round(maker[3]) in starts
    assert round(stem[3]) in starts
    assert round(stem[3]) in stops
    assert round(wide[1]) in starts
    assert round(wide[1]) in stops
    assert [round(stop[1]) for _, stop in wires["stem.relu_1"] if stop[1] > wide[1]]
