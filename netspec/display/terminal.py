"""The two streams: results go to stdout, messages to stderr; colour only where somebody sees it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from netspec.diagnostics import Diagnostic

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200  # columns of a table that no terminal limits


def is_colorful(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user has not declined colour."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def console(stream: TextIO | None = None) -> Console:
    """A rich console on stdout, or on the stream given; loads rich."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else PIPE_WIDTH
    return Console(
        file=stream,
        width=width,
        force_terminal=is_colorful(stream) or None,
        no_color=not is_colorful(stream),
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_diagnostics(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Diagnostics as text, on stderr unless a stream is given."""
    from netspec.diagnostics.render import render_text

    stream = stream or sys.stderr
    stream.write(render_text(diagnostics, color=is_colorful(stream)))


def use_utf8() -> None:
    """Let both streams write every character: a C locale would end a message in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            encoding = (stream.encoding or "").lower().replace("-", "")
            reconfigure(errors="backslashreplace", **({} if encoding == "utf8" else {"encoding": "utf-8"}))
