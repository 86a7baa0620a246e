"""Graphviz's `dot`, called inside the process: boxes of given sizes go in, places and curves come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, DiagnosticError

Point = tuple[float, float]

INCH = 72  # pixels; Graphviz takes sizes in inches
APART = 12  # pixels from one box to the next, and from one rank to the next


class GraphvizMissing(Diagnostic):
    """The package that brings Graphviz is not installed; nothing but drawing needs it."""

    code = "NS600"
    message = "drawing needs pygraphviz, which is not installed"

    @property
    def help(self) -> str:
        return "install it, and with it Graphviz: pip install 'netspec-onnx[draw]'"


class GraphvizBroken(Diagnostic):
    """The package that brings Graphviz is installed, and cannot be imported."""

    code = "NS601"
    message = "drawing needs pygraphviz, which is installed, but importing it fails: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return (
            "install its wheel, which has Graphviz in it: "
            "pip install --force-reinstall --only-binary :all: pygraphviz"
        )


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

    Errors: NS600, NS601 where there is no Graphviz.
    """
    graph = pygraphviz().AGraph(string="\n".join(_text(vertices, edges)))
    graph.layout(prog="dot")
    _, _, width, height = map(float, graph.graph_attr["bb"].split(","))

    def points(text: str) -> list[Point]:
        pairs = (pair.split(",") for pair in text.split())
        return [(float(x), height - float(y)) for x, y in pairs]

    middles = [points(graph.get_node(f"v{number}").attr["pos"])[0] for number in range(len(vertices))]
    curves = [
        points(graph.get_edge(f"v{edge.tail}", f"v{edge.head}", f"e{number}").attr["pos"])
        if edge.seen
        else []
        for number, edge in enumerate(edges)
    ]
    return Places(width, height, middles, curves)


def pygraphviz() -> Any:
    """The module that brings Graphviz.

    Errors: NS600 where it is not installed, NS601 where importing it fails.
    """
    try:
        import pygraphviz
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "pygraphviz":
            raise DiagnosticError(GraphvizMissing()) from error
        raise DiagnosticError(GraphvizBroken(reason=" ".join(str(error).split()))) from error
    return pygraphviz


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
            f'v{edge.tail} -> v{edge.head} [key=e{number} tailport="{tail}" headport="{head}" '
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
