"""Where output goes: results to stdout, messages to stderr; colour only where somebody sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from netspec.diagnostics import Diagnostic

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200  # columns of a table that no terminal limits
LEAST_WIDTH = 20


def is_colorful(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user has not declined colour."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width(stream: TextIO) -> int:
    """Columns of a stream: what COLUMNS says, or else its terminal; many where there is none."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return max(int(asked), LEAST_WIDTH)
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return PIPE_WIDTH
    return max(columns, LEAST_WIDTH) if columns else PIPE_WIDTH


def console(stream: TextIO | None = None) -> Console:
    """A rich console on stdout, or on the stream given; loads rich."""
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(
        file=stream,
        width=width(stream),
        force_terminal=is_colorful(stream) or None,
        color_system="auto" if is_colorful(stream) else None,  # None is without bold and dim too
        highlight=False,
        markup=False,
        emoji=False,
    )


def show_heading(line: str) -> None:
    """A line of its own on stdout, bold where that is seen."""
    print(f"\x1b[1m{line}\x1b[0m" if is_colorful(sys.stdout) else line)


def print_diagnostics(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Diagnostics as text, on stderr unless a stream is given."""
    from netspec.diagnostics.render import render_text

    stream = stream or sys.stderr
    stream.write(render_text(diagnostics, color=is_colorful(stream)))
