"""The layer table as text, JSON and CSV."""

from __future__ import annotations

from netspec.analysis.receptive_field import ReceptiveField
from netspec.analysis.table import Row, Table, field_json, size_json
from netspec.display.limits import limits
from netspec.ir.dim import Size
from netspec.language.names import snake_case

FIELDS = ("name", "op", "output_shape", "params", "macs", "receptive_field")


def layers_text(table: Table) -> None:
    """Print the table to stdout: layer, output, parameters, multiply-adds, receptive field.

    What is too long for the terminal goes on below itself.
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
    for row in table.rows:
        cells = (_layer(row), str(row.output), _count(row.params), _size(row.macs) if row.macs != 0 else "-")
        grid.add_row(*cells, field_text(row.receptive_field))
    inputs = ", ".join(f"{item.name} {item.value.type}" for item in table.graph.inputs)
    print(f"{table.graph.name}: {inputs}\n")
    out = console()
    with out.capture() as capture:
        out.print(grid)
    for line in capture.get().splitlines():
        print(line.rstrip())
    needs = limits(table.graph.bounds)
    if needs:
        print("", *needs, sep="\n")


def _layer(row: Row) -> str:
    """A layer's name, and its operation where the name does not say it."""
    last = row.name.rpartition(".")[2]
    return row.name if last.startswith(snake_case(row.op)) else f"{row.name}: {row.op}"


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
