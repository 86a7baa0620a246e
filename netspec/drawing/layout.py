"""Where everything in a drawing lies: each box is laid out by itself, from the innermost outwards.

In the box around it an open box is one vertex, with ports on its borders where its own wires arrive and leave.
So boxes that are alike look alike, and a drawing takes time in proportion to what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from netspec.drawing import dot
from netspec.drawing.captions import Caption, Captions, tensor
from netspec.drawing.metrics import width
from netspec.drawing.parts import Box, Layer, Terminal
from netspec.drawing.wiring import Border, End, Flow, Scene, Wire

TEXT, SMALL, LARGE = 11.0, 9.5, 15.0  # font sizes
LAYER, TERMINAL, LABEL = 36, 24, 14  # heights
HEADING = 22  # the height of the strip that bears a box's title
PAD = 10  # from a border to what is inside
NARROWEST = 110
STEM, MAIN = 12, 6  # how straight a value's wire to its label is, and the wire to what first reads it
GAP = 12  # between ranks


class Line(NamedTuple):
    """A piece of a flow in a box, as the points of cubic curves; with an arrow unless it goes on."""

    flow: Flow
    points: Sequence[dot.Point]
    arrow: bool


class Label(NamedTuple):
    """The text of a flow, by its middle."""

    flow: Flow
    x: float
    y: float


@dataclass(eq=False)
class Spot:
    """Something in a box, by its upper left corner; an open box with what is `inside`."""

    end: End
    caption: Caption | None
    x: float
    y: float
    width: int
    height: int
    inside: Sheet | None = None


@dataclass(eq=False)
class Sheet:
    """A box laid out: its size, all in it, and where on its borders flows arrive and leave."""

    width: int
    height: int
    spots: list[Spot]
    lines: list[Line]
    labels: list[Label]
    tops: Mapping[Flow, int]
    bottoms: Mapping[Flow, int]


def lay_out(scene: Scene, captions: Captions) -> Sheet:
    """The whole drawing, laid out."""
    return _sheet(scene.root, captions.of_network(), scene, captions)


def _sheet(box: Box, caption: Caption, scene: Scene, captions: Captions) -> Sheet:
    wires = scene.wires.get(box, [])
    terminals = [*scene.inputs, *scene.outputs] if box is scene.root else []
    spots = _spots(box, terminals, scene, captions)
    labels = [wire.flow for wire in wires if wire.head is Border.LABEL]
    entering = list(dict.fromkeys(wire.flow for wire in wires if wire.tail is Border.TOP))
    leaving = list(dict.fromkeys(wire.flow for wire in wires if wire.head is Border.BOTTOM))
    vertices = [_vertex(spot) for spot in spots]
    numbers: dict[object, int] = {spot.end: number for number, spot in enumerate(spots)}
    for border, flows, rank in ((Border.TOP, entering, "source"), (Border.LABEL, labels, ""), (Border.BOTTOM, leaving, "sink")):
        for flow in flows:
            numbers[border, flow] = len(vertices)
            size = _label_size(flow) if border is Border.LABEL else (1, 1)
            vertices.append(dot.Vertex(*size, rank=rank))
    inside = {spot.end: spot.inside for spot in spots}
    edges = _spread([_edge(wire, numbers, inside) for wire in wires])
    places = dot.place(vertices, edges, GAP)
    middles = places.middles

    left, need = PAD, _title_width(caption, box is scene.root) + 2 * PAD
    total = ceil(max(places.width + 2 * PAD, need))
    left = (total - places.width) / 2
    top = HEADING if box is not scene.root else 2 * HEADING
    bottom = top + places.height + PAD
    for spot, (x, y) in zip(spots, middles, strict=False):
        spot.x, spot.y = left + x - spot.width / 2, top + y - spot.height / 2
    lines = []
    for wire, curve in zip(wires, places.curves, strict=True):
        points = [(left + x, top + y) for x, y in curve]
        if wire.tail is Border.TOP:
            points = _straight((points[0][0], 0.0), points[0]) + points[1:]
        if wire.head is Border.BOTTOM:
            points += _straight(points[-1], (points[-1][0], float(ceil(bottom))))[1:]
        lines.append(Line(wire.flow, points, isinstance(wire.head, (Terminal, Layer)) or (isinstance(wire.head, Box) and wire.head.closed)))
    texts = [Label(flow, left + middles[numbers[Border.LABEL, flow]][0], top + middles[numbers[Border.LABEL, flow]][1]) for flow in labels]
    tops = {flow: round(left + middles[numbers[Border.TOP, flow]][0]) for flow in entering}
    bottoms = {flow: round(left + middles[numbers[Border.BOTTOM, flow]][0]) for flow in leaving}
    return Sheet(total, ceil(bottom), spots, lines, texts, tops, bottoms)


def _straight(start: dot.Point, end: dot.Point) -> list[dot.Point]:
    return [start, start, end, end]


def _spots(box: Box, terminals: Sequence[Terminal], scene: Scene, captions: Captions) -> list[Spot]:
    spots = [Spot(end, None, 0, 0, ceil(width(end.name, TEXT)) + 3 * PAD, TERMINAL) for end in terminals]
    given = {item: captions.of(item, box) for item in box.items}
    widest = max((_needs(given[item]) for item in box.items if isinstance(item, Layer) or item.closed), default=0)
    for item in box.items:
        if isinstance(item, Box) and not item.closed:
            sheet = _sheet(item, given[item], scene, captions)
            spots.append(Spot(item, given[item], 0, 0, sheet.width, sheet.height, sheet))
        else:
            spots.append(Spot(item, given[item], 0, 0, max(widest, NARROWEST), LAYER))
    return spots


def _needs(caption: Caption) -> int:
    """The width of a layer or a closed box."""
    first = width(caption.head, TEXT, bold=True) + sum(width(f" {text}", TEXT) for text in (caption.rest, caption.badge) if text)
    second = width(f"{caption.name}   {caption.count}", SMALL)
    return ceil(max(first, second)) + 2 * PAD


def _title_width(caption: Caption, whole: bool) -> float:
    """The width of a box's title."""
    if whole:
        return max(width(caption.head, LARGE, bold=True), width(caption.count, TEXT))
    first = width(caption.head, TEXT, bold=True) + sum(width(f"  {text}", TEXT) for text in (caption.rest, caption.badge) if text)
    return first + width(f"    {caption.count}", SMALL)


