"""Graphviz's `dot`, called inside the process: boxes of given sizes in, places and curves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, DiagnosticError

Point = tuple[float, float]

INCH = 72  # pixels, in which Graphviz is given sizes


class GraphvizMissing(Diagnostic):
    """The package that brings Graphviz is not installed; only drawing needs it."""

    code = "NS600"
    message = "drawing needs pygraphviz, which is not installed"
    help = "Install it; its wheels bring Graphviz along: pip install 'netspec-onnx[draw]'"


class GraphvizBroken(Diagnostic):
    """The package that brings Graphviz is installed, and cannot be imported or does not lay out."""

    code = "NS601"
    message = "drawing needs pygraphviz, which is installed and does not work: {reason}"
    help = "Install its wheel, which brings Graphviz along: pip install --force-reinstall --only-binary :all: pygraphviz"

    reason: str


@dataclass(frozen=True)
class Vertex:
    """A box with a size. Edges end in the middle of its upper or lower border, or where ports are: `tops` and
    `bottoms` are their distances from the left. One with a `rank` lies above all others (source) or below (sink).
    """

    width: int
    height: int
    tops: Sequence[int] = ()
    bottoms: Sequence[int] = ()
    rank: str = ""


class Edge(NamedTuple):
    """From one vertex to another, each with the number of its port; over at least so many ranks, and the
    straighter the more weight it has."""

    tail: int
    head: int
    tail_port: int | None = None
    head_port: int | None = None
    weight: int = 1
    ranks: int = 1


class Places(NamedTuple):
    """The whole size, the middle of every vertex, and every edge as points of cubic curves; y counts down."""

    width: float
    height: float
    middles: list[Point]
    curves: list[list[Point]]


def graphviz() -> Any:
    """The module of pygraphviz.

    Errors: NS600 where it is not installed, NS601 where it is and does not load.
    """
    try:
        import pygraphviz
    except ModuleNotFoundError as error:
        if error.name == "pygraphviz":
            raise DiagnosticError(GraphvizMissing()) from error
        raise DiagnosticError(GraphvizBroken(reason=str(error))) from error
    except ImportError as error:
        raise DiagnosticError(GraphvizBroken(reason=str(error))) from error
    return pygraphviz


def place(vertices: Sequence[Vertex], edges: Sequence[Edge], gap: int) -> Places:
    """Lay out a graph from top to bottom with `gap` between ranks; a vertex's edges keep their order."""
    graph = graphviz().AGraph(string="\n".join(_text(vertices, edges, gap)))
    graph.layout(prog="dot")
    _, _, width, height = map(float, graph.graph_attr["bb"].split(","))

    def points(text: str) -> list[Point]:
        pairs = (pair.split(",") for pair in text.split())
        return [(float(x), height - float(y)) for x, y in pairs]

    middles = [points(graph.get_node(f"v{number}").attr["pos"])[0] for number in range(len(vertices))]
    curves = [
        points(graph.get_edge(f"v{edge.tail}", f"v{edge.head}", f"e{number}").attr["pos"])
        for number, edge in enumerate(edges)
    ]
    return Places(width, height, middles, curves)


def _text(vertices: Sequence[Vertex], edges: Sequence[Edge], gap: int) -> Iterator[str]:
    """The graph in Graphviz's language. Nothing in it is a text of the spec."""
    yield "digraph {"
    yield f'graph [dpi={INCH} nodesep={12 / INCH} ranksep={gap / INCH} ordering=out margin=0 pad=0]'
    yield 'node [shape=box fixedsize=true label="" margin=0]'
    yield "edge [arrowhead=none]"
    for number, vertex in enumerate(vertices):
        if vertex.tops or vertex.bottoms:
            yield f"v{number} [shape=plain fixedsize=false label=<{_ported(vertex)}>]"
        else:
            yield f"v{number} [width={vertex.width / INCH} height={vertex.height / INCH}]"
    for rank in ("source", "sink"):
        names = [f"v{number}" for number, vertex in enumerate(vertices) if vertex.rank == rank]
        if names:
            yield f"{{ rank={rank}; {'; '.join(names)} }}"
    for number, edge in enumerate(edges):
        tail = "s" if edge.tail_port is None else f"b{edge.tail_port}:s"
        head = "n" if edge.head_port is None else f"t{edge.head_port}:n"
        yield f"v{edge.tail} -> v{edge.head} [key=e{number} tailport=\"{tail}\" headport=\"{head}\" weight={edge.weight} minlen={edge.ranks}]"
    yield "}"


def _ported(vertex: Vertex) -> str:
    """A vertex with ports, as a table of two rows: in Graphviz only a cell can have a place of its own."""
    upper = vertex.height // 2
    rows = _row(vertex.width, upper, "t", vertex.tops) + _row(vertex.width, vertex.height - upper, "b", vertex.bottoms)
    return _table(rows)


def _row(width: int, height: int, port: str, places: Sequence[int]) -> str:
    """A row of cells: a narrow one at every place, in the order from the left, and wide ones between."""
    cells, x = [], 0
    for number in sorted(range(len(places)), key=lambda number: places[number]):
        cells += [_cell(places[number] - 1 - x, height), _cell(2, height, f"{port}{number}")]
        x = places[number] + 1
    cells.append(_cell(width - x, height))
    return f'<TR><TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}">{_table("<TR>" + "".join(cells) + "</TR>")}</TD></TR>'


def _cell(width: int, height: int, port: str = "") -> str:
    named = f' PORT="{port}"' if port else ""
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"{named}></TD>' if width > 0 else ""


def _table(rows: str) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'
