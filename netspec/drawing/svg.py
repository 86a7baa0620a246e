"""A drawing as SVG: text, rectangles and curves, without scripts and without fonts of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from netspec.diagnostics import printable
from netspec.drawing.captions import Caption, tensor
from netspec.drawing.dot import Point
from netspec.drawing.layout import HEADING, LARGE, PAD, SMALL, TEXT, Label, Line, Sheet, Spot
from netspec.drawing.metrics import width
from netspec.drawing.parts import Box, Layer, Terminal
from netspec.drawing.style import css
from netspec.drawing.wiring import End, Flow, Scene

ARROW = "netspec-arrow"
FIRST_LINE, SECOND_LINE = 15, 29  # where the two lines of a layer stand
ROUND = 4  # the radius of corners


def svg(scene: Scene, sheet: Sheet, caption: Caption) -> str:
    """The text of the file.

    Every part has a title, which hovering shows, and its name in the graph as `data-name`; a label has the
    names of what makes its value and what reads it as `data-from` and `data-to`.
    """
    size = {"width": str(sheet.width), "height": str(sheet.height)}
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {sheet.width} {sheet.height}", **size)
    root.set("class", "netspec")
    root.set("role", "graphics-document")
    _titled(root, caption.hover)
    ET.SubElement(root, "style").text = css()
    _arrow(root)
    ET.SubElement(root, "rect", size, **{"class": "page"})
    middle = 0
    _text(root, PAD, 20, caption.head, LARGE, bold=True)
    _text(root, PAD, 36, caption.count, TEXT, "muted")
    _contents(root, sheet, 0, 0, depth=0)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _contents(group: ET.Element, sheet: Sheet, x: float, y: float, depth: int) -> None:
    """What is in a box whose upper left corner is at (x, y)."""
    for line in sheet.lines:
        path = ET.SubElement(group, "path", **{"class": "wire", "d": _path(line.points, x, y)})
        if line.arrow:
            path.set("marker-end", f"url(#{ARROW})")
        _titled(path, _flow(line.flow))
    for label in sheet.labels:
        _label(group, label, x, y)
    for spot in sheet.spots:
        _spot(group, spot, x + spot.x, y + spot.y, depth)


def _spot(group: ET.Element, spot: Spot, x: float, y: float, depth: int) -> None:
    if isinstance(spot.end, Terminal):
        _terminal(group, spot, spot.end, x, y)
    elif spot.inside is None:
        _leaf(group, spot, x, y)
    else:
        _box(group, spot, spot.inside, x, y, depth + 1)


def _terminal(group, spot, terminal, x, y) -> None:
    part = _part(group, "terminal", terminal.name, f"{terminal.name}: {tensor(terminal.value)}")
    _rectangle(part, "leaf", x, y, spot.width, spot.height, spot.height / 2)
    _text(part, x + spot.width / 2, y + spot.height / 2 + 4, terminal.name, TEXT, "middle", bold=True)


def _leaf(group, spot, x, y) -> None:
    caption = spot.caption
    part = _part(group, f"layer {caption.kind}" if isinstance(spot.end, Layer) else "block", spot.end.name, caption.hover)
    if caption.times > 1 or isinstance(spot.end, Box):
        _rectangle(part, "sheet", x + 3, y + 3, spot.width, spot.height)
    _rectangle(part, "leaf", x, y, spot.width, spot.height)
    first = _text(part, x + PAD, y + FIRST_LINE, caption.head, TEXT, bold=True)
    _continued(first, caption)
    _text(part, x + PAD, y + SECOND_LINE, caption.name, SMALL, "muted")
    _text(part, x + spot.width - PAD, y + SECOND_LINE, caption.count, SMALL, "muted end")


def _box(group, spot, sheet, x, y, depth) -> None:
    caption = spot.caption
    part = _part(group, "box odd" if depth % 2 else "box even", spot.end.name, caption.hover)
    if caption.times > 1:
        _rectangle(part, "frame", x + 4, y + 4, spot.width, spot.height)
    _rectangle(part, "frame", x, y, spot.width, spot.height)
    _contents(part, sheet, x, y, depth)
    first = _text(part, x + PAD, y + 15, caption.head, TEXT, bold=True)
    _continued(first, caption)
    _text(part, x + spot.width - PAD, y + 15, caption.count, SMALL, "muted end")


def _continued(first: ET.Element, caption: Caption) -> None:
    for text, kind in ((caption.rest, ""), (caption.badge, "badge")):
        if text:
            span = ET.SubElement(first, "tspan", dx="5")
            span.text = text
            span.set("class", f"regular {kind}".strip())


def _label(group, label, x, y) -> None:
    flow = label.flow
    part = _part(group, "value", flow.value.name, _flow(flow))
    part.set("data-from", flow.source.name)
    part.set("data-to", " ".join(target.name for target in flow.targets))
    _text(part, x + label.x, y + label.y + 3.5, tensor(flow.value), SMALL, "shape middle")


def _flow(flow: Flow) -> str:
    return f"{tensor(flow.value)}\nfrom {flow.source.name} to {', '.join(t.name for t in flow.targets)}"


def _part(group, kind, name, hover) -> ET.Element:
    part = ET.SubElement(group, "g", **{"class": kind, "data-name": name})
    _titled(part, hover)
    return part


def _titled(element, text) -> None:
    ET.SubElement(element, "title").text = "\n".join(printable(line) for line in text.split("\n"))


def _text(group, x, y, text, size, kind="", *, bold=False) -> ET.Element:
    element = ET.SubElement(group, "text", x=_number(x), y=_number(y))
    element.set("font-size", f"{size:g}")
    if bold:
        kind = f"{kind} bold".strip()
    if kind:
        element.set("class", kind)
    element.text = printable(text)
    return element


def _rectangle(group, kind, x, y, w, h, radius=ROUND) -> None:
    ET.SubElement(group, "rect", x=_number(x), y=_number(y), width=_number(w), height=_number(h), rx=_number(radius), **{"class": kind})


def _arrow(root) -> None:
    marker = ET.SubElement(root, "marker", id=ARROW, viewBox="0 0 8 8", refX="7", refY="4", markerWidth="7", markerHeight="7", orient="auto", markerUnits="userSpaceOnUse")
    ET.SubElement(marker, "path", d="M0 1L8 4L0 7z", **{"class": "tip"})


def _path(points, x, y) -> str:
    """Cubic curves through points; where they are straight, lines."""
    moved = [(x + a, y + b) for a, b in points]
    text = f"M{_pair(moved[0])}"
    for start in range(1, len(moved) - 2, 3):
        four = moved[start - 1 : start + 3]
        if max(a for a, _ in four) - min(a for a, _ in four) < 1:
            text += f"L{_pair(four[3])}"
        else:
            text += "C" + " ".join(map(_pair, four[1:]))
    return text


def _pair(point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
