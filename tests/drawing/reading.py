"""A picture read back from its SVG: which parts are in which, what flows between them, where they lie."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import netspec
from netspec.drawing import draw
from netspec.ir.graph import Graph

SVG = "{http://www.w3.org/2000/svg}"
SPECS = Path(__file__).parents[2] / "specs"
EVERYTHING = 1000  # more levels than any spec has

Rectangle = tuple[float, float, float, float]
NOWHERE: Rectangle = (0, 0, 0, 0)  # of a value, which is text


@dataclass(frozen=True)
class Part:
    """A group with a name: what it is, what it says, and the names of the boxes around it."""

    kind: str
    name: str
    hover: str
    texts: tuple[str, ...]
    around: tuple[str, ...]
    rectangle: Rectangle
    element: ET.Element

    @property
    def flow(self) -> tuple[str, tuple[str, ...]]:
        """Where a value comes from, and where it goes."""
        return self.element.get("data-from", ""), tuple(self.element.get("data-to", "").split())


def graph_of(text: str, folder: Path) -> Graph:
    """The graph of a spec."""
    path = folder / "spec.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return netspec.check(path).graph


def spec(name: str, variant: str | None = None) -> Graph:
    """The graph of one of the repository's specs."""
    return netspec.check(SPECS / f"{name}.yaml", variant=variant).graph


def whole(graph: Graph) -> list[Part]:
    """Every part of the picture that leaves nothing out."""
    return parts(draw(graph, depth=EVERYTHING, fold_repetitions=False).svg)


def parts(text: str) -> list[Part]:
    """Every named part of a picture."""
    return list(_parts(ET.fromstring(text), ()))


def of_kind(found: list[Part], kind: str) -> list[Part]:
    """The parts of one kind: layer, box, closed, terminal, value."""
    return [part for part in found if part.kind == kind]


def one(found: list[Part], kind: str, name: str) -> Part:
    """The part of this kind and name, of which there is one."""
    (part,) = [part for part in found if (part.kind, part.name) == (kind, name)]
    return part


def rectangle(element: ET.Element) -> Rectangle:
    """Left, top, right, bottom."""
    x, y, width, height = (float(element.get(key, "0")) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a curve begins and ends."""
    numbers = [float(number) for number in re.findall(r"-?[0-9.]+", path)]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def _parts(group: ET.Element, around: tuple[str, ...]) -> Iterator[Part]:
    for element in group.findall(f"{SVG}g"):
        kind, name = element.get("class", "").split()[0], element.get("data-name", "")
        own = [
            rectangle(found)
            for found in element.findall(f"{SVG}rect")
            if found.get("class") in ("leaf", "frame")
        ]
        yield Part(
            kind,
            name,
            element.findtext(f"{SVG}title", ""),
            tuple("".join(text.itertext()) for text in element.findall(f"{SVG}text")),
            around,
            own[-1] if own else NOWHERE,  # before it come the sheets behind it
            element,
        )
        yield from _parts(element, (*around, name))
