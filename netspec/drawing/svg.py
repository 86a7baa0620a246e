"""A drawing as SVG: texts, rectangles and curves, without scripts, and without fonts of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from netspec.diagnostics import printable
from netspec.drawing.captions import Caption, kind
from netspec.drawing.dot import Point
from netspec.drawing.layout import LARGE, PAD, SMALL, TEXT, Label, Sheet, Spot, title_width
from netspec.drawing.metrics import width
from netspec.drawing.parts import Layer, Terminal
from netspec.drawing.style import css
from netspec.drawing.wiring import Flow

ARROW = "netspec-arrow"
FIRST, SECOND = 15, 29  # where lines stand, from the upper border
BEHIND = 3  # how far what stands behind a part looks out

Element = ET.Element


def svg(sheet: Sheet, caption: Caption) -> str:
    """The text of the file.

    Every part is a group with its name in the graph as `data-name`, inside that of the box that it is in; a
    value's label has what makes it as `data-from` and what reads it as `data-to`. Titles show on hovering.
    """
    size = {"width": str(sheet.width), "height": str(sheet.height)}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "netspec"})
    root.attrib |= {"role": "graphics-document", "viewBox": f"0 0 {sheet.width} {sheet.height}", **size}
    _titled(root, caption.hover)
    ET.SubElement(root, "style").text = css()
    _arrow(root)
    ET.SubElement(root, "rect", {"class": "page", **size})
    _text(root, PAD, 22, caption.head, LARGE, "bold")
    _text(root, PAD, 38, caption.amount, TEXT, "muted")
    _contents(root, sheet, 0, 0, 0)
    ET.indent(root, " ")
    for line in root.iter("text"):
        for span in line[:-1]:
            span.tail = " "  # not the indentation, which belongs to the text here
        for span in line[-1:]:
            span.tail = None
    return ET.tostring(root, encoding="unicode") + "\n"


def _contents(group: Element, sheet: Sheet, x: float, y: float, depth: int) -> None:
    """What is in a box whose upper left corner is at (x, y)."""
    for line in sheet.lines:
        path = ET.SubElement(group, "path", {"class": "wire", "d": _path(line.points, x, y)})
        if line.arrow:
            path.set("marker-end", f"url(#{ARROW})")
        _titled(path, _told(line.flow))
    for label in sheet.labels:
        _label(group, label, x + label.x, y + label.y)
    for spot in sheet.spots:
        if isinstance(spot.end, Terminal):
            _terminal(group, spot, x + spot.x, y + spot.y)
        elif spot.inside is None:
            _leaf(group, spot, x + spot.x, y + spot.y)
        else:
            _box(group, spot, spot.inside, x + spot.x, y + spot.y, depth + 1)


def _label(group: Element, label: Label, x: float, y: float) -> None:
    flow = label.flow
    part = _part(group, "value", flow.name, _told(flow))
    part.set("data-from", flow.source.key)
    part.set("data-to", " ".join(target.key for target in flow.targets))
    _text(part, x, y + 3.5, flow.shape, SMALL, "shape middle")


def _terminal(group: Element, spot: Spot, x: float, y: float) -> None:
    part = _part(group, "terminal", spot.end.key, spot.caption.hover)
    _rectangle(part, "leaf", x, y, spot, spot.height / 2)
    _text(part, x + spot.width / 2, y + spot.height / 2 + 4, spot.caption.head, TEXT, "middle bold")


def _leaf(group: Element, spot: Spot, x: float, y: float) -> None:
    """A layer; or a closed box, which looks like a pile, as everything does that stands for several."""
    caption = spot.caption
    layer = isinstance(spot.end, Layer)
    part = _part(
        group,
        f"layer {kind(spot.end)}" if isinstance(spot.end, Layer) else "closed",
        spot.end.key,
        caption.hover,
    )
    if caption.times > 1 or not layer:
        _rectangle(part, "leaf", x + BEHIND, y + BEHIND, spot)
    _rectangle(part, "leaf", x, y, spot)
    _title(part, caption, x + PAD, y + FIRST)
    _text(part, x + PAD, y + SECOND, caption.name, SMALL, "muted")
    _text(part, x + spot.width - PAD, y + SECOND, caption.amount, SMALL, "muted end")


def _box(group: Element, spot: Spot, sheet: Sheet, x: float, y: float, depth: int) -> None:
    """An open box. Wires that enter it through its title pass behind that."""
    caption = spot.caption
    part = _part(group, "box odd" if depth % 2 else "box even", spot.end.key, caption.hover)
    if caption.times > 1:
        _rectangle(part, "frame", x + BEHIND, y + BEHIND, spot)
    _rectangle(part, "frame", x, y, spot)
    _contents(part, sheet, x, y, depth)
    right = spot.width - PAD
    for start, end in ((PAD, PAD + title_width(caption)), (right - width(caption.amount, SMALL), right)):
        if any(start - 3 <= top <= end + 3 for top in sheet.tops.values()):
            size = {"width": _number(end - start + 6), "height": "14"}
            ET.SubElement(
                part, "rect", {"class": "halo", "x": _number(x + start - 3), "y": _number(y + 4), **size}
            )
    _title(part, caption, x + PAD, y + FIRST)
    _text(part, x + right, y + FIRST, caption.amount, SMALL, "muted end")


def _title(part: Element, caption: Caption, x: float, y: float) -> None:
    more = caption.rest or caption.badge
    line = _text(part, x, y, f"{caption.head} " if more else caption.head, TEXT, "bold")
    for text, style in ((caption.rest, "regular"), (caption.badge, "regular badge")):
        if text:
            ET.SubElement(line, "tspan", {"class": style}).text = printable(text)


def _part(group: Element, style: str, name: str, hover: str) -> Element:
    part = ET.SubElement(group, "g", {"class": style, "data-name": name})
    _titled(part, hover)
    return part


def _told(flow: Flow) -> str:
    """What hovering over a value shows."""
    targets = ", ".join(target.name for target in flow.targets)
    return f"{flow.name} {flow.shape}\nfrom {flow.source.name} to {targets}"


def _titled(element: Element, text: str) -> None:
    ET.SubElement(element, "title").text = "\n".join(map(printable, text.split("\n")))


def _text(group: Element, x: float, y: float, text: str, size: float, style: str) -> Element:
    place = {"x": _number(x), "y": _number(y), "font-size": f"{size:g}"}
    element = ET.SubElement(group, "text", {"class": style, **place})
    element.text = printable(text)
    return element


def _rectangle(part: Element, style: str, x: float, y: float, spot: Spot, rounded: float = 4) -> None:
    place = {"x": _number(x), "y": _number(y), "width": str(spot.width), "height": str(spot.height)}
    ET.SubElement(part, "rect", {"class": style, **place, "rx": _number(rounded)})


def _arrow(root: Element) -> None:
    marker = {"id": ARROW, "viewBox": "0 0 8 8", "refX": "7.5", "refY": "4", "orient": "auto"}
    marker |= {"markerUnits": "userSpaceOnUse", "markerWidth": "8", "markerHeight": "8"}
    ET.SubElement(ET.SubElement(root, "marker", marker), "path", {"class": "tip", "d": "M0 1L8 4L0 7z"})


def _path(points: Sequence[Point], x: float, y: float) -> str:
    """Cubic curves through points; straight lines where they go straight down."""
    text = f"M{_pairs(points[:1], x, y)}"
    for start in range(0, len(points) - 3, 3):
        curve = points[start : start + 4]
        across = [place for place, _ in curve]
        if max(across) - min(across) < 1:
            text += f"L{_pairs(curve[3:], x, y)}"
        else:
            text += f"C{_pairs(curve[1:], x, y)}"
    return text


def _pairs(points: Iterable[Point], x: float, y: float) -> str:
    return " ".join(f"{_number(x + across)} {_number(y + down)}" for across, down in points)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
