"""From a graph to its picture: what of it is drawn, and how deep."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from netspec.analysis.table import tabulate
from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.drawing.captions import Captions, shapes
from netspec.drawing.folding import fold
from netspec.drawing.layout import lay_out
from netspec.drawing.parts import Box, close, drawn, levels, simplify, tree
from netspec.drawing.svg import svg
from netspec.drawing.wiring import Scene, scene
from netspec.ir.graph import Graph

LEGIBLE = 75
"""How many layers and closed boxes are drawn at most, if nobody asks for a depth."""

MOST = 2000
"""How many are drawn at most at all, which takes some seconds."""

TANGLED = 1000
"""How many more wires than layers a box may have; Graphviz takes the square of that in time."""


class TooManyParts(Diagnostic):
    """A picture of more layers than anybody can read."""

    code = "NS602"
    message = (
        "the picture would have {count} layers and closed boxes, and {most} is the most that it may have"
    )

    count: int
    depth: int | None
    most: int = MOST

    @property
    def help(self) -> str:
        if self.depth is None:
            return "put layers that belong together into blocks, which are drawn closed"
        return "close the boxes inside others: --depth {depth}"


class TooManyWires(Diagnostic):
    """A box in which so many layers read from so many others that a picture of it shows nothing."""

    code = "NS603"
    message = "{where} has {wires} wires between {parts} layers, too many to draw"

    name: str
    wires: int
    parts: int

    @property
    def where(self) -> str:
        return f"the box {self.name}" if self.name else "the network"

    @property
    def help(self) -> str:
        return "put layers that belong together into blocks, and draw these closed: --depth 1"


class Picture(NamedTuple):
    """The text of an SVG file, and what it does not show: of `levels` of nesting those deeper than `depth`,
    and `folded` layers, those of repetitions but the first."""

    svg: str
    depth: int
    levels: int
    folded: int


def draw(
    graph: Graph,
    sizes: Mapping[str, int] = MappingProxyType({}),
    *,
    depth: int | None = None,
    fold_repetitions: bool = True,
) -> Picture:
    """Draw a graph, with these sizes of its symbolic dimensions.

    Of `depth` levels boxes are drawn open; unless it is given, of as many as leave the picture legible. Of
    repetitions that are identical the first is drawn and stands for all.

    Errors: NS600, NS601 without Graphviz; NS602, NS603 where there is too much to draw.
    """
    root = tree(graph)
    stand_ins = fold(graph, root) if fold_repetitions else {}
    simplify(root)
    deepest = levels(root)
    shown = min(depth, deepest) if depth is not None else _deepest(root, LEGIBLE) or 1
    count = drawn(root, shown)
    if count > MOST:
        raise DiagnosticError(TooManyParts(count=count, depth=_deepest(root, MOST)))
    close(root, shown)
    texts = shapes(graph, sizes)
    whole = scene(graph, root, stand_ins, texts)
    _check_wires(whole)
    captions = Captions(tabulate(graph, sizes), texts)
    return Picture(svg(lay_out(whole, captions), captions.network()), shown, deepest, len(stand_ins))


def _deepest(root: Box, most: int) -> int | None:
    """The greatest depth at which at most so many layers and closed boxes are drawn, if there is one."""
    return next((depth for depth in range(levels(root), 0, -1) if drawn(root, depth) <= most), None)


def _check_wires(whole: Scene) -> None:
    for box, wires in whole.wires.items():
        parts = len(box.items)
        if len(wires) - 2 * parts > TANGLED:
            raise DiagnosticError(TooManyWires(name=box.name, wires=len(wires), parts=parts))
