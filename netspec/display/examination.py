"""What `doctor` found, for people."""

from __future__ import annotations

import textwrap

from netspec.display.terminal import console
from netspec.doctor import Report, State

MARKS = {State.OK: ("ok", "green"), State.WARN: ("warning", "yellow"), State.ERROR: ("error", "bold red")}


def report_text(report: Report) -> None:
    """Print the rows of an examination to stdout, with advice under each that needs some."""
    from rich.text import Text

    out = console()
    width = max(len(row.name) for row in report.rows)
    for row in report.rows:
        mark, style = MARKS[row.state]
        line = Text(f"{row.name:{width}}  ")
        line.append(f"{mark:7}", style=style)
        line.append(f"  {row.value}")
        out.print(line, soft_wrap=True)
        if row.advice:
            for advice in textwrap.wrap(row.advice, 76):
                out.print(f"    {advice}", soft_wrap=True)
    out.print("everything works" if report.healthy else "something must be mended before netspec can work")