def _label_size(flow: Flow) -> tuple[int, int]:
    return ceil(width(tensor(flow.value), SMALL)) + 4, LABEL


def _vertex(spot: Spot) -> dot.Vertex:
    if spot.inside is None:
        return dot.Vertex(spot.width, spot.height)
    return dot.Vertex(spot.width, spot.height, tuple(spot.inside.tops.values()), tuple(spot.inside.bottoms.values()))


def _edge(wire: Wire, numbers: Mapping[object, int], inside: Mapping[End, Sheet | None]) -> dot.Edge:
    tail, head = (numbers[(end, wire.flow) if isinstance(end, Border) else end] for end in (wire.tail, wire.head))
    above = inside.get(wire.tail) if not isinstance(wire.tail, Border) else None
    below = inside.get(wire.head) if not isinstance(wire.head, Border) else None
    return dot.Edge(
        tail,
        head,
        list(above.bottoms).index(wire.flow) if above else None,
        list(below.tops).index(wire.flow) if below else None,
        weight=STEM if wire.head is Border.LABEL else 1,
    )


def _spread(edges: Sequence[dot.Edge]) -> list[dot.Edge]:
    """The edges with room to part and to meet, over two ranks; straight where others only go around."""
    heads: dict[int, list[int]] = {}
    tails: dict[int, list[int]] = {}
    for edge in edges:
        heads.setdefault(edge.tail, []).append(edge.head)
        tails.setdefault(edge.head, []).append(edge.tail)
    spread = []
    for edge in edges:
        wide = len(heads[edge.tail]) > 1 or len(tails[edge.head]) > 1
        main = wide and _reaches(edge.head, set(heads[edge.tail]) - {edge.head}, heads)
        weight = max(edge.weight, MAIN) if main or not wide else edge.weight
        spread.append(edge._replace(ranks=2 if wide else 1, weight=weight))
    return spread


def _reaches(start: int, ends: set[int], heads: Mapping[int, Sequence[int]]) -> bool:
    """Whether all of the ends lie behind the start."""
    seen, left = {start}, [start]
    while left and not ends <= seen:
        for head in heads.get(left.pop(), ()):
            if head not in seen:
                seen.add(head)
                left.append(head)
    return ends <= seen
