"""Graphviz's layout `dot`: boxes of given sizes go in, places and curves come out.

It runs inside the process where pygraphviz is installed, whose wheels have it; else as the system's program.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from functools import lru_cache
from io import StringIO
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, DiagnosticError, printable

Point = tuple[float, float]

INCH = 72  # pixels; Graphviz takes sizes in inches
APART = 12  # pixels from one box to the next, and from one rank to the next


class GraphvizMissing(Diagnostic):
    """There is no Graphviz, in Python's environment or outside; nothing but drawing needs it."""

    code = "NS600"
    message = "drawing needs Graphviz, and neither pygraphviz nor the program dot is installed"

    @property
    def help(self) -> str:
        return "install pygraphviz, which brings it along: pip install 'netspec-onnx[draw]'"


class GraphvizBroken(Diagnostic):
    """The Graphviz that is installed does not work."""

    code = "NS601"
    message = "drawing needs Graphviz, and that of {source} does not work: {reason}"

    source: str
    reason: str

    @property
    def help(self) -> str:
        if self.source == "dot":
            return "install pygraphviz, which brings its own: pip install 'netspec-onnx[draw]'"
        return "install what it lacks, or the program dot, which then takes its place: apt install graphviz"


class Vertex(NamedTuple):
    """A box of a size. `tops` and `bottoms` are where on its borders edges end, from the left; in the middle,
    where there are none. One with a `rank` lies above all others (source) or below (sink)."""

    width: int
    height: int
    tops: Sequence[int] = ()
    bottoms: Sequence[int] = ()
    rank: str = ""


class Edge(NamedTuple):
    """From one vertex to another, by their numbers, and at which of their ports: the straighter the more
    weight it has, over so many ranks at least. One that is not `seen` only holds its ends together."""

    tail: int
    head: int
    bottom: int | None = None
    top: int | None = None
    weight: int = 1
    ranks: int = 1
    seen: bool = True


class Places(NamedTuple):
    """The whole size, the middle of every vertex, every edge as points of cubic curves; y counts down."""

    width: float
    height: float
    middles: list[Point]
    curves: list[list[Point]]


def place(vertices: Sequence[Vertex], edges: Sequence[Edge]) -> Places:
    """Lay out a graph from top to bottom; the edges of a vertex keep their order, from left to right.

    Errors: NS600, NS601 where there is no Graphviz that works.
    """
    found = json.loads(_laid_out("\n".join(_text(vertices, edges))))
    _, _, width, height = map(float, found["bb"].split(","))

    def points(text: str) -> list[Point]:
        pairs = (pair.split(",") for pair in text.split())
        return [(float(x), height - float(y)) for x, y in pairs]

    boxes = {item["name"]: item for item in found.get("objects", ())}
    curves = {item["id"]: item for item in found.get("edges", ())}
    return Places(
        width,
        height,
        [points(boxes[f"v{number}"]["pos"])[0] for number in range(len(vertices))],
        [points(curves[f"e{number}"]["pos"]) if edge.seen else [] for number, edge in enumerate(edges)],
    )


@lru_cache(maxsize=256)  # boxes that are alike are laid out once
def _laid_out(text: str) -> bytes:
    """The JSON that Graphviz gives for a graph."""
    try:
        import pygraphviz
    except ImportError as error:
        program = shutil.which("dot")
        if program is not None:
            return _run(program, text)
        if isinstance(error, ModuleNotFoundError) and error.name == "pygraphviz":
            raise DiagnosticError(GraphvizMissing()) from error
        raise DiagnosticError(GraphvizBroken(source="pygraphviz", reason=_line(str(error)))) from error
    with redirect_stderr(StringIO()):  # it warns of graphs that take long, which are no news here
        laid_out: bytes = pygraphviz.AGraph(string=text).draw(format="json0", prog="dot")
    return laid_out


def _run(program: str, text: str) -> bytes:
    try:
        return subprocess.run(
            [program, "-Tjson0"], input=text.encode(), capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = (
            error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else ""
        )
        raise DiagnosticError(GraphvizBroken(source="dot", reason=_line(said or str(error)))) from error


def _line(text: str) -> str:
    """A text on one line that any terminal can show."""
    return printable(" ".join(text.split()))


def _text(vertices: Sequence[Vertex], edges: Sequence[Edge]) -> Iterator[str]:
    """The graph in Graphviz's language; nothing in it is a text of the spec.

    The limits keep a dense graph from taking minutes, for a layout that is hardly better.
    """
    yield "digraph {"
    yield f"graph [dpi={INCH} nodesep={APART / INCH} ranksep={APART / INCH}]"
    yield "graph [ordering=out nslimit=5 mclimit=0.5]"
    yield 'node [shape=box fixedsize=true label=""]'
    yield "edge [arrowhead=none]"
    for number, vertex in enumerate(vertices):
        if vertex.tops or vertex.bottoms:
            yield f"v{number} [shape=plain fixedsize=false label=<{_ported(vertex)}>]"
        else:
            yield f"v{number} [width={vertex.width / INCH} height={vertex.height / INCH}]"
    for rank in ("source", "sink"):
        numbers = [f"v{number}" for number, vertex in enumerate(vertices) if vertex.rank == rank]
        if numbers:
            yield f"{{ rank={rank}; {'; '.join(numbers)} }}"
    for number, edge in enumerate(edges):
        tail = "s" if edge.bottom is None else f"b{edge.bottom}:s"
        head = "n" if edge.top is None else f"t{edge.top}:n"
        hidden = "" if edge.seen else " style=invis"
        yield (
            f'v{edge.tail} -> v{edge.head} [id=e{number} tailport="{tail}" headport="{head}" '
            f"weight={edge.weight} minlen={edge.ranks}{hidden}]"
        )
    yield "}"


def _ported(vertex: Vertex) -> str:
    """A vertex with ports, as a table of two rows: cells are what Graphviz can attach an edge to."""
    upper = vertex.height // 2
    rows = ((upper, "t", vertex.tops), (vertex.height - upper, "b", vertex.bottoms))
    return _table(
        "".join(
            _row(_cell(vertex.width, height, inside=_ports(vertex.width, height, port, places)))
            for height, port, places in rows
        )
    )


def _ports(width: int, height: int, port: str, places: Sequence[int]) -> str:
    """A row of cells, a narrow one at every place and wide ones between them."""
    cells = []
    x = 0
    for number in sorted(range(len(places)), key=lambda number: places[number]):
        cells += [_cell(places[number] - 1 - x, height), _cell(2, height, f' PORT="{port}{number}"')]
        x = places[number] + 1
    return _table(_row("".join([*cells, _cell(width - x, height)])))


def _table(rows: str) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'


def _row(cells: str) -> str:
    return f"<TR>{cells}</TR>"


def _cell(width: int, height: int, port: str = "", inside: str = "") -> str:
    if width <= 0:
        return ""
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"{port}>{inside}</TD>'
