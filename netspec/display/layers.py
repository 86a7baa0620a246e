"""The layer table as text, JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.analysis.receptive_field import ReceptiveField
from netspec.analysis.table import Row, Table, field_json, size_json
from netspec.display.limits import limits
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.outline import Layer, Part, outline
from netspec.language.names import snake_case

FIELDS = ("name", "op", "output_shape", "params", "macs", "receptive_field")


def layers_text(table: Table, depth: int | None = None) -> None:
    """Print the table to stdout: layer, output, parameters, multiply-adds, receptive field.

    Blocks stand before what is in them, which is further in, and below `depth` not shown at all. What is too
    long for the terminal goes on below itself.
    """
    from rich import box
    from rich.table import Table as RichTable

    from netspec.display.terminal import console

    grid = RichTable(
        box=box.SIMPLE_HEAD, show_footer=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    plain = isinstance(table.macs, int)  # what is symbolic may be long; digits are never broken
    grid.add_column("layer", footer="total", overflow="fold")
    grid.add_column("output", overflow="fold")
    grid.add_column("params", justify="right", footer=f"{table.params:,}", no_wrap=True)
    grid.add_column(
        "multiply-adds",
        justify="right",
        footer=_size(table.macs),
        overflow="fold",
        no_wrap=plain,
        min_width=13,
    )
    grid.add_column("sees", justify="right", no_wrap=True)
    lines = _lines(outline(table.graph), {row.name: row for row in table.rows})
    for line in lines if depth is None else [line for line in lines if line.level < depth]:
        macs = _size(line.macs) if line.macs != 0 else "-"
        cells = (line.title, line.output, _count(line.params), macs, field_text(line.receptive_field))
        grid.add_row(*cells, style="bold" if line.is_block else None)
    inputs = ", ".join(f"{item.name} {item.value.type}" for item in table.graph.inputs)
    print(f"{table.graph.name}: {inputs}\n")
    out = console()
    with out.capture() as capture:
        out.print(grid)
    for text in capture.get().splitlines():
        print(text.rstrip())
    needs = limits(table.graph.bounds)
    if needs:
        print("", *needs, sep="\n")


class Line(NamedTuple):
    """One line of the table: a layer, or a block with the sums of what is in it."""

    title: str
    output: str
    params: int
    macs: Size
    receptive_field: ReceptiveField | None
    level: int
    is_block: bool = False


def _lines(part: Part, rows: Mapping[str, Row], level: int = 0) -> list[Line]:
    """The lines of a part's steps, each block's followed by those of its own steps."""
    lines: list[Line] = []
    for step in part.steps:
        indent = "  " * level
        if isinstance(step, Layer):
            row = rows[step.node.name]
            title = indent + _layer(step.own, row.op)
            lines.append(Line(title, str(row.output), row.params, row.macs, row.receptive_field, level))
            continue
        inside = _lines(step, rows, level + 1)
        layers = [line for line in inside if not line.is_block]
        params, macs = 0, Cost().macs
        for line in layers:
            params, macs = params + line.params, macs + line.macs
        title = f"{indent}{step.own}: {step.block}" + (f" (shares {step.called})" if step.shares else "")
        last = layers[-1]
        lines.append(Line(title, last.output, params, macs, last.receptive_field, level, is_block=True))
        lines += inside
    return lines


def _layer(name: str, op: str) -> str:
    """A layer's name, and its operation where the name does not say it."""
    last = name.rpartition(".")[2]
    return name if last.startswith(snake_case(op)) else f"{name}: {op}"


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"


def _size(size: Size) -> str:
    return f"{size:,}" if isinstance(size, int) else str(size)


def field_text(field: ReceptiveField | None) -> str:
    """A receptive field for people: 14x14 /2 is a window of 14 by 14 that moves by 2."""
    if field is None:
        return "-"
    sizes = "x".join(str(axis.extent) for axis in field.axes)
    strides = {axis.stride for axis in field.axes}
    if strides == {1}:
        return sizes
    return f"{sizes} /{'x'.join(str(a.stride) for a in field.axes) if len(strides) > 1 else strides.pop()}"


def layers_csv(table: Table) -> str:
    """The table as CSV with a header; shapes and windows are written `1x28x28`, empty without meaning."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in table.rows:
        field = field_json(row.receptive_field)
        window = "" if field is None else " ".join(f"{a['size']}/{a['stride']}/{a['padding']}" for a in field)
        shape = "x".join(str(size_json(size)) for size in row.output.known)
        writer.writerow([row.name, row.op, shape, row.params, size_json(row.macs), window])
    return text.getvalue()
