"""Tables of figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from tests.benchmarks.measuring.processes import Costs

WIDTH = 110  # columns, where no terminal says how many it has


def compare(costs: Mapping[str, Costs], base: str) -> None:
    """Print what processes took, in seconds and beside one of them."""
    rows = []
    for name, taken in costs.items():
        pairs = (
            (taken.wall, costs[base].wall),
            (taken.cpu, costs[base].cpu),
            (taken.least_cpu, costs[base].least_cpu),
        )
        rows.append([name, *(f"{ours:.3f} s  {ours / theirs:.3f}" for ours, theirs in pairs)])
    show(("process", "clock, and ratio", "processor, and ratio", "least processor, and ratio"), rows)


def show(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; all columns but the first are figures."""
    console = Console()
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.width = max(console.width, WIDTH) if not console.is_terminal else console.width
    console.print(table)
