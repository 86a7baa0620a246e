"""Where everything in a drawing lies: each box is laid out by itself, from the innermost outwards.

In the box around it an open box is one vertex, with ports on its borders where its own wires arrive and
leave. So boxes that are alike look alike, and a drawing takes time in proportion to what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from netspec.drawing.captions import Caption, Captions
from netspec.drawing.dot import Edge, Point, Vertex, place
from netspec.drawing.metrics import width
from netspec.drawing.parts import Box, Layer, Terminal
from netspec.drawing.straight import straightened
from netspec.drawing.wiring import Border, End, Flow, Scene, Wire

TEXT, SMALL, LARGE = 11.0, 9.5, 15.0  # font sizes
LAYER, TERMINAL, LABEL = 36, 24, 14  # heights
HEADING, HEADLINES = 22, 44  # the strip above what is inside: of a box, and of the whole drawing
PAD = 10  # from a border to what is inside
NARROWEST = 110
STEM = 12  # how straight a value's wire to its label is


class Line(NamedTuple):
    """A piece of a flow, as the points of cubic curves; an arrow unless it goes on behind them."""

    flow: Flow
    points: Sequence[Point]
    arrow: bool


class Label(NamedTuple):
    """The text of a flow, by its middle."""

    flow: Flow
    x: float
    y: float


@dataclass(eq=False)
class Spot:
    """A terminal, layer or box by its upper left corner; an open box with what is `inside`."""

    end: End
    caption: Caption
    width: int
    height: int
    inside: Sheet | None = None
    x: float = 0
    y: float = 0


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
    terminals = (*scene.inputs, *scene.outputs)
    return _sheet(scene.root, captions.network(), scene, captions, terminals, HEADLINES)


def _sheet(
    box: Box,
    caption: Caption,
    scene: Scene,
    captions: Captions,
    terminals: Sequence[Terminal] = (),
    above: int = HEADING,
) -> Sheet:
    wires = scene.wires.get(box, [])
    spots = _spots(box, scene, captions, terminals)
    labels = [wire.flow for wire in wires if wire.head is Border.LABEL]
    entering = list(dict.fromkeys(wire.flow for wire in wires if wire.tail is Border.TOP))
    leaving = list(dict.fromkeys(wire.flow for wire in wires if wire.head is Border.BOTTOM))
    numbers: dict[object, int] = {spot.end: number for number, spot in enumerate(spots)}
    vertices = [_vertex(spot) for spot in spots]
    for border, flows in ((Border.TOP, entering), (Border.LABEL, labels), (Border.BOTTOM, leaving)):
        for flow in flows:
            numbers[border, flow] = len(vertices)
            vertices.append(_of_border(border, flow))
    sheets = {spot.end: spot.inside for spot in spots}
    edges = straightened([_edge(wire, numbers, sheets) for wire in wires])
    places = place(vertices, edges)

    whole = ceil(max(places.width, _title_width(caption)) + 2 * PAD)
    left = (whole - places.width) / 2
    bottom = ceil(above + places.height + PAD)
    middles = [(left + x, above + y) for x, y in places.middles]
    for spot, (x, y) in zip(spots, middles, strict=False):
        spot.x, spot.y = x - spot.width / 2, y - spot.height / 2
    curves = (curve for edge, curve in zip(edges, places.curves, strict=True) if edge.seen)
    lines = [
        _line(wire, [(left + x, above + y) for x, y in curve], bottom)
        for wire, curve in zip(wires, curves, strict=True)
    ]
    return Sheet(
        whole,
        bottom,
        spots,
        lines,
        [Label(flow, *middles[numbers[Border.LABEL, flow]]) for flow in labels],
        {flow: round(middles[numbers[Border.TOP, flow]][0]) for flow in entering},
        {flow: round(middles[numbers[Border.BOTTOM, flow]][0]) for flow in leaving},
    )


def _spots(box: Box, scene: Scene, captions: Captions, terminals: Sequence[Terminal]) -> list[Spot]:
    """What is in a box, with its size: layers side by side or above each other are equally wide."""
    ends = [
        Spot(end, captions.terminal(end), ceil(width(end.name, TEXT, bold=True)) + 30, TERMINAL)
        for end in terminals
    ]
    leaves: list[Spot] = []
    spots: list[Spot] = []
    for item in box.items:
        caption = captions.of(item, box)
        if isinstance(item, Box) and not item.closed:
            sheet = _sheet(item, caption, scene, captions)
            spots.append(Spot(item, caption, sheet.width, sheet.height, sheet))
        else:
            leaves.append(Spot(item, caption, _leaf_width(caption), LAYER))
            spots.append(leaves[-1])
    widest = max((leaf.width for leaf in leaves), default=0)
    for leaf in leaves:
        leaf.width = widest
    inputs = len(scene.inputs) if terminals else 0
    return ends[:inputs] + spots + ends[inputs:]


def _leaf_width(caption: Caption) -> int:
    """How wide a layer or a closed box is, for its two lines."""
    lower = width(f"{caption.name}   {caption.amount}", SMALL)
    return max(ceil(max(title_width(caption), lower)) + 2 * PAD, NARROWEST)


def title_width(caption: Caption) -> float:
    """How wide a caption's first line is."""
    more = "".join(f" {text}" for text in (caption.rest, caption.badge) if text)
    return width(caption.head, TEXT, bold=True) + width(more, TEXT)


def _title_width(caption: Caption) -> float:
    """How wide a box's title is, with the count on its right."""
    return title_width(caption) + width(f"    {caption.amount}", SMALL)


def _vertex(spot: Spot) -> Vertex:
    if spot.inside is None:
        return Vertex(spot.width, spot.height)
    tops, bottoms = spot.inside.tops.values(), spot.inside.bottoms.values()
    return Vertex(spot.width, spot.height, tuple(tops), tuple(bottoms))


def _of_border(border: Border, flow: Flow) -> Vertex:
    if border is Border.LABEL:
        return Vertex(ceil(width(flow.shape, SMALL)) + 4, LABEL)
    return Vertex(1, 1, rank="source" if border is Border.TOP else "sink")


def _edge(wire: Wire, numbers: Mapping[object, int], sheets: Mapping[End, Sheet | None]) -> Edge:
    def number(end: End | Border) -> int:
        return numbers[(end, wire.flow) if isinstance(end, Border) else end]

    above = None if isinstance(wire.tail, Border) else sheets[wire.tail]
    below = None if isinstance(wire.head, Border) else sheets[wire.head]
    return Edge(
        number(wire.tail),
        number(wire.head),
        None if above is None else list(above.bottoms).index(wire.flow),
        None if below is None else list(below.tops).index(wire.flow),
        STEM if wire.head is Border.LABEL else 1,
    )


def _line(wire: Wire, points: list[Point], bottom: int) -> Line:
    """A wire, drawn on to the border of its box where it comes from there or goes there."""
    if wire.tail is Border.TOP:
        x = points[0][0]
        points = [(x, 0), (x, 0), points[0], *points]
    if wire.head is Border.BOTTOM:
        x = points[-1][0]
        points = [*points, points[-1], (x, bottom), (x, bottom)]
    ends = isinstance(wire.head, (Terminal, Layer)) or (isinstance(wire.head, Box) and wire.head.closed)
    return Line(wire.flow, points, ends)
